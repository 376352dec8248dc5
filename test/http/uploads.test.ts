import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { discard, readAtMost } from '../../src/http/body.ts';
import type { Bytes } from '../../src/store.ts';
import { makeCertificates } from '../support/http/certificates.ts';
import { deferred } from '../support/deferred.ts';
import { startHttpServer, startRawServer } from '../support/http/http-server.ts';
import { poisoned } from '../support/images/poison.ts';
import { testTransport } from '../support/http/transport.ts';

const certificates = makeCertificates({ hosts: ['127.0.0.1'] });

function randomLike(size: number): Buffer {
  const content = Buffer.alloc(size);
  for (let i = 0; i < size; i++) content[i] = (i * 31 + Math.floor(i / 251) * 7) % 256;
  return content;
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Reads a few KiB, lets the sender's buffers fill, reads on. */
async function hashSlowly(request: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of request) {
    hash.update(chunk as Buffer);
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  }
  return hash.digest('hex');
}

/** Content that never ends, and says when it was closed. */
function endless(chunk: Uint8Array): { content: Bytes; closed: Promise<void> } {
  const closed = deferred();
  async function* content(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield chunk;
    } finally {
      closed.resolve();
    }
  }
  return { content: { [Symbol.asyncIterator]: content }, closed: closed.promise };
}

/** Content that gives one chunk and then waits until `signal` aborts. */
function stalling(signal: AbortSignal): {
  content: Bytes;
  closed: Promise<void>;
  stalled: Promise<void>;
} {
  const closed = deferred();
  const stalled = deferred();
  async function* content(): AsyncGenerator<Uint8Array> {
    try {
      yield Buffer.from('first');
      stalled.resolve();
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    } finally {
      closed.resolve();
    }
  }
  return {
    content: { [Symbol.asyncIterator]: content },
    closed: closed.promise,
    stalled: stalled.promise,
  };
}

