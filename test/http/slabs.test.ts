import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';

import { describe, expect, test } from 'vitest';

import { readAtMost } from '../../src/http/body.ts';
import { makeCertificates } from '../support/http/certificates.ts';
import { startHttpServer, startRawServer } from '../support/http/http-server.ts';
import { testTransport } from '../support/http/transport.ts';
import {
  contentOf,
  FAST_SCHEDULES,
  KIB,
  readPastEnd,
  runSchedules,
  scheduleOf,
  sha256,
  startSchedules,
  stutter,
  watchedPool,
} from './slab-schedules.ts';

describe('slabs that are poisoned when released', () => {
  test.each([
    ['http', undefined],
    ['https', makeCertificates({ hosts: ['127.0.0.1'] })],
  ] as const)(
    'bodies arrive as they were sent over %s when server, reader and writer stutter',
    async (_, certificates) => {
      const { corrupt, freed } = await runSchedules(0, FAST_SCHEDULES, certificates);
      expect(corrupt).toEqual([]);
      // Without released slabs the test would prove nothing.
      expect(freed).toBeGreaterThan(FAST_SCHEDULES / 2);
    },
  );

  test('a chunk is not overwritten before the next is requested', async () => {
    const server = await startSchedules();
    const { pool } = watchedPool();
    const transport = testTransport({ slabs: pool });
    const seed =
      Array.from({ length: 500 }, (_, index) => index).find(
        (index) => scheduleOf(index).size > 8 * KIB * KIB,
      ) ?? 0;
    const { body } = await transport.send({ method: 'GET', url: server.url(`/${seed}`) });
    const hash = createHash('sha256');
    for await (const chunk of body) {
      const before = sha256(chunk);
      await stutter(3);
      expect(sha256(chunk)).toBe(before);
      hash.update(chunk);
    }
    expect(hash.digest('hex')).toBe(sha256(contentOf(scheduleOf(seed))));
  });

  test('a large body is read into few slabs, which are reused', async () => {
    const server = await startHttpServer(
      (_request, response) => void response.end(Buffer.alloc(64 * KIB * KIB)),
    );
    const { pool, freed } = watchedPool();
    const memories = new Set<ArrayBufferLike>();
    const { body } = await testTransport({ slabs: pool }).send({
      method: 'GET',
      url: server.url('/'),
    });
    for await (const chunk of body)
      if (pool.slabOf(chunk) !== undefined) memories.add(chunk.buffer);
    expect(memories.size).toBeLessThan(6);
    expect(freed()).toBeGreaterThan(50);
  });

  test.each([
    ['with its length', (size: number) => `content-length: ${size}\r\n`],
    ['that the end of the connection ends', () => ''],
  ])('a large body %s is read to its end when the server closes first', async (_, lengthLine) => {
    const content = contentOf({ ...scheduleOf(0), size: 400 * KIB });
    const server = await startRawServer((socket) => {
      socket.once('data', () => {
        const head = `HTTP/1.1 200 OK\r\nconnection: close\r\n${lengthLine(content.byteLength)}\r\n`;
        socket.write(head);
        socket.end(content);
      });
    });
    const { pool } = watchedPool();
    const { body } = await testTransport({ slabs: pool }).send({
      method: 'GET',
      url: server.url('/'),
    });
    const hash = createHash('sha256');
    for await (const chunk of body) {
      hash.update(chunk);
      await stutter(20);
    }
    expect(hash.digest('hex')).toBe(sha256(content));
  });

  test('the end of a connection waits for a reader that has not taken the last chunk', async () => {
    const sockets: Socket[] = [];
    const server = await startRawServer((socket) => {
      sockets.push(socket);
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nfirst'));
    });
    const { body } = await testTransport().send({ method: 'GET', url: server.url('/') });
    expect(await readPastEnd(body, () => sockets[0])).toEqual(['first', 'second', 'last']);
  });

  test('TLS records that wait are one chunk', async () => {
    const size = 16 * KIB * KIB;
    const certificates = makeCertificates({ hosts: ['127.0.0.1'] });
    const server = await startHttpServer((_request, response) => {
      response.setHeader('content-length', size);
      response.end(Buffer.alloc(size));
    }, certificates);
    const transport = testTransport({ tls: () => ({ ca: [certificates.ca] }) });
    const { body } = await transport.send({ method: 'GET', url: server.url('/') });
    let chunks = 0;
    for await (const _chunk of body) {
      chunks += 1;
      await stutter(3);
    }
    // A record has 16 KiB at most.
    expect(chunks).toBeLessThan(size / (32 * KIB));
  });

  test('the slab of a reader that left is not reused', async () => {
    const server = await startHttpServer(
      (_request, response) => void response.end(Buffer.alloc(4 * KIB * KIB, 7)),
    );
    const { pool } = watchedPool();
    const transport = testTransport({ slabs: pool });
    const { body } = await transport.send({ method: 'GET', url: server.url('/') });
    let kept: Uint8Array | undefined;
    for await (const chunk of body) {
      kept = chunk;
      if (pool.slabOf(chunk) !== undefined) break;
    }
    for (let turn = 0; turn < 3; turn += 1)
      await readAtMost(
        await transport.send({ method: 'GET', url: server.url('/') }),
        4 * KIB * KIB,
        'it',
      );
    expect(kept?.every((byte) => byte === 7)).toBe(true);
  });

  test('a small body is not read into slabs', async () => {
    const server = await startHttpServer(
      (_request, response) => void response.end(Buffer.alloc(64 * KIB)),
    );
    const { pool } = watchedPool();
    const { body } = await testTransport({ slabs: pool }).send({
      method: 'GET',
      url: server.url('/'),
    });
    for await (const chunk of body) expect(pool.slabOf(chunk)).toBeUndefined();
  });
});
