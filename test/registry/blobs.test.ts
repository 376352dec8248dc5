import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { NetworkError } from '../../src/http/errors.ts';
import type { HttpRequest } from '../../src/http/message.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { blobExists, deleteBlob, fetchBlob, resolveBlob } from '../../src/registry/blobs.ts';
import type { Bytes } from '../../src/store.ts';
import { fakeTransport, type FakeResponse } from '../support/http/fake-transport.ts';
import { instantClock } from '../support/clock.ts';
import { testRepository } from '../support/http/registry-connection.ts';
import { readAll } from '../support/registries/watched.ts';

const bytes = new Uint8Array(1000).map((_, index) => index % 251);
const target: Descriptor = {
  mediaType: 'application/octet-stream',
  digest: digestOf(bytes),
  size: bytes.byteLength,
};

function registry(handle: (request: HttpRequest) => FakeResponse) {
  const clock = instantClock();
  const transport = fakeTransport(handle);
  return {
    repository: testRepository(transport.send, { retries: 2, clock }),
    requests: transport.requests,
    clock,
  };
}

const startOf = ({ headers }: HttpRequest): number =>
  Number(/^bytes=(\d+)-/.exec(headers?.['range'] ?? '')?.[1] ?? 0);

/** What a server does that knows ranges. */
function ranged(request: HttpRequest, cutAt?: number): FakeResponse {
  const start = startOf(request);
  const rest = bytes.subarray(start);
  const body = cutAt === undefined ? rest : cut(rest, cutAt);
  if (start === 0)
    return { status: 200, headers: { 'content-length': String(bytes.byteLength) }, body };
  return {
    status: 206,
    headers: { 'content-range': `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}` },
    body,
  };
}

/** A connection that breaks after some bytes. */
function cut(content: Uint8Array, after: number): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      if (after > 0) yield content.subarray(0, after);
      if (after < content.byteLength)
        throw new NetworkError('cut', {
          phase: 'body',
          reason: 'ECONNRESET',
        });
    },
  };
}

describe('blobExists()', () => {
  const head = (status: number, size?: number): FakeResponse => ({
    status,
    headers: size === undefined ? {} : { 'content-length': String(size) },
  });

  test.each([
    ['is there', head(200, 1000), true],
    ['is there and the size is not told', head(200), true],
    ['is there and the size told is 0', head(200, 0), true],
    ['is not there', head(404), false],
  ])('finds that a blob %s', async (_, answer, expected) => {
    expect(await blobExists(registry(() => answer).repository, target)).toBe(expected);
  });

  test('fails when the size differs', async () => {
    await expect(
      blobExists(registry(() => head(200, 999)).repository, target),
    ).rejects.toMatchObject({ code: 'INVALID_RESPONSE' });
  });

  test('does not compare the size of a body that a proxy compressed', async () => {
    const answer = { status: 200, headers: { 'content-length': '12', 'content-encoding': 'gzip' } };
    expect(await blobExists(registry(() => answer).repository, target)).toBe(true);
  });

  test.each([401, 403, 500])('does not treat a %i as absence', async (status) => {
    await expect(blobExists(registry(() => head(status)).repository, target)).rejects.toThrow();
  });

  /** S3 signs URLs for one method: HEAD on that of a GET is 403. */
  test('requests one byte when the storage behind a redirect refuses HEAD', async () => {
    const { repository } = registry(({ method, url, headers }) => {
      if (url.host === 'registry.example')
        return { status: 307, headers: { location: 'https://storage.example/signed' } };
      if (method === 'HEAD') return { status: 403 };
      return headers?.['range'] === 'bytes=0-0'
        ? { status: 206, headers: { 'content-range': 'bytes 0-0/1000' } }
        : { status: 500 };
    });
    expect(await blobExists(repository, target)).toBe(true);
  });
});

test('resolveBlob() returns the size', async () => {
  const { repository } = registry(() => ({ status: 200, headers: { 'content-length': '1000' } }));
  expect(await resolveBlob(repository, target.digest)).toEqual(target);
});

