import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { makeBlob, makeImage, makeIndex } from '../support/images/images.ts';
import { errorCodes } from '../support/http/raw-request.ts';
import { ABSENT, rootOf, useSpecClient } from '../support/registries/spec-client.ts';

// Walks https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md endpoint by
// endpoint: base, blobs and manifests read.

const spec = useSpecClient();
const { pushBlobs, send } = spec;

const image = makeImage();
const blob = makeBlob(5000);

describe('end-1: GET /v2/', () => {
  test.each(['/v2/', '/v2'])('returns 200 at %s', async (path) => {
    const { status, headers } = await send('GET', path);
    expect(status).toBe(200);
    expect(headers['docker-distribution-api-version']).toBe('registry/2.0');
  });

  test.each(['/', '/v1/', '/v2/team/app', '/v2/team/app/unknown/x', '/v2/team/app/manifests/%ff'])(
    'returns 404 as JSON at %s',
    async (path) => {
      const answer = await send('GET', path);
      expect(answer.status).toBe(404);
      expect(answer.headers['content-type']).toBe('application/json');
      expect(errorCodes(answer)).toHaveLength(1);
    },
  );

  test.each([
    ['PUT', '/v2/', 'GET, HEAD'],
    ['PATCH', '/v2/team/app/manifests/1', 'GET, HEAD, PUT, DELETE'],
    ['POST', `/v2/team/app/blobs/${ABSENT}`, 'GET, HEAD, DELETE'],
  ])('returns 405 and the methods there are to %s %s', async (method, path, allow) => {
    const answer = await send(method, path);
    expect([answer.status, errorCodes(answer), answer.headers.allow]).toEqual([
      405,
      ['UNSUPPORTED'],
      allow,
    ]);
  });

  test.each([
    'UPPER',
    'a//b',
    '-a',
    'a/',
    'a/..%2fb',
    'a%2e%2e/b',
    'a..b',
    'a___b',
    `${'a/'.repeat(130)}b`,
  ])('returns NAME_INVALID to the name %j', async (name) => {
    const answer = await send('GET', `/v2/${name}/tags/list`);
    expect([answer.status, errorCodes(answer)]).toEqual([400, ['NAME_INVALID']]);
  });

  test('takes a percent-encoded name', async () => {
    await image.pushAll(spec.store, 'v1');
    for (const name of ['team%2Fapp', 'te%61m/app'])
      expect((await send('HEAD', `/v2/${name}/manifests/v1`)).status).toBe(200);
  });

  test('takes names that end like endpoints', async () => {
    const odd = spec.registry.place.open('a/blobs/uploads');
    await image.pushAll(odd, 'v1');
    expect((await send('HEAD', '/v2/a/blobs/uploads/manifests/v1')).status).toBe(200);
  });
});