describe('a streamed body', () => {
  test.each([
    ['http', undefined, 4093],
    ['http', undefined, 1_000_000],
    ['https', certificates, 4093],
    ['https', certificates, 1_000_000],
  ] as const)(
    'send() asks for no borrowed chunk before the last one has left, over %s (%#)',
    async (_scheme, tls, chunkSize) => {
      const server = await startHttpServer(
        async (request, response) => void response.end(await hashSlowly(request)),
        tls,
      );
      const content = randomLike(6_000_000);
      const transport = testTransport({ tls: () => ({ ca: certificates.ca }) });
      const response = await transport.send({
        method: 'PUT',
        url: server.url('/blob'),
        body: { content: poisoned(content, { chunkSize }), size: content.byteLength },
      });
      expect(Buffer.from(await readAtMost(response, 1000, 'the hash')).toString()).toBe(
        sha256(content),
      );
    },
  );

  test('send() announces the size of a body', async () => {
    const server = await startHttpServer((request, response) => {
      request.resume();
      response.setHeader('x-length', String(request.headers['content-length']));
      response.setHeader('x-encoding', String(request.headers['transfer-encoding']));
      request.once('end', () => response.end());
    });
    const transport = testTransport();
    for (const body of [
      Buffer.from('12345'),
      { content: bytesOf(Buffer.from('12345')), size: 5 },
    ]) {
      const response = await transport.send({ method: 'PUT', url: server.url('/'), body });
      expect(response.headers.get('x-length')).toBe('5');
      expect(response.headers.get('x-encoding')).toBe('undefined');
      await discard(response);
    }
    expect(transport.counters.of(server.origin).connections).toBe(1);
  });

  test.each([
    ['no body', undefined],
    ['empty bytes', new Uint8Array(0)],
    ['an empty stream', { content: bytesOf(new Uint8Array(0)), size: 0 }],
  ])('send() announces 0 bytes for a POST with %s', async (_what, body) => {
    const server = await startHttpServer(
      (request, response) => void response.end(request.headers['content-length']),
    );
    const response = await testTransport().send({ method: 'POST', url: server.url('/'), body });
    expect(Buffer.from(await readAtMost(response, 10, 'it')).toString()).toBe('0');
  });

  test('send() skips empty chunks', async () => {
    const server = await startHttpServer(
      async (request, response) => void response.end(await hashSlowly(request)),
    );
    async function* content(): AsyncGenerator<Uint8Array> {
      for (const text of ['', 'a', '', '', 'b', '']) yield Buffer.from(text);
    }
    const response = await testTransport().send({
      method: 'PUT',
      url: server.url('/'),
      body: { content: { [Symbol.asyncIterator]: content }, size: 2 },
    });
    expect(Buffer.from(await readAtMost(response, 1000, 'it')).toString()).toBe(
      sha256(Buffer.from('ab')),
    );
  });

  test('send() does not open a body when it cannot connect', async () => {
    let isOpened = false;
    const content = {
      [Symbol.asyncIterator]: () => (
        (isOpened = true),
        bytesOf(Buffer.from('x'))[Symbol.asyncIterator]()
      ),
    };
    await testTransport()
      .send({ method: 'PUT', url: new URL('http://127.0.0.1:1/'), body: { content, size: 1 } })
      .catch(() => {});
    expect(isOpened).toBe(false);
  });

  test.each([
    ['shorter', 'abc', 5, 'expected 5 bytes to send, found 3'],
    ['longer', 'abcdef', 5, 'expected 5 bytes to send, found more'],
    ['not empty', 'abc', 0, 'expected 0 bytes to send, found more'],
  ])('send() fails when a body is %s than its size', async (_what, text, size, said) => {
    const server = await startHttpServer((request) => void request.resume());
    const error = await testTransport()
      .send({
        method: 'PUT',
        url: server.url('/'),
        body: { content: bytesOf(Buffer.from(text)), size },
      })
      .catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'CONTENT_MISMATCH' });
    expect((error as Error).message).toContain(said);
  });

  test('send() throws the error of the content unchanged', async () => {
    const server = await startHttpServer((request) => void request.resume());
    const failure = new Error('the disk is broken');
    async function* content(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('abc');
      throw failure;
    }
    const sent = testTransport().send({
      method: 'PUT',
      url: server.url('/'),
      body: { content: { [Symbol.asyncIterator]: content }, size: 6 },
    });
    await expect(sent).rejects.toBe(failure);
  });

  test('send() throws an error at the end of the content although the server accepted it', async () => {
    const server = await startHttpServer((request, response) => {
      request.resume();
      request.once('end', () => response.writeHead(201).end());
    });
    const failure = new Error('wrong digest');
    async function* content(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('abc');
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      throw failure;
    }
    const sent = testTransport().send({
      method: 'PUT',
      url: server.url('/'),
      body: { content: { [Symbol.asyncIterator]: content }, size: 3 },
    });
    await expect(sent).rejects.toBe(failure);
  });

  test('send() delivers an early 413, and closes the content', async () => {
    const server = await startHttpServer(
      (_request, response) =>
        void response.writeHead(413, { 'content-type': 'text/plain' }).end('too large'),
    );
    const { content, closed } = endless(Buffer.alloc(65_536));
    const response = await testTransport().send({
      method: 'PUT',
      url: server.url('/'),
      body: { content, size: 2 ** 40 },
    });
    expect(response.status).toBe(413);
    expect(Buffer.from(await readAtMost(response, 1000, 'it')).toString()).toBe('too large');
    await closed;
  });

  test('send() delivers an early response with a slow body while the content stalls', async () => {
    const server = await startHttpServer((request, response) => {
      request.once('data', () => {
        response.writeHead(400).write('no ');
        setImmediate(() => setImmediate(() => response.end('thanks')));
      });
    });
    const controller = new AbortController();
    const { content, closed } = stalling(controller.signal);
    const response = await testTransport().send({
      method: 'PUT',
      url: server.url('/'),
      body: { content, size: 100 },
    });
    expect(Buffer.from(await readAtMost(response, 1000, 'it')).toString()).toBe('no thanks');
    controller.abort();
    await closed;
  });

  test('send() continues with another connection after an early response', async () => {
    const server = await startHttpServer(
      (request, response) => void response.writeHead(request.method === 'PUT' ? 413 : 200).end(),
    );
    const transport = testTransport();
    const { content } = endless(Buffer.alloc(65_536));
    await discard(
      await transport.send({
        method: 'PUT',
        url: server.url('/'),
        body: { content, size: 2 ** 40 },
      }),
    );
    expect((await transport.send({ method: 'GET', url: server.url('/') })).status).toBe(200);
  });

  test('send() runs the finally of content that stalls when the signal aborts', async () => {
    const server = await startHttpServer((request) => void request.resume());
    const controller = new AbortController();
    const { content, closed, stalled } = stalling(controller.signal);
    const reason = new Error('stop');
    const sent = testTransport().send({
      method: 'PUT',
      url: server.url('/'),
      body: { content, size: 100 },
      signal: controller.signal,
    });
    const failed = sent.catch((error: unknown) => error);
    await stalled;
    controller.abort(reason);
    expect(await failed).toBe(reason);
    await closed;
  });

  test('send() closes the content when the connection breaks', async () => {
    const server = await startRawServer((socket) =>
      socket.once('data', () => socket.resetAndDestroy()),
    );
    const { content, closed } = endless(Buffer.alloc(65_536));
    await expect(
      testTransport().send({
        method: 'PUT',
        url: server.url('/'),
        body: { content, size: 2 ** 40 },
      }),
    ).rejects.toMatchObject({
      code: 'NETWORK',
      phase: 'response',
    });
    await closed;
  });

  test('send() times out and closes the content when the server takes no more', async () => {
    const server = await startRawServer((socket) => socket.pause());
    const { content, closed } = endless(Buffer.alloc(65_536));
    const sent = testTransport({ idleTimeoutMs: 50 }).send({
      method: 'PUT',
      url: server.url('/'),
      body: { content, size: 2 ** 40 },
    });
    await expect(sent).rejects.toMatchObject({
      code: 'TIMEOUT',
      phase: 'response',
      message: expect.stringContaining('the server takes no more bytes for 0.05 s'),
    });
    await closed;
  });

  test('send() sets no timeout for slow content', async () => {
    const server = await startHttpServer(
      async (request, response) => void response.end(await hashSlowly(request)),
    );
    const transport = testTransport({ idleTimeoutMs: 500 });
    const silent = await startRawServer(() => {});
    async function* content(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a');
      // Ends when the same idle timeout has struck elsewhere.
      await transport.send({ method: 'GET', url: silent.url('/') }).catch(() => {});
      yield Buffer.from('b');
    }
    const response = await transport.send({
      method: 'PUT',
      url: server.url('/'),
      body: { content: { [Symbol.asyncIterator]: content }, size: 2 },
    });
    expect(response.status).toBe(200);
  });

  test('send() pipes the body of one response into another request', async () => {
    const blob = randomLike(3_000_000);
    const source = await startHttpServer((_request, response) => void response.end(blob));
    const target = await startHttpServer(
      async (request, response) => void response.end(await hashSlowly(request)),
      certificates,
    );
    const transport = testTransport({ tls: () => ({ ca: certificates.ca }) });
    const { body } = await transport.send({ method: 'GET', url: source.url('/') });
    const response = await transport.send({
      method: 'PUT',
      url: target.url('/'),
      body: { content: body, size: blob.byteLength },
    });
    expect(Buffer.from(await readAtMost(response, 1000, 'it')).toString()).toBe(sha256(blob));
  });
});
