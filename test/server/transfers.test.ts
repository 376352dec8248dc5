import { readdirSync } from 'node:fs';
import { connect } from 'node:net';

import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf, collect } from '../../src/bytes.ts';
import { startServer } from '../../src/server/server.ts';
import { fileSpool, memorySpool } from '../../src/server/spool.ts';
import { UploadSessions } from '../../src/server/upload-sessions.ts';
import type { Bytes, Place, Store } from '../../src/store.ts';
import { createMemoryPlace } from '../../src/stores/memory.ts';
import { decorate } from '../../src/stores/decorators/decorate.ts';
import { type FakeRegistry, startFakeRegistry } from '../support/registries/fake-registry.ts';
import { makeBlob, makeImage } from '../support/images/images.ts';
import { errorCodes, type RawResponse, sendRaw } from '../support/http/raw-request.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** How node:http tells that a connection was closed in the middle. */
const CUT = /aborted|hang up|ECONNRESET|EPIPE/;

let registry: FakeRegistry;

beforeEach(async () => {
  registry = await startFakeRegistry();
  return () => registry.stop();
});

const blob = makeBlob(3 * 1024 * 1024 + 17);

function send(
  method: string,
  path: string,
  rest: {
    readonly headers?: Record<string, string>;
    readonly body?: Uint8Array | readonly Uint8Array[];
  } = {},
): Promise<RawResponse> {
  return sendRaw(registry.url, { method, path, ...rest });
}

async function startUpload(): Promise<string> {
  return (await send('POST', '/v2/app/blobs/uploads/')).headers.location ?? '';
}

/** One repository whose blobs are read by `fetch`. */
function placeReading(fetch: Store['fetch']): Place {
  const place = createMemoryPlace();
  return { ...place, open: (name) => decorate(place.open(name), { fetch }) };
}

