import { createHash } from 'node:crypto';

import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { makeBlob } from '../support/images/images.ts';
import { errorCodes, type RawResponse } from '../support/http/raw-request.ts';
import { ABSENT, useSpecClient } from '../support/registries/spec-client.ts';

// Walks https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md endpoint by
// endpoint: blobs written.

const spec = useSpecClient();
const { send, startUpload, withDigest } = spec;

const blob = makeBlob(5000);

describe('end-4, 5, 6: pushing a blob', () => {
  const { digest } = blob.descriptor;

  /** Whether the answer is that of a finished upload, and the blob is where it says. */
  async function isPushed({ status, headers }: RawResponse, of = blob): Promise<boolean> {
    const { body } = await send('GET', headers.location ?? '');
    return (
      status === 201 &&
      headers['docker-content-digest'] === of.descriptor.digest &&
      body.equals(of.bytes)
    );
  }

  test('POST returns 202 and the location of the upload', async () => {
    const { status, headers } = await send('POST', '/v2/team/app/blobs/uploads/');
    expect([status, headers['content-length'], headers.range]).toEqual([202, '0', '0-0']);
    expect(headers.location).toMatch(/^\/v2\/team\/app\/blobs\/uploads\/[0-9a-f-]+$/);
  });

  test('POST without the last slash does the same, and no redirect', async () => {
    expect((await send('POST', '/v2/team/app/blobs/uploads')).status).toBe(202);
  });

  test('POST then PUT stores the blob', async () => {
    const headers = { 'content-type': 'application/octet-stream' };
    expect(
      await isPushed(
        await send('PUT', withDigest(await startUpload(), digest), { headers, body: blob.bytes }),
      ),
    ).toBe(true);
  });

  test('POST with the digest and the bytes stores the blob', async () => {
    expect(
      await isPushed(
        await send('POST', `/v2/team/app/blobs/uploads/?digest=${digest}`, { body: blob.bytes }),
      ),
    ).toBe(true);
  });

  test('POST with the digest keeps a blob of unknown length', async () => {
    expect(
      await isPushed(
        await send('POST', `/v2/team/app/blobs/uploads/?digest=${digest}`, {
          body: [blob.bytes.subarray(0, 7), blob.bytes.subarray(7)],
        }),
      ),
    ).toBe(true);
  });

  test('PUT keeps the empty blob', async () => {
    const empty = makeBlob(0);
    expect(
      await isPushed(
        await send('PUT', withDigest(await startUpload(), empty.descriptor.digest), {
          headers: { 'content-length': 0 },
        }),
        empty,
      ),
    ).toBe(true);
  });

  test('chunks with Content-Range in order keep the blob', async () => {
    let location = await startUpload();
    for (const [first, last] of [
      [0, 1999],
      [2000, 3999],
    ] as const) {
      const headers = {
        'content-type': 'application/octet-stream',
        'content-range': `${first}-${last}`,
      };
      const answer = await send('PATCH', location, {
        headers,
        body: blob.bytes.subarray(first, last + 1),
      });
      expect([answer.status, answer.headers.range, answer.headers['content-length']]).toEqual([
        202,
        `0-${last}`,
        '0',
      ]);
      location = answer.headers.location ?? '';
    }
    const headers = { 'content-range': '4000-4999' };
    expect(
      await isPushed(
        await send('PUT', withDigest(location, digest), {
          headers,
          body: blob.bytes.subarray(4000),
        }),
      ),
    ).toBe(true);
  });

  test('a streamed PATCH and an empty PUT keep the blob', async () => {
    const patched = await send('PATCH', await startUpload(), {
      body: [blob.bytes.subarray(0, 1), blob.bytes.subarray(1)],
    });
    expect([patched.status, patched.headers.range]).toEqual([202, '0-4999']);
    expect(
      await isPushed(
        await send('PUT', withDigest(patched.headers.location ?? '', digest), {
          headers: { 'content-length': 0 },
        }),
      ),
    ).toBe(true);
  });

  test.each([
    ['a gap', '3000-4999'],
    ['bytes sent before', '0-1999'],
    ['the unit of RFC 9110', 'bytes 2000-4999/5000'],
    ['an end before its start', '2000-1000'],
  ])('PATCH returns 416 and where to go on for %s', async (_, range) => {
    const location = await startUpload();
    await send('PATCH', location, {
      headers: { 'content-range': '0-1999' },
      body: blob.bytes.subarray(0, 2000),
    });
    const answer = await send('PATCH', location, {
      headers: { 'content-range': range },
      body: blob.bytes.subarray(2000),
    });
    expect([
      answer.status,
      answer.headers.range,
      answer.headers.location,
      errorCodes(answer),
    ]).toEqual([416, '0-1999', location, ['RANGE_INVALID']]);
    const rest = await send('PUT', withDigest(location, digest), {
      headers: { 'content-range': '2000-4999' },
      body: blob.bytes.subarray(2000),
    });
    expect(rest.status).toBe(201);
  });

  test('PATCH returns SIZE_INVALID when Content-Range and Content-Length disagree', async () => {
    const answer = await send('PATCH', await startUpload(), {
      headers: { 'content-range': '0-9' },
      body: blob.bytes,
    });
    expect([answer.status, errorCodes(answer)]).toEqual([400, ['SIZE_INVALID']]);
  });

  test('PUT returns DIGEST_INVALID to other bytes, keeps nothing and ends the upload', async () => {
    const location = await startUpload();
    const answer = await send('PUT', withDigest(location, ABSENT), { body: blob.bytes });
    expect([answer.status, errorCodes(answer)]).toEqual([400, ['DIGEST_INVALID']]);
    expect((await send('HEAD', `/v2/team/app/blobs/${ABSENT}`)).status).toBe(404);
    expect((await send('HEAD', `/v2/team/app/blobs/${digest}`)).status).toBe(404);
    expect((await send('GET', location)).status).toBe(404);
  });

  test.each(['', '?digest=', '?digest=md5:d41d8cd98f00b204e9800998ecf8427e'])(
    'PUT returns DIGEST_INVALID to %j',
    async (query) => {
      const answer = await send('PUT', `${await startUpload()}${query}`, { body: blob.bytes });
      expect([answer.status, errorCodes(answer)]).toEqual([400, ['DIGEST_INVALID']]);
    },
  );

  test.each(['PATCH', 'PUT', 'GET', 'DELETE'])(
    '%s returns BLOB_UPLOAD_UNKNOWN for an upload that never started',
    async (method) => {
      const answer = await send(
        method,
        `/v2/team/app/blobs/uploads/nothing?digest=${digest}`,
        method.startsWith('P') ? { body: blob.bytes } : {},
      );
      expect([answer.status, errorCodes(answer)]).toEqual([404, ['BLOB_UPLOAD_UNKNOWN']]);
    },
  );

  test('an upload of one repository is unknown in another', async () => {
    const location = await startUpload();
    expect((await send('GET', location.replace('team/app', 'other'))).status).toBe(404);
  });

  test('sha512 works as sha256 does', async () => {
    const strong = makeBlob(3000, 2, 'sha512');
    const answer = await send(
      'PUT',
      withDigest(await startUpload('?digest-algorithm=sha512'), strong.descriptor.digest),
      { body: strong.bytes },
    );
    expect(answer.headers['docker-content-digest']).toBe(
      `sha512:${createHash('sha512').update(strong.bytes).digest('hex')}`,
    );
    expect(await isPushed(answer, strong)).toBe(true);
  });

  test('POST returns DIGEST_INVALID to an algorithm it cannot verify', async () => {
    const answer = await send('POST', '/v2/team/app/blobs/uploads/?digest-algorithm=md5');
    expect([answer.status, errorCodes(answer)]).toEqual([400, ['DIGEST_INVALID']]);
  });

  test('continues a client that waits for 100 Continue', async () => {
    const headers = { expect: '100-continue' };
    expect(
      await isPushed(
        await send('PUT', withDigest(await startUpload(), digest), { headers, body: blob.bytes }),
      ),
    ).toBe(true);
  });
});