describe('end-2: GET and HEAD of a blob', () => {
  beforeEach(() => spec.store.push(blob.descriptor, bytesOf(blob.bytes)));

  test('GET returns the bytes, their length and digest', async () => {
    const { status, headers, body } = await send(
      'GET',
      `/v2/team/app/blobs/${blob.descriptor.digest}`,
    );
    expect(status).toBe(200);
    expect(body.equals(blob.bytes)).toBe(true);
    expect(headers).toMatchObject({
      'content-length': '5000',
      'content-type': 'application/octet-stream',
      'docker-content-digest': blob.descriptor.digest,
      etag: `"${blob.descriptor.digest}"`,
    });
  });

  test('HEAD returns the same headers and no body', async () => {
    const { status, headers, body } = await send(
      'HEAD',
      `/v2/team/app/blobs/${blob.descriptor.digest}`,
    );
    expect([
      status,
      headers['content-length'],
      headers['docker-content-digest'],
      body.byteLength,
    ]).toEqual([200, '5000', blob.descriptor.digest, 0]);
  });

  test('takes a percent-encoded digest', async () => {
    expect(
      (await send('HEAD', `/v2/team/app/blobs/${encodeURIComponent(blob.descriptor.digest)}`))
        .status,
    ).toBe(200);
  });

  test('GET returns BLOB_UNKNOWN for a blob that is not in this repository', async () => {
    const there = await send('GET', `/v2/other/blobs/${blob.descriptor.digest}`);
    const nowhere = await send('GET', `/v2/team/app/blobs/${ABSENT}`);
    expect([there.status, nowhere.status, errorCodes(nowhere)]).toEqual([
      404,
      404,
      ['BLOB_UNKNOWN'],
    ]);
  });

  test('HEAD returns 404 without a body', async () => {
    const { status, body } = await send('HEAD', `/v2/team/app/blobs/${ABSENT}`);
    expect([status, body.byteLength]).toEqual([404, 0]);
  });

  test('GET returns DIGEST_INVALID for a text that is no digest', async () => {
    const answer = await send('GET', '/v2/team/app/blobs/sha256:ABC');
    expect([answer.status, errorCodes(answer)]).toEqual([400, ['DIGEST_INVALID']]);
  });

  test.each([
    ['bytes=0-0', 0, 1],
    ['bytes=10-19', 10, 20],
    ['bytes=4990-', 4990, 5000],
    ['bytes=4990-9999', 4990, 5000],
    ['bytes=-10', 4990, 5000],
    ['bytes=-9999', 0, 5000],
  ])('GET returns 206 to Range %s', async (range, start, end) => {
    const { status, headers, body } = await send(
      'GET',
      `/v2/team/app/blobs/${blob.descriptor.digest}`,
      { headers: { range } },
    );
    expect([status, headers['content-range'], headers['content-length']]).toEqual([
      206,
      `bytes ${start}-${end - 1}/5000`,
      String(end - start),
    ]);
    expect(body.equals(blob.bytes.subarray(start, end))).toBe(true);
  });

  test.each(['bytes=5000-', 'bytes=9000-9001', 'bytes=-0'])(
    'GET returns 416 and the size to Range %s',
    async (range) => {
      const answer = await send('GET', `/v2/team/app/blobs/${blob.descriptor.digest}`, {
        headers: { range },
      });
      expect([answer.status, answer.headers['content-range'], errorCodes(answer)]).toEqual([
        416,
        'bytes */5000',
        ['RANGE_INVALID'],
      ]);
    },
  );

  test.each(['bytes=5-2', 'bytes=a-b', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=-'])(
    'GET ignores Range %s',
    async (range) => {
      expect(
        (await send('GET', `/v2/team/app/blobs/${blob.descriptor.digest}`, { headers: { range } }))
          .status,
      ).toBe(200);
    },
  );

  test('GET ignores a Range whose If-Range names other content', async () => {
    const headers = { range: 'bytes=0-1', 'if-range': '"another"' };
    expect(
      (await send('GET', `/v2/team/app/blobs/${blob.descriptor.digest}`, { headers })).status,
    ).toBe(200);
  });

  test('GET returns 304 without a body when the client has the content', async () => {
    const answer = await send('GET', `/v2/team/app/blobs/${blob.descriptor.digest}`, {
      headers: { 'if-none-match': `"${blob.descriptor.digest}"` },
    });
    expect([answer.status, answer.body.byteLength]).toEqual([304, 0]);
  });
});

describe('end-3: GET and HEAD of a manifest', () => {
  test.each([
    ['OCI manifest', makeImage()],
    ['docker manifest', makeImage({ format: 'docker' })],
    ['OCI index', makeIndex()],
    ['docker manifest list', makeIndex({ format: 'docker' })],
  ])('returns the bytes and type of an %s by tag and by digest', async (_, pushed) => {
    await pushed.pushAll(spec.store, 'v1');
    for (const reference of ['v1', pushed.root.digest]) {
      const { status, headers, body } = await send('GET', `/v2/team/app/manifests/${reference}`);
      expect([status, headers['content-type'], headers['docker-content-digest']]).toEqual([
        200,
        pushed.root.mediaType,
        pushed.root.digest,
      ]);
      expect(body.equals(rootOf(pushed).bytes)).toBe(true);
    }
  });

  test('HEAD returns length, type and digest without a body', async () => {
    await image.pushAll(spec.store, 'v1');
    const { status, headers, body } = await send('HEAD', '/v2/team/app/manifests/v1');
    expect([
      status,
      headers['content-length'],
      headers['content-type'],
      headers['docker-content-digest'],
      body.byteLength,
    ]).toEqual([200, String(image.root.size), image.root.mediaType, image.root.digest, 0]);
  });

  test.each(['nothing', '.INVALID_NAME', ABSENT, image.config.digest])(
    'returns MANIFEST_UNKNOWN for %s',
    async (reference) => {
      await pushBlobs(image);
      const answer = await send('GET', `/v2/team/app/manifests/${reference}`);
      expect([answer.status, errorCodes(answer)]).toEqual([404, ['MANIFEST_UNKNOWN']]);
      expect((await send('HEAD', `/v2/team/app/manifests/${reference}`)).status).toBe(404);
    },
  );
});