describe('GET of a blob', () => {
  test('sends chunks whose memory is reused for the next', async () => {
    const recycling = (): Bytes => ({
      async *[Symbol.asyncIterator]() {
        const slab = Buffer.alloc(100_000);
        for (let at = 0; at < blob.bytes.byteLength; at += slab.byteLength) {
          const size = Math.min(slab.byteLength, blob.bytes.byteLength - at);
          slab.set(blob.bytes.subarray(at, at + size));
          yield slab.subarray(0, size);
          slab.fill(0xde);
        }
      },
    });
    const place = placeReading(recycling);
    await place.open('app').push(blob.descriptor, bytesOf(blob.bytes));
    const fake = await startFakeRegistry({ place });
    const answers = await Promise.all(
      Array.from({ length: 4 }, () =>
        sendRaw(fake.url, { path: `/v2/app/blobs/${blob.descriptor.digest}` }),
      ),
    );
    expect(answers.every(({ body }) => body.equals(blob.bytes))).toBe(true);
  });

  test('reads at the pace of the client, and closes the content when the client disconnects', async () => {
    let asked = 0;
    let closed = (): void => undefined;
    const isClosed = new Promise<void>((resolve) => (closed = resolve));
    const endless = (): Bytes => ({
      async *[Symbol.asyncIterator]() {
        try {
          for (;;) {
            asked += 1;
            yield Buffer.alloc(1024 * 1024);
          }
        } finally {
          closed();
        }
      },
    });
    const huge = { ...blob.descriptor, size: 1024 ** 4 };
    const place = placeReading(endless);
    const open = place.open('app');
    const fake = await startFakeRegistry({
      place: { ...place, open: () => Object.assign(open, { resolveBlob: async () => huge }) },
    });
    const socket = connect(Number(new URL(fake.url).port), '127.0.0.1');
    socket.write(`GET /v2/app/blobs/${blob.descriptor.digest} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await new Promise((resolve) => socket.once('readable', resolve));
    socket.destroy();
    await isClosed;
    expect(asked).toBeLessThan(64);
  });

  test.each([
    ['short', blob.bytes.subarray(1)],
    ['long', Buffer.concat([blob.bytes, Buffer.alloc(1)])],
  ])('cuts the connection when what is stored is too %s', async (_, stored) => {
    const place = placeReading(() => bytesOf(stored));
    await place.open('app').push(blob.descriptor, bytesOf(blob.bytes));
    const fake = await startFakeRegistry({ place });
    await expect(
      sendRaw(fake.url, { path: `/v2/app/blobs/${blob.descriptor.digest}` }),
    ).rejects.toThrow(CUT);
  });
});

describe('GET of a manifest', () => {
  test('responds with 500 and not the bytes when the stored content is damaged', async () => {
    const place = placeReading(() => bytesOf(Buffer.from('damaged')));
    const image = makeImage();
    await image.pushAll(place.open('app'), 'v1');
    const fake = await startFakeRegistry({ place });
    const answer = await sendRaw(fake.url, { path: '/v2/app/manifests/v1' });
    expect([answer.status, errorCodes(answer)]).toEqual([500, ['UNKNOWN']]);
  });
});

describe('uploads', () => {
  test('two concurrent pushes of one image leave one complete image', async () => {
    const image = makeImage({ layers: [300_000, 200_000, 100_000] });
    const push = async (): Promise<number> => {
      for (const { descriptor, bytes } of image.nodes.values()) {
        if (descriptor.digest === image.root.digest) continue;
        const location = await startUpload();
        await send('PATCH', location, { body: bytes });
        expect((await send('PUT', `${location}?digest=${descriptor.digest}`)).status).toBe(201);
      }
      const root = image.nodes.get(image.root.digest)?.bytes ?? new Uint8Array();
      return (
        await send('PUT', '/v2/app/manifests/v1', {
          headers: { 'content-type': image.root.mediaType },
          body: root,
        })
      ).status;
    };
    expect(await Promise.all([push(), push(), push()])).toEqual([201, 201, 201]);
    const store = registry.place.open('app');
    for (const { descriptor, bytes } of image.nodes.values()) {
      expect(
        Buffer.from(await collect(store.fetch(descriptor), descriptor.size, 'node')).equals(bytes),
      ).toBe(true);
    }
  });

  test('a PUT that is cut keeps nothing', async () => {
    registry.fault({ match: { method: 'PUT' }, action: { kind: 'cut-request', afterBytes: 1000 } });
    const location = await startUpload();
    await expect(
      send('PUT', `${location}?digest=${blob.descriptor.digest}`, { body: blob.bytes }),
    ).rejects.toThrow(CUT);
    expect((await send('HEAD', `/v2/app/blobs/${blob.descriptor.digest}`)).status).toBe(404);
    expect(
      (await send('PUT', `${location}?digest=${blob.descriptor.digest}`, { body: blob.bytes }))
        .status,
    ).toBe(201);
  });

  test('a PATCH that is cut can be resumed', async () => {
    registry.fault({
      match: { method: 'PATCH' },
      action: { kind: 'cut-request', afterBytes: 1_500_000 },
    });
    const location = await startUpload();
    await expect(send('PATCH', location, { body: blob.bytes })).rejects.toThrow(CUT);
    const range = (await send('GET', location)).headers.range ?? '';
    expect(range).toBe('0-1499999');
    const rest = blob.bytes.subarray(1_500_000);
    const headers = { 'content-range': `1500000-${blob.bytes.byteLength - 1}` };
    expect(
      (await send('PUT', `${location}?digest=${blob.descriptor.digest}`, { headers, body: rest }))
        .status,
    ).toBe(201);
  });

  test('a refusal reaches a client that is still sending', async () => {
    const answer = await send(
      'PUT',
      `/v2/app/blobs/uploads/nothing?digest=${blob.descriptor.digest}`,
      { body: blob.bytes },
    );
    expect([answer.status, errorCodes(answer)]).toEqual([404, ['BLOB_UPLOAD_UNKNOWN']]);
  });

  test('an existing blob is read to its end, and the connection is reused', async () => {
    await registry.place.open('app').push(blob.descriptor, bytesOf(blob.bytes));
    expect(
      (
        await send('PUT', `${await startUpload()}?digest=${blob.descriptor.digest}`, {
          body: blob.bytes,
        })
      ).status,
    ).toBe(201);
  });

  test('a second chunk at the same time is refused', async () => {
    const sessions = new UploadSessions(memorySpool(), { now: () => 0 });
    const session = await sessions.start('app');
    await sessions.exclusively(session, async () => {
      await expect(sessions.exclusively(session, async () => undefined)).rejects.toMatchObject({
        status: 416,
      });
    });
  });

  test('an upload that is idle for too long ends, and its bytes are freed', async () => {
    let now = 0;
    const sessions = new UploadSessions(
      memorySpool(),
      { now: () => now },
      { sessions: 10, bytes: 100, idleMs: 1000 },
    );
    const session = await sessions.start('app');
    await sessions.exclusively(session, () => sessions.append(session, bytesOf(Buffer.alloc(100))));
    now = 1000;
    await sessions.expire();
    expect(() => sessions.find('app', session.id)).toThrow('Cannot find the upload');
    const next = await sessions.start('app');
    await sessions.exclusively(next, () => sessions.append(next, bytesOf(Buffer.alloc(100))));
    expect(next.size).toBe(100);
  });

  test('a new upload over the limit evicts the one idle longest', async () => {
    let now = 0;
    const sessions = new UploadSessions(
      memorySpool(),
      { now: () => (now += 1) },
      { sessions: 2, bytes: 100, idleMs: 1000 },
    );
    const [first, second] = [await sessions.start('app'), await sessions.start('app')];
    await sessions.start('app');
    expect(() => sessions.find('app', first.id)).toThrow('Cannot find the upload');
    expect(sessions.find('app', second.id)).toBe(second);
  });

  test('more bytes than all uploads may hold get 413', async () => {
    const fake = await startFakeRegistry({
      uploadLimits: { sessions: 10, bytes: 1000, idleMs: 1000 },
    });
    const { headers } = await sendRaw(fake.url, { method: 'POST', path: '/v2/app/blobs/uploads/' });
    const answer = await sendRaw(fake.url, {
      method: 'PATCH',
      path: headers.location ?? '',
      body: Buffer.alloc(1001),
    });
    expect([answer.status, errorCodes(answer)]).toEqual([413, ['SIZE_INVALID']]);
  });

  test('fileSpool() returns the appended bytes and leaves no named file', async () => {
    const folder = temporaryFolder('spool');
    const sessions = new UploadSessions(fileSpool(folder), { now: () => 0 });
    const session = await sessions.start('app');
    await sessions.exclusively(session, () => sessions.append(session, bytesOf(blob.bytes)));
    expect(readdirSync(folder)).toEqual([]);
    expect(
      Buffer.from(await collect(sessions.content(session), session.size, 'upload')).equals(
        blob.bytes,
      ),
    ).toBe(true);
    await sessions.close();
  });
});

describe('close()', () => {
  test('finishes transfers, accepts no new ones and then ends', async () => {
    const place = createMemoryPlace();
    await place.open('app').push(blob.descriptor, bytesOf(blob.bytes));
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let reach = (): void => undefined;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const server = await startServer({
      place,
      clock: { now: () => 0 },
      around: async (call, next) => {
        reach();
        await gate;
        return next(call);
      },
    });
    const transfer = sendRaw(server.url, {
      path: `/v2/app/blobs/${blob.descriptor.digest}`,
      headers: { connection: 'keep-alive' },
    });
    await reached;
    const closed = server.close();
    await expect(sendRaw(server.url, { path: '/v2/' })).rejects.toThrow('ECONNREFUSED');
    release();
    expect((await transfer).body.equals(blob.bytes)).toBe(true);
    await closed;
  });

  test('destroy() cuts a transfer and its content is closed', async () => {
    let aborted = (): void => undefined;
    const isAborted = new Promise<void>((resolve) => (aborted = resolve));
    const server = await startServer({
      place: createMemoryPlace(),
      clock: { now: () => 0 },
      around: (call) =>
        new Promise((_, reject) => {
          call.signal.addEventListener('abort', () => {
            aborted();
            reject(new Error('gone'));
          });
          void server.destroy();
        }),
    });
    await expect(sendRaw(server.url, { path: '/v2/' })).rejects.toThrow(CUT);
    await isAborted;
  });

  test('a client that is silent during a request is disconnected', async () => {
    const server = await startServer({
      place: createMemoryPlace(),
      clock: { now: () => 0 },
      idleTimeoutMs: 1000,
    });
    const { headers } = await sendRaw(server.url, {
      method: 'POST',
      path: '/v2/app/blobs/uploads/',
    });
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `PATCH ${headers.location ?? ''} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nabc`,
    );
    await new Promise((resolve) => socket.once('close', resolve).resume());
    expect((await sendRaw(server.url, { path: headers.location ?? '' })).headers.range).toBe('0-2');
    await server.close();
  });
});