describe('end-13, 14: an upload in progress', () => {
  test('GET returns 204 and the bytes received', async () => {
    const location = await startUpload();
    expect((await send('GET', location)).headers.range).toBe('0-0');
    await send('PATCH', location, { body: blob.bytes.subarray(0, 1234) });
    const { status, headers } = await send('GET', location);
    expect([status, headers.range, headers.location, headers['content-length']]).toEqual([
      204,
      '0-1233',
      location,
      undefined,
    ]);
  });

  test('DELETE returns 204 and the upload is gone', async () => {
    const location = await startUpload();
    expect((await send('DELETE', location)).status).toBe(204);
    expect((await send('PATCH', location, { body: blob.bytes })).status).toBe(404);
  });
});

describe('end-11: mounting a blob', () => {
  beforeEach(() => spec.store.push(blob.descriptor, bytesOf(blob.bytes)));
  const mount = (query: string): Promise<RawResponse> =>
    send('POST', `/v2/team/other/blobs/uploads/?${query}`, { headers: { 'content-length': 0 } });

  test('POST returns 201 and the repository has the blob', async () => {
    const { status, headers } = await mount(`mount=${blob.descriptor.digest}&from=team/app`);
    expect([status, headers['docker-content-digest']]).toEqual([201, blob.descriptor.digest]);
    expect((await send('GET', headers.location ?? '')).body.equals(blob.bytes)).toBe(true);
  });

  test.each([
    ['the blob is not in the other repository', `mount=${ABSENT}&from=team/app`],
    ['the other repository is unknown', `mount=${blob.descriptor.digest}&from=nowhere`],
    ['the name of the other repository is invalid', `mount=${blob.descriptor.digest}&from=NO`],
    ['the digest is invalid', 'mount=nonsense&from=team/app'],
    ['no repository is named and it is not in this one', `mount=${blob.descriptor.digest}`],
  ])('POST returns 202 and an upload when %s', async (_, query) => {
    const { status, headers } = await mount(query);
    expect(status).toBe(202);
    expect(
      (
        await send('PUT', withDigest(headers.location ?? '', blob.descriptor.digest), {
          body: blob.bytes,
        })
      ).status,
    ).toBe(201);
  });

  test('POST returns 201 for a blob that is in the repository itself', async () => {
    const { status } = await send(
      'POST',
      `/v2/team/app/blobs/uploads/?mount=${blob.descriptor.digest}&from=team/app`,
    );
    expect(status).toBe(201);
  });
});