describe('fetchBlob()', () => {
  test('reads the whole blob', async () => {
    expect(await readAll(fetchBlob(registry(ranged).repository, target))).toEqual(bytes);
  });

  test('requests a range for an offset', async () => {
    const { repository, requests } = registry(ranged);
    expect(await readAll(fetchBlob(repository, target, { offset: 600 }))).toEqual(bytes.slice(600));
    expect(requests[0]?.headers).toMatchObject({ range: 'bytes=600-' });
  });

  test.each([
    ['refused', { status: 416, headers: { 'content-range': 'bytes */1000' } }],
    [
      'another one',
      { status: 206, headers: { 'content-range': 'bytes 0-9/1000' }, body: bytes.subarray(0, 10) },
    ],
    [
      'in several parts',
      { status: 206, headers: { 'content-type': 'multipart/byteranges; boundary=x' }, body: '--x' },
    ],
  ])('requests the whole when the range is %s', async (_, answer) => {
    const { repository, requests } = registry(({ headers }) =>
      headers?.['range'] === undefined ? { status: 200, body: bytes } : answer,
    );
    expect(await readAll(fetchBlob(repository, target, { offset: 600 }))).toEqual(bytes.slice(600));
    expect(requests).toHaveLength(2);
  });

  test('skips the known bytes when the server ignores the range', async () => {
    const { repository } = registry(() => ({
      status: 200,
      body: cutless([bytes.subarray(0, 300), bytes.subarray(300)]),
    }));
    expect(await readAll(fetchBlob(repository, target, { offset: 600 }))).toEqual(bytes.slice(600));
  });

  test('sends no request when no byte is left', async () => {
    const { repository, requests } = registry(ranged);
    await readAll(fetchBlob(repository, target, { offset: 1000 }));
    expect(requests).toHaveLength(0);
  });

  test('resumes after any cuts with the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 63, max: 999 })), async (cuts) => {
        let round = 0;
        const { repository } = registry((request) => ranged(request, cuts[round++]));
        expect(await readAll(fetchBlob(repository, target))).toEqual(bytes);
      }),
    );
  });

  test('resumes at the registry after a cut, because the signed URL of its storage has expired', async () => {
    let signed = 0;
    const { repository, requests } = registry((request) => {
      if (request.url.host === 'registry.example')
        return {
          status: 307,
          headers: { location: `https://storage.example/?sig=${(signed += 1)}` },
        };
      return ranged(request, signed === 1 ? 400 : undefined);
    });
    expect(await readAll(fetchBlob(repository, target))).toEqual(bytes);
    expect(requests.map(({ url }) => url.host + url.search)).toEqual([
      'registry.example',
      'storage.example?sig=1',
      'registry.example',
      'storage.example?sig=2',
    ]);
  });

  test('gives up after waits without progress', async () => {
    const { repository, requests, clock } = registry((request) => ranged(request, 0));
    await expect(readAll(fetchBlob(repository, target))).rejects.toMatchObject({ code: 'NETWORK' });
    expect([requests.length, clock.sleeps.length]).toEqual([3, 2]);
  });

  test('gives up on a trickle of a byte at a time', async () => {
    const { repository, requests } = registry((request) => ranged(request, 1));
    await expect(readAll(fetchBlob(repository, target))).rejects.toMatchObject({ code: 'NETWORK' });
    expect(requests.length).toBeLessThan(10);
  });

  test.each([
    ['starts elsewhere', 'bytes 500-999/1000'],
    ['is of another whole', 'bytes 600-1998/1999'],
    ['is not told', ''],
  ])('fails when even the whole is a range that %s', async (_, range) => {
    const { repository } = registry(() => ({
      status: 206,
      headers: { 'content-range': range },
      body: bytes,
    }));
    await expect(readAll(fetchBlob(repository, target, { offset: 600 }))).rejects.toMatchObject({
      code: 'INVALID_RESPONSE',
    });
  });

  test('refuses a web page', async () => {
    const { repository } = registry(() => ({
      status: 200,
      headers: { 'content-type': 'text/html' },
      body: '<html>',
    }));
    await expect(readAll(fetchBlob(repository, target))).rejects.toMatchObject({
      code: 'INVALID_RESPONSE',
      message: expect.stringContaining('web page'),
    });
  });

  test('fails with NOT_FOUND when it does not exist', async () => {
    await expect(
      readAll(fetchBlob(registry(() => ({ status: 404 })).repository, target)),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('fetchBlob() of a blob with URLs', () => {
  const ordinary = { ...target, urls: ['https://a.example/layer'] };
  const foreign = {
    ...target,
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    urls: [
      'ftp://x',
      'http://plain.example/layer',
      'https://a.example/layer',
      'https://b.example/layer',
    ],
  };

  test.each([
    [
      'B3: requests no URL of an ordinary layer, also where foreign ones are followed',
      ordinary,
      true,
    ],
    ['B3: requests no URL of a foreign layer unless it is asked to', foreign, false],
  ])('%s', async (_, blob, followsUrls) => {
    const { repository, requests } = registry(() => ({ status: 404 }));
    await expect(readAll(fetchBlob(repository, blob, { followsUrls }))).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: expect.stringMatching(/URL/),
    });
    expect(new Set(requests.map(({ url }) => url.host))).toEqual(new Set(['registry.example']));
  });

  test('B3: reads the first https URL that has it, without credentials', async () => {
    const { repository, requests } = registry((request) => {
      if (request.url.host === 'b.example') return ranged(request);
      return request.url.host === 'a.example'
        ? { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } }
        : { status: 404 };
    });
    expect(await readAll(fetchBlob(repository, foreign, { followsUrls: true }))).toEqual(bytes);
    expect(requests.map(({ url, headers }) => [url.host, headers?.['authorization']])).toEqual([
      ['registry.example', undefined],
      ['a.example', undefined],
      ['b.example', undefined],
    ]);
  });

  test.each(['203.0.113.5', '10.0.0.7'])(
    'B3: a registry at %s cannot send us to private addresses',
    async (remoteAddress) => {
      const { repository, requests } = registry((request) =>
        request.url.host === 'registry.example' ? { status: 404, remoteAddress } : ranged(request),
      );
      await readAll(fetchBlob(repository, foreign, { followsUrls: true }));
      expect(requests[1]?.reach).toBe('public');
    },
  );

  test("prefers the registry's copy", async () => {
    const { repository, requests } = registry(ranged);
    await readAll(fetchBlob(repository, foreign, { followsUrls: true }));
    expect(requests).toHaveLength(1);
  });
});

test('deleteBlob() fails with REFUSED when the registry does not delete blobs', async () => {
  await expect(
    deleteBlob(registry(() => ({ status: 405 })).repository, target),
  ).rejects.toMatchObject({ code: 'REFUSED' });
});

function cutless(chunks: readonly Uint8Array[]): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      yield* chunks;
    },
  };
}
