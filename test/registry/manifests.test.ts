import { gzipSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MANIFEST_ACCEPT, MEDIA_TYPE } from '../../src/oci/media-types.ts';
import { parseTag } from '../../src/oci/reference.ts';
import { deleteManifest, putManifest } from '../../src/registry/manifest-writes.ts';
import { fetchManifest, manifestExists, resolveManifest } from '../../src/registry/manifests.ts';
import { fakeTransport, showRequest, type FakeResponse } from '../support/http/fake-transport.ts';
import { testRepository } from '../support/http/registry-connection.ts';

const v1 = parseTag('v1');
const bytes = new TextEncoder().encode('{"schemaVersion":2,"manifests":[]}');
const descriptor: Descriptor = {
  mediaType: MEDIA_TYPE.ociIndex,
  digest: digestOf(bytes),
  size: bytes.byteLength,
};
const other = digestOf(new Uint8Array(1));
const headers = {
  'content-type': MEDIA_TYPE.ociIndex,
  'content-length': String(bytes.byteLength),
  'docker-content-digest': descriptor.digest,
};
const whole: FakeResponse = { status: 200, headers, body: bytes };

/** A registry whose answers depend on the method only. */
function registry(answers: Partial<Record<string, FakeResponse>>) {
  const transport = fakeTransport(({ method }) => answers[method] ?? { status: 500 });
  return {
    repository: testRepository(transport.send, { retries: 0 }),
    requests: transport.requests,
  };
}

describe('resolveManifest()', () => {
  test('sends one HEAD for all manifest types', async () => {
    const { repository, requests } = registry({ HEAD: { status: 200, headers } });
    expect(await resolveManifest(repository, v1)).toEqual(descriptor);
    expect(requests.map(showRequest)).toEqual([
      'HEAD https://registry.example/v2/team/app/manifests/v1',
    ]);
    expect(requests[0]?.headers?.['accept']).toBe(MANIFEST_ACCEPT);
  });

  test.each([
    ['the digest', { ...headers, 'docker-content-digest': '' }],
    ['the length', { ...headers, 'content-length': '' }],
    ['the length, saying 0', { ...headers, 'content-length': '0' }],
    ['the type', { ...headers, 'content-type': 'application/json' }],
    [
      'the true length, being compressed',
      { ...headers, 'content-encoding': 'gzip', 'content-length': '7' },
    ],
  ])('reads and hashes the manifest when the head lacks %s', async (_, incomplete) => {
    const { repository } = registry({ HEAD: { status: 200, headers: incomplete }, GET: whole });
    expect(await resolveManifest(repository, v1)).toEqual(descriptor);
  });

  test('needs no stated digest when resolving a digest', async () => {
    const { repository, requests } = registry({
      HEAD: { status: 200, headers: { ...headers, 'docker-content-digest': '' } },
    });
    expect(await resolveManifest(repository, descriptor.digest)).toEqual(descriptor);
    expect(requests).toHaveLength(1);
  });

  test.each([403, 412, 451])("B20: reports the GET's reason when HEAD has %i", async (status) => {
    const body = { errors: [{ code: 'DENIED', message: 'not signed by the policy' }] };
    const { repository } = registry({ HEAD: { status }, GET: { status, body } });
    const message = expect.stringContaining('not signed by the policy');
    await expect(resolveManifest(repository, v1)).rejects.toMatchObject({ message });
    await expect(manifestExists(repository, descriptor.digest)).rejects.toMatchObject({ message });
  });

  test.each([400, 403, 405])('reads the manifest when HEAD is refused with %i', async (status) => {
    const { repository } = registry({ HEAD: { status }, GET: whole });
    expect(await resolveManifest(repository, v1)).toEqual(descriptor);
  });

  test('fails with the reason of the GET when both are refused', async () => {
    const { repository } = registry({
      HEAD: { status: 403 },
      GET: { status: 403, body: { errors: [{ code: 'DENIED', message: 'blocked by policy' }] } },
    });
    await expect(resolveManifest(repository, v1)).rejects.toMatchObject({
      code: 'NOT_AUTHORISED',
      message: expect.stringContaining('blocked by policy'),
    });
  });

  test('fails with NOT_FOUND on 404 without a GET', async () => {
    const { repository, requests } = registry({ HEAD: { status: 404 } });
    await expect(resolveManifest(repository, v1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(requests).toHaveLength(1);
  });

  test('does not treat a failing server as absence', async () => {
    await expect(
      resolveManifest(registry({ HEAD: { status: 503 } }).repository, v1),
    ).rejects.toMatchObject({ code: 'SERVER_FAILED' });
  });

  test('refuses another digest than requested', async () => {
    const { repository } = registry({
      HEAD: { status: 200, headers: { ...headers, 'docker-content-digest': other } },
    });
    await expect(resolveManifest(repository, descriptor.digest)).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
  });

  test('refuses a malformed digest', async () => {
    const { repository } = registry({
      HEAD: { status: 200, headers: { ...headers, 'docker-content-digest': 'sha256:../../x' } },
    });
    await expect(resolveManifest(repository, v1)).rejects.toMatchObject({
      code: 'INVALID_RESPONSE',
    });
  });

  test('refuses a web page', async () => {
    const { repository } = registry({
      HEAD: { status: 200, headers: { ...headers, 'content-type': 'text/html' } },
    });
    await expect(resolveManifest(repository, v1)).rejects.toMatchObject({
      code: 'INVALID_RESPONSE',
      message: expect.stringContaining('web page'),
    });
  });
});

describe('fetchManifest()', () => {
  test('returns the bytes unchanged', async () => {
    const fetched = await fetchManifest(registry({ GET: whole }).repository, v1);
    expect(fetched).toEqual({ descriptor, bytes: Buffer.from(bytes) });
  });

  test('refuses bytes that do not match the requested digest', async () => {
    const answer = { ...whole, headers: { ...headers, 'docker-content-digest': '' } };
    await expect(fetchManifest(registry({ GET: answer }).repository, other)).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
      message: expect.stringContaining(`expected ${other}`) as string,
    });
  });

  test('refuses bytes that do not match the stated digest', async () => {
    const answer = { ...whole, headers: { ...headers, 'docker-content-digest': other } };
    await expect(fetchManifest(registry({ GET: answer }).repository, v1)).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
  });

  test('accepts a stated sha256 for a requested sha512', async () => {
    const digest = digestOf(bytes, 'sha512');
    expect(
      (await fetchManifest(registry({ GET: whole }).repository, digest)).descriptor.digest,
    ).toBe(digest);
  });

  test('stops at a manifest over 4 MiB', async () => {
    const answer = {
      status: 200,
      headers: { 'content-type': MEDIA_TYPE.ociIndex },
      body: new Uint8Array(4 * 1024 * 1024 + 1),
    };
    await expect(fetchManifest(registry({ GET: answer }).repository, v1)).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });
});

