import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { describe, expect, test } from 'vitest';

import { readAtMost } from '../../src/http/body.ts';
import { SlabPool } from '../../src/http/slabs.ts';
import type { HttpTransport } from '../../src/http/transport.ts';
import { makeCertificates, type Certificates } from '../support/http/certificates.ts';
import { startHttpServer, type TestServer } from '../support/http/http-server.ts';
import { testTransport } from '../support/http/transport.ts';

/** `REGI_SLAB_SCHEDULES=10000` for a night; all are different, and the same in every run. */
const SCHEDULES = Number(process.env['REGI_SLAB_SCHEDULES'] ?? 500);
const AT_ONCE = 6;
const POISON = 0xde;
/** Small slabs are full, and used again, after every read or two. */
const SLAB_BYTES = 66 * 1024;
const KIB = 1024;

/** Random numbers that a seed decides: `next(n)` is from 0 to n - 1. */
function randomOf(seed: number): (below: number) => number {
  let state = (seed * 40_503 + 1) % 2 ** 32;
  return (below) => {
    // Numerical Recipes' generator; the high bits are the better ones.
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Schedule {
  readonly seed: number;
  readonly size: number;
  /** Bytes that the server writes at once, at most. */
  readonly chunk: number;
  readonly isChunked: boolean;
}

/** One in thirty is larger than what the kernel holds of a connection, and comes in small pieces; others are small, and some of those come byte by byte. */
function scheduleOf(seed: number): Schedule {
  const random = randomOf(seed);
  const isHuge = random(30) === 0;
  const isTiny = !isHuge && random(4) === 0;
  const size = isHuge
    ? 8 * KIB * KIB + random(KIB * KIB)
    : 1 + random(isTiny ? 3 * KIB : 700 * KIB);
  const chunk = isHuge ? 1 + random(24 * KIB) : 1 + random(isTiny ? 3 : 200 * KIB);
  return { seed, size, chunk, isChunked: random(2) === 0 };
}

function contentOf({ seed, size }: Schedule): Buffer {
  const content = Buffer.alloc(size);
  for (let position = 0; position < size; position += 4)
    content.writeUInt32LE(
      ((seed + 1) * (position + 7) * 40_503) % 2 ** 32,
      Math.min(position, Math.max(0, size - 4)),
    );
  return content;
}

async function stutter(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Sends the content of the schedule that the path names, in pieces, as the schedule says. */
async function give(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const schedule = scheduleOf(Number(request.url?.slice(1)));
  const content =
    schedule.size < 4 ? Buffer.alloc(schedule.size, schedule.seed) : contentOf(schedule);
  const random = randomOf(schedule.seed + 1);
  if (!schedule.isChunked) response.setHeader('content-length', content.byteLength);
  for (let position = 0; position < content.byteLength;) {
    const end = position + 1 + random(schedule.chunk);
    if (!response.write(content.subarray(position, end)))
      await new Promise((resolve) => response.once('drain', resolve));
    position = end;
    if (random(4) === 0) await stutter(random(3));
  }
  response.end();
}

function isLarge({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length']) > 4 * KIB * KIB;
}

/** Takes a body as slowly as the schedule says and answers with its digest. */
async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const random = randomOf(Number(request.url?.slice(1)) + 2);
  const hash = createHash('sha256');
  // Until the kernel's buffers are full.
  if (isLarge(request)) await stutter(3000);
  for await (const chunk of request) {
    hash.update(chunk as Buffer);
    if (random(3) === 0) await stutter(random(6));
  }
  response.end(hash.digest('hex'));
}

async function startServer(certificates?: Certificates): Promise<TestServer> {
  return startHttpServer(
    (request, response) => void (request.method === 'GET' ? give : take)(request, response),
    certificates,
  );
}

/** The digest that the server found in what it was sent of what it gave. */
async function passOn(
  transport: HttpTransport,
  server: TestServer,
  schedule: Schedule,
): Promise<string> {
  const { body } = await transport.send({ method: 'GET', url: server.url(`/${schedule.seed}`) });
  const random = randomOf(schedule.seed + 3);
  async function* slowly(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      if (random(4) === 0) await stutter(random(4));
      yield chunk;
    }
  }
  const content = { [Symbol.asyncIterator]: slowly };
  const answer = await transport.send({
    method: 'PUT',
    url: server.url(`/${schedule.seed}`),
    body: { content, size: schedule.size },
  });
  return Buffer.from(await readAtMost(answer, KIB, 'the digest')).toString();
}

function watchedPool() {
  let freed = 0;
  const pool = new SlabPool({
    slabBytes: SLAB_BYTES,
    onFree(bytes) {
      freed += 1;
      bytes.fill(POISON);
    },
  });
  return { pool, freed: () => freed };
}

/** Seeds of the schedules whose bytes did not arrive as they were. */
async function findCorrupt(
  transport: HttpTransport,
  server: TestServer,
  seeds: readonly number[],
): Promise<readonly number[]> {
  const corrupt: number[] = [];
  const left = seeds.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const seed of left) {
        const schedule = scheduleOf(seed);
        const expected =
          schedule.size < 4 ? Buffer.alloc(schedule.size, seed) : contentOf(schedule);
        if ((await passOn(transport, server, schedule)) !== sha256(expected)) corrupt.push(seed);
      }
    }),
  );
  return corrupt;
}

describe('slabs that are overwritten when nobody looks into them any more', () => {
  test.each([
    ['http', undefined, SCHEDULES],
    ['https', makeCertificates({ hosts: ['127.0.0.1'] }), Math.ceil(SCHEDULES / 5)],
  ] as const)(
    'bytes arrive as they were sent over %s, however server, reader and writer stutter',
    async (_, certificates, count) => {
      const server = await startServer(certificates);
      const { pool, freed } = watchedPool();
      const transport = testTransport({
        slabs: pool,
        tls: () => ({ ca: certificates === undefined ? [] : [certificates.ca] }),
      });

      expect(
        await findCorrupt(
          transport,
          server,
          Array.from({ length: count }, (_value, seed) => seed),
        ),
      ).toEqual([]);

      // Else nothing was put to the test.
      expect(freed()).toBeGreaterThan(count / 2);
    },
    600_000 + SCHEDULES * 400,
  );

  test('a chunk is not overwritten before the next is asked for', async () => {
    const server = await startServer();
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

  test('a large body is read in few slabs, that are used again', async () => {
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

  test('the slab of a reader that left is not used again', async () => {
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

  test('a small body lies in no slab', async () => {
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