describe('manifestExists()', () => {
  test.each([
    [200, true],
    [404, false],
  ])('maps %i to %s', async (status, expected) => {
    expect(
      await manifestExists(
        registry({ HEAD: { status, headers: status === 200 ? headers : {} } }).repository,
        descriptor.digest,
      ),
    ).toBe(expected);
  });

  test('sends a GET when HEAD is refused', async () => {
    expect(
      await manifestExists(
        registry({ HEAD: { status: 405 }, GET: whole }).repository,
        descriptor.digest,
      ),
    ).toBe(true);
  });

  test.each([
    [401, 'NOT_AUTHORISED'],
    [500, 'SERVER_FAILED'],
  ])('does not treat a %i as absence', async (status, code) => {
    await expect(
      manifestExists(registry({ HEAD: { status } }).repository, descriptor.digest),
    ).rejects.toMatchObject({ code });
  });
});

describe('putManifest()', () => {
  const manifest = { descriptor, bytes };

  test('sends the bytes under their media type', async () => {
    const { repository, requests } = registry({ PUT: { status: 201 } });
    await putManifest(repository, v1, manifest);
    expect(requests[0]).toMatchObject({
      method: 'PUT',
      body: bytes,
      headers: { 'content-type': MEDIA_TYPE.ociIndex },
    });
  });

  test('returns the subject that the registry lists itself, and the tags it set', async () => {
    const { repository, requests } = registry({
      PUT: { status: 201, headers: { 'oci-subject': other, 'oci-tag': 'v1, v2' } },
    });
    expect(await putManifest(repository, descriptor.digest, manifest, { tag: v1 })).toEqual({
      subject: other,
      tags: ['v1', 'v2'],
    });
    expect(requests[0]?.url.search).toBe('?tag=v1');
  });

  test('fails when the registry states another digest', async () => {
    const { repository } = registry({
      PUT: { status: 201, headers: { 'docker-content-digest': other } },
    });
    await expect(putManifest(repository, v1, manifest)).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
      message: expect.stringContaining(`found ${other}`) as string,
    });
  });

  test('fails on a web page with status 200', async () => {
    const { repository } = registry({
      PUT: { status: 200, headers: { 'content-type': 'text/html' } },
    });
    await expect(putManifest(repository, v1, manifest)).rejects.toMatchObject({
      code: 'INVALID_RESPONSE',
    });
  });

  test('explains that docker-registry takes no image with foreign layers, with any status', async () => {
    const config = { mediaType: MEDIA_TYPE.ociConfig, digest: other, size: 2 };
    const layers = [
      {
        mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
        digest: other,
        size: 9,
        urls: ['https://mcr.example/l'],
      },
    ];
    const windows = new TextEncoder().encode(
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config, layers }),
    );
    const { repository } = registry({
      PUT: {
        status: 500,
        body: { errors: [{ code: 'UNKNOWN' }, { code: 'MANIFEST_BLOB_UNKNOWN' }] },
      },
    });
    const node = {
      descriptor: {
        mediaType: MEDIA_TYPE.ociManifest,
        digest: digestOf(windows),
        size: windows.byteLength,
      },
      bytes: windows,
    };
    await expect(putManifest(repository, v1, node)).rejects.toMatchObject({
      code: 'REFUSED',
      hint: expect.stringContaining('manifests.urls'),
    });
  });

  test('reports a failure of the registry for other images', async () => {
    const { repository } = registry({
      PUT: { status: 500, body: { errors: [{ code: 'MANIFEST_BLOB_UNKNOWN' }] } },
    });
    await expect(putManifest(repository, v1, manifest)).rejects.toMatchObject({
      code: 'SERVER_FAILED',
    });
  });
});

test('B11: fetchManifest() says that a proxy packed the manifest', async () => {
  const { repository } = registry({
    GET: { ...whole, headers: { ...headers, 'content-encoding': 'gzip' }, body: gzipSync(bytes) },
  });
  await expect(fetchManifest(repository, v1)).rejects.toMatchObject({
    code: 'INVALID_RESPONSE',
    message: expect.stringContaining('packed with Content-Encoding "gzip"') as string,
  });
});

test.each([
  [404, undefined, 'create the repository first'],
  [400, 'MANIFEST_INVALID', 'media types'],
  [400, 'MANIFEST_BLOB_UNKNOWN', '--force'],
])('B13: putManifest() after %i %s hints at %s', async (status, code, hint) => {
  const body = code === undefined ? {} : { body: { errors: [{ code }] } };
  const { repository } = registry({ PUT: { status, ...body }, HEAD: { status: 404 } });
  await expect(putManifest(repository, v1, { descriptor, bytes })).rejects.toMatchObject({
    hint: expect.stringContaining(hint) as string,
  });
});

test.each([
  ['application/vnd.docker.distribution.manifest.v2+json', '--format oci'],
  [descriptor.mediaType, 'media types it accepts'],
])('A7: putManifest() of %s, refused by its type, hints at %s', async (mediaType, hint) => {
  const { repository } = registry({
    PUT: { status: 415, body: { errors: [{ code: 'MANIFEST_INVALID' }] } },
    HEAD: { status: 404 },
  });
  await expect(
    putManifest(repository, v1, { descriptor: { ...descriptor, mediaType }, bytes }),
  ).rejects.toMatchObject({ code: 'REFUSED', hint: expect.stringContaining(hint) as string });
});

test('B13: fetchManifest() by digest hints at no spelling', async () => {
  const { repository } = registry({ GET: { status: 404 } });
  await expect(fetchManifest(repository, descriptor.digest)).rejects.toMatchObject({
    hint: expect.stringContaining('may have been deleted') as string,
  });
});

describe('putManifest() after an odd response', () => {
  const manifest = { descriptor, bytes };
  const there: FakeResponse = { status: 200, headers };

  test.each([400, 409, 412, 200, 202])(
    'B19: is done after %i when exactly that manifest is there',
    async (status) => {
      const { repository } = registry({ PUT: { status }, HEAD: there });
      expect(await putManifest(repository, v1, manifest)).toEqual({
        subject: undefined,
        tags: [],
        isFound: true,
      });
    },
  );

  test.each([
    [
      'another manifest is there',
      { ...there, headers: { ...headers, 'docker-content-digest': other } },
    ],
    ['none is there', { status: 404 }],
    ['a health page says 200 to everything', { status: 200, body: 'ok' }],
  ])('B19: fails after 409 when %s', async (_, head: FakeResponse) => {
    const { repository } = registry({ PUT: { status: 409 }, HEAD: head, GET: head });
    await expect(putManifest(repository, v1, manifest)).rejects.toMatchObject({ code: 'REFUSED' });
  });

  test('B19: fails when the registry lacks a blob of it, although the manifest is there', async () => {
    const body = { errors: [{ code: 'MANIFEST_BLOB_UNKNOWN' }] };
    const { repository } = registry({ PUT: { status: 400, body }, HEAD: there });
    await expect(putManifest(repository, v1, manifest)).rejects.toMatchObject({ code: 'REFUSED' });
  });
});

test.each([
  [202, 200, 'resolves'],
  [200, 404, 'resolves'],
  [200, 200, 'rejects'],
] as const)(
  'B19: deleteManifest() after %i and a HEAD with %i %s',
  async (status, head, outcome) => {
    const { repository } = registry({ DELETE: { status }, HEAD: { status: head, headers } });
    const deleting = deleteManifest(repository, v1);
    if (outcome === 'rejects')
      await expect(deleting).rejects.toMatchObject({ code: 'INVALID_RESPONSE' });
    else await deleting;
  },
);

test('deleteManifest() fails with REFUSED when the registry does not delete', async () => {
  const { repository } = registry({
    DELETE: { status: 405, body: { errors: [{ code: 'UNSUPPORTED' }] } },
  });
  await expect(deleteManifest(repository, v1)).rejects.toMatchObject({
    code: 'REFUSED',
    problems: [{ code: 'UNSUPPORTED' }],
  });
});
