import { beforeAll, describe, expect, test } from 'vitest';

import { toDescriptorJson } from '../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { makeBlob, nodeOf } from '../support/images/images.ts';
import { errorCodes, type RawResponse, type RawRequest } from '../support/http/raw-request.ts';
import {
  PLACES,
  conformanceClient,
  ABSENT,
  CROSS,
  EMPTY,
  NAME,
  OCTETS,
  config,
  firstConfig,
  firstManifest,
  layer,
  manifest,
  manifests,
  otherConfigs,
  subject,
} from '../support/registries/conformance.ts';

// What the conformance suite of the distribution specification asks, in its order and by its names,
// of every place that is served:
// https://github.com/opencontainers/distribution-spec/tree/v1.1.1/conformance

describe.each(PLACES)('conformance over %s', (_place, createPlace) => {
  let registry: FakeRegistry;

  beforeAll(async () => {
    const place = await createPlace();
    registry = await startFakeRegistry({ place });
    return async () => {
      await registry.stop();
      await place.close?.();
    };
  });

  const { send, start, relative, pushBlob, putManifest, withDigest } = conformanceClient(
    () => registry.url,
  );

  describe('Pull', () => {
    beforeAll(async () => {
      for (const blob of [firstConfig, layer]) expect(await pushBlob(blob)).toBe(201);
      expect((await putManifest('tagtest0', firstManifest)).status).toBe(201);
    });

    test.each(['HEAD', 'GET'])(
      '%s request to nonexistent blob should result in 404 response',
      async (method) => {
        expect((await send(method, `${NAME}/blobs/${ABSENT}`)).status).toBe(404);
      },
    );

    test.each(['HEAD', 'GET'])('%s request to existing blob should yield 200', async (method) => {
      const { status, headers } = await send(
        method,
        `${NAME}/blobs/${firstConfig.descriptor.digest}`,
      );
      expect([status, headers['docker-content-digest'], headers['content-length']]).toEqual([
        200,
        firstConfig.descriptor.digest,
        String(firstConfig.descriptor.size),
      ]);
    });

    test.each(['HEAD', 'GET'])(
      '%s request to nonexistent manifest should return 404',
      async (method) => {
        expect((await send(method, `${NAME}/manifests/.INVALID_MANIFEST_NAME`)).status).toBe(404);
      },
    );

    test.each([
      ['HEAD', firstManifest.descriptor.digest],
      ['HEAD', 'tagtest0'],
      ['GET', firstManifest.descriptor.digest],
      ['GET', 'tagtest0'],
    ])('%s request to manifest path %s should yield 200 response', async (method, reference) => {
      const { status, headers } = await send(method, `${NAME}/manifests/${reference}`, {
        headers: { accept: MEDIA_TYPE.ociManifest },
      });
      expect([status, headers['docker-content-digest'], headers['content-type']]).toEqual([
        200,
        firstManifest.descriptor.digest,
        MEDIA_TYPE.ociManifest,
      ]);
    });

    test('400 response body should contain OCI-conforming JSON message', async () => {
      const answer = await send('PUT', `${NAME}/manifests/sha256:totallywrong`, {
        headers: { 'content-type': MEDIA_TYPE.ociManifest },
        body: Buffer.from('blablabla'),
      });
      expect([answer.status, errorCodes(answer)]).toEqual([400, ['DIGEST_INVALID']]);
    });
  });

  describe('Push: Blob Upload Streamed', () => {
    const blob = makeBlob(3000, 11);

    test('PATCH request with blob in body should yield 202, and PUT with digest 201', async () => {
      const patched = await send('PATCH', await start(), {
        headers: OCTETS,
        body: [blob.bytes.subarray(0, 100), blob.bytes.subarray(100)],
      });
      expect(patched.status).toBe(202);
      const path = withDigest(relative(patched.headers.location), blob.descriptor.digest);
      const put = await send('PUT', path, { headers: { ...OCTETS, 'content-length': 0 } });
      expect([put.status, put.headers.location]).toEqual([201, expect.any(String)]);
      expect((await send('GET', relative(put.headers.location))).body).toEqual(
        Buffer.from(blob.bytes),
      );
    });
  });

  describe('Push: Blob Upload Monolithic', () => {
    const [single, put] = [makeBlob(2000, 12), makeBlob(2000, 13)];

    test('GET nonexistent blob should result in 404 response', async () => {
      expect((await send('GET', `${NAME}/blobs/${single.descriptor.digest}`)).status).toBe(404);
    });

    test('POST request with digest and blob should yield a 201 or 202', async () => {
      const path = `${NAME}/blobs/uploads/?digest=${single.descriptor.digest}`;
      const { status, headers } = await send('POST', path, {
        headers: { ...OCTETS, 'content-length': single.descriptor.size },
        body: single.bytes,
      });
      expect(status).toBe(201);
      expect((await send('GET', relative(headers.location))).status).toBe(200);
    });

    test('PUT upload of a blob should yield a 201 Response', async () => {
      expect(await pushBlob(put)).toBe(201);
      expect((await send('GET', `${NAME}/blobs/${put.descriptor.digest}`)).status).toBe(200);
    });

    test('a blob that is there can be pushed again', async () => {
      expect(await pushBlob(put)).toBe(201);
    });
  });

  describe('Push: Blob Upload Chunked', () => {
    const blob = makeBlob(3000, 14);
    const [first, second] = [blob.bytes.subarray(0, 1000), blob.bytes.subarray(1000)];
    const chunk = (range: string, bytes: Uint8Array): Omit<RawRequest, 'method' | 'path'> => ({
      headers: { ...OCTETS, 'content-length': bytes.byteLength, 'content-range': range },
      body: bytes,
    });
    let location: string;

    test('Out-of-order blob upload should return 416', async () => {
      expect((await send('PATCH', await start(), chunk('1000-2999', second))).status).toBe(416);
    });

    test('PATCH request with first chunk should return 202', async () => {
      const { status, headers } = await send('PATCH', await start(), chunk('0-999', first));
      expect([status, headers.range]).toEqual([202, '0-999']);
      location = relative(headers.location);
    });

    test('Retry previous blob chunk should return 416', async () => {
      expect((await send('PATCH', location, chunk('0-999', first))).status).toBe(416);
    });

    test('Get on stale blob upload should return 204 with a range and location', async () => {
      const { status, headers } = await send('GET', location);
      expect([status, headers.range]).toEqual([204, '0-999']);
      location = relative(headers.location);
    });

    test('PATCH request with second chunk should return 202', async () => {
      const { status, headers } = await send('PATCH', location, chunk('1000-2999', second));
      expect([status, headers.range]).toEqual([202, '0-2999']);
      location = relative(headers.location);
    });

    test('PUT request with digest should return 201', async () => {
      const { status, headers } = await send('PUT', withDigest(location, blob.descriptor.digest), {
        headers: { ...OCTETS, 'content-length': 0 },
      });
      expect(status).toBe(201);
      expect((await send('GET', relative(headers.location))).body).toEqual(Buffer.from(blob.bytes));
    });
  });

  describe('Push: Cross-Repository Blob Mount', () => {
    test('POST request to mount another repository’s blob should return 201, and GET 200', async () => {
      const mounted = await send(
        'POST',
        `${CROSS}/blobs/uploads/?mount=${firstConfig.descriptor.digest}&from=myorg/myrepo`,
        {
          headers: { 'content-length': 0 },
        },
      );
      expect([mounted.status, relative(mounted.headers.location)]).toEqual([
        201,
        expect.stringContaining('myorg/other'),
      ]);
      expect((await send('GET', `${CROSS}/blobs/${firstConfig.descriptor.digest}`)).status).toBe(
        200,
      );
    });

    test('Cross-mounting of nonexistent blob should yield session id, which takes the blob', async () => {
      const blob = makeBlob(500, 15);
      const location = await start(`?mount=${blob.descriptor.digest}&from=myorg/myrepo`, CROSS);
      expect(
        (
          await send('PUT', withDigest(location, blob.descriptor.digest), {
            headers: OCTETS,
            body: blob.bytes,
          })
        ).status,
      ).toBe(201);
    });

    test('Cross-mounting without from should return 201 or 202', async () => {
      const { status } = await send(
        'POST',
        `/v2/myorg/third/blobs/uploads/?mount=${firstConfig.descriptor.digest}`,
        { headers: { 'content-length': 0 } },
      );
      expect([201, 202]).toContain(status);
    });
  });

  describe('Push: Manifest Upload', () => {
    beforeAll(async () => {
      for (const blob of otherConfigs) await pushBlob(blob);
    });

    test('GET nonexistent manifest should return 404', async () => {
      expect((await send('GET', `${NAME}/manifests/${ABSENT}`)).status).toBe(404);
    });

    test('PUT should accept a manifest upload, under a tag and under its digest', async () => {
      for (const [number, node] of manifests.entries()) {
        const { status, headers } = await putManifest(`test${number}`, node);
        expect([status, relative(headers.location)]).toEqual([
          201,
          expect.stringContaining('/manifests/'),
        ]);
        expect((await putManifest(node.descriptor.digest, node)).status).toBe(201);
        expect((await send('GET', relative(headers.location))).status).toBe(200);
      }
    });

    test('Registry should accept a manifest upload with no layers', async () => {
      expect(
        (await putManifest('emptylayer', manifest(firstConfig.descriptor, { layers: [] }))).status,
      ).toBe(201);
      expect((await send('GET', `${NAME}/manifests/emptylayer`)).status).toBe(200);
    });

    test('a manifest with a config of any type is accepted, and its bytes come back', async () => {
      const own = nodeOf('application/vnd.example.config.v1+yaml', Buffer.from('kind: example\n'));
      await pushBlob(own);
      const node = manifest(own.descriptor);
      expect((await putManifest('custom', node)).status).toBe(201);
      expect((await send('GET', `${NAME}/manifests/custom`)).body).toEqual(Buffer.from(node.bytes));
    });

    test('a manifest with missing blobs is refused, and is not there', async () => {
      const node = manifest(config('missing').descriptor);
      const answer = await putManifest('missing', node);
      expect([answer.status, errorCodes(answer)]).toEqual([400, ['MANIFEST_BLOB_UNKNOWN']]);
      expect((await send('GET', `${NAME}/manifests/missing`)).status).toBe(404);
      expect((await send('GET', `${NAME}/manifests/${node.descriptor.digest}`)).status).toBe(404);
    });

    test('a tag can be moved', async () => {
      await putManifest('moved', firstManifest);
      await putManifest('moved', subject);
      expect((await send('HEAD', `${NAME}/manifests/moved`)).headers['docker-content-digest']).toBe(
        subject.descriptor.digest,
      );
    });
  });

  describe('Content Discovery: tags', () => {
    const tags = async (query: string): Promise<readonly string[]> => {
      const { status, body } = await send('GET', `${NAME}/tags/list${query}`);
      expect(status).toBe(200);
      return (JSON.parse(body.toString()) as { readonly tags: readonly string[] }).tags;
    };

    test('GET request to list tags should yield 200 response', async () => {
      expect(await tags('')).toEqual(expect.arrayContaining(['test0', 'test1', 'test2', 'test3']));
    });

    test('GET number of tags should be limitable by `n` query parameter', async () => {
      expect(await tags('?n=2')).toEqual((await tags('')).slice(0, 2));
    });

    test('GET start of tag is set by `last` query parameter', async () => {
      const all = await tags('');
      const rest = await tags(`?n=2&last=${all[1] ?? ''}`);
      expect(rest).toEqual(all.slice(2, 4));
    });
  });

  describe('Content Discovery: references', () => {
    const types = [
      'application/vnd.nhl.peanut.butter.bagel',
      'application/vnd.nba.strawberry.jam.croissant',
    ] as const;
    const byConfig = types.map((type) => nodeOf(type, Buffer.from(`config of ${type}`)));
    const artifacts = [
      ...byConfig.map((own) => manifest(own.descriptor, { subject: subject.descriptor })),
      ...types.map((artifactType) =>
        manifest(EMPTY.descriptor, {
          subject: subject.descriptor,
          artifactType,
          annotations: { 'org.opencontainers.conformance.test': artifactType },
        }),
      ),
    ];
    const missing = manifest(EMPTY.descriptor, {
      layers: [EMPTY.descriptor],
      artifactType: types[0],
      annotations: { never: 'pushed' },
    });
    const early = manifest(EMPTY.descriptor, {
      subject: missing.descriptor,
      artifactType: types[0],
    });
    const index = nodeOf(
      MEDIA_TYPE.ociIndex,
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MEDIA_TYPE.ociIndex,
          artifactType: 'application/vnd.food.stand',
          manifests: artifacts.slice(0, 2).map(({ descriptor }) => toDescriptorJson(descriptor)),
          subject: toDescriptorJson(subject.descriptor),
          annotations: { 'org.opencontainers.conformance.test': 'test index' },
        }),
      ),
    );

    interface Entry {
      readonly digest: string;
      readonly artifactType?: string;
      readonly annotations?: unknown;
    }

    async function referrers(
      path: string,
    ): Promise<{ readonly answer: RawResponse; readonly entries: readonly Entry[] }> {
      const answer = await send('GET', `${NAME}/referrers/${path}`);
      expect([answer.status, answer.headers['content-type']]).toEqual([200, MEDIA_TYPE.ociIndex]);
      const json = JSON.parse(answer.body.toString()) as {
        readonly mediaType: string;
        readonly schemaVersion: number;
        readonly manifests: readonly Entry[];
      };
      expect([json.mediaType, json.schemaVersion]).toEqual([MEDIA_TYPE.ociIndex, 2]);
      return { answer, entries: json.manifests };
    }

    beforeAll(async () => {
      for (const blob of [EMPTY, ...byConfig]) expect(await pushBlob(blob)).toBe(201);
      for (const node of [...artifacts, index]) {
        const { status, headers } = await putManifest(node.descriptor.digest, node);
        expect([status, headers['oci-subject']]).toEqual([201, subject.descriptor.digest]);
      }
      expect((await putManifest(early.descriptor.digest, early)).headers['oci-subject']).toBe(
        missing.descriptor.digest,
      );
    });

    test('GET request to nonexistent blob should result in empty 200 response', async () => {
      expect((await referrers(ABSENT)).entries).toEqual([]);
    });

    test('GET request to existing blob should yield 200, with artifactType and annotations of each', async () => {
      const { answer, entries } = await referrers(subject.descriptor.digest);
      expect(answer.headers['oci-filters-applied']).toBeUndefined();
      const sorted = entries.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
      const expected = [
        ...artifacts.map(({ descriptor }, at) => ({
          digest: descriptor.digest,
          artifactType: types[at % 2],
          ...(at >= 2 && { annotations: { 'org.opencontainers.conformance.test': types[at % 2] } }),
        })),
        {
          digest: index.descriptor.digest,
          artifactType: 'application/vnd.food.stand',
          annotations: { 'org.opencontainers.conformance.test': 'test index' },
        },
      ].toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
      expect(sorted).toMatchObject(expected);
      expect(sorted).toHaveLength(5);
    });

    test('GET request to existing blob with filter should yield 200', async () => {
      const { answer, entries } = await referrers(
        `${subject.descriptor.digest}?artifactType=${encodeURIComponent(types[0])}`,
      );
      expect(answer.headers['oci-filters-applied']).toBe('artifactType');
      expect(new Set(entries.map(({ digest }) => digest))).toEqual(
        new Set([artifacts[0], artifacts[2]].map((node) => node?.descriptor.digest)),
      );
    });

    test('GET request to missing manifest should yield 200', async () => {
      expect(
        (await referrers(missing.descriptor.digest)).entries.map(({ digest }) => digest),
      ).toEqual([early.descriptor.digest]);
    });
  });

  describe('sha512', () => {
    const blob = makeBlob(700, 16, 'sha512');
    const own = nodeOf(
      MEDIA_TYPE.ociConfig,
      Buffer.from('{"os":"linux","architecture":"arm64"}'),
      'sha512',
    );

    test('a blob and a manifest are kept and given under their sha512 digest', async () => {
      for (const { descriptor, bytes } of [blob, own]) {
        const location = await start('?digest-algorithm=sha512');
        const put = await send('PUT', withDigest(location, descriptor.digest), {
          headers: OCTETS,
          body: bytes,
        });
        expect([put.status, put.headers['docker-content-digest']]).toEqual([
          201,
          descriptor.digest,
        ]);
        expect((await send('GET', `${NAME}/blobs/${descriptor.digest}`)).body).toEqual(
          Buffer.from(bytes),
        );
      }
      const { bytes } = manifest(own.descriptor, { layers: [blob.descriptor] });
      const node = nodeOf(MEDIA_TYPE.ociManifest, bytes, 'sha512');
      const put = await putManifest(`${node.descriptor.digest}?tag=strong`, node);
      expect([put.status, put.headers['docker-content-digest'], put.headers['oci-tag']]).toEqual([
        201,
        node.descriptor.digest,
        'strong',
      ]);
      for (const reference of [node.descriptor.digest, 'strong']) {
        const got = await send('GET', `${NAME}/manifests/${reference}`);
        expect([got.status, got.headers['docker-content-digest'], got.body]).toEqual([
          200,
          node.descriptor.digest,
          Buffer.from(bytes),
        ]);
      }
    });

    test('a referrer of a sha512 subject is listed', async () => {
      const of = nodeOf(
        MEDIA_TYPE.ociManifest,
        manifest(own.descriptor, { layers: [blob.descriptor] }).bytes,
        'sha512',
      ).descriptor;
      const node = manifest(EMPTY.descriptor, {
        subject: of,
        artifactType: 'application/vnd.example.strong',
      });
      expect((await putManifest(node.descriptor.digest, node)).headers['oci-subject']).toBe(
        of.digest,
      );
      const { body } = await send('GET', `${NAME}/referrers/${of.digest}`);
      expect(
        (JSON.parse(body.toString()) as { readonly manifests: readonly unknown[] }).manifests,
      ).toHaveLength(1);
    });
  });

  describe('Content Management', () => {
    test('DELETE request to manifest tag should return 202, and the tag is not listed any more', async () => {
      expect((await send('DELETE', `${NAME}/manifests/test1`)).status).toBe(202);
      expect((await send('GET', `${NAME}/manifests/test1`)).status).toBe(404);
      expect((await send('GET', `${NAME}/tags/list`)).body.toString()).not.toContain('"test1"');
      expect(
        (await send('GET', `${NAME}/manifests/${manifests[1]?.descriptor.digest ?? ''}`)).status,
      ).toBe(200);
    });

    test('DELETE request to manifest (digest) should yield 202 response, and GET 404', async () => {
      for (const { descriptor } of manifests) {
        expect((await send('DELETE', `${NAME}/manifests/${descriptor.digest}`)).status).toBe(202);
        expect((await send('GET', `${NAME}/manifests/${descriptor.digest}`)).status).toBe(404);
      }
      expect((await send('GET', `${NAME}/manifests/test0`)).status).toBe(404);
      expect(
        (await send('DELETE', `${NAME}/manifests/${firstManifest.descriptor.digest}`)).status,
      ).toBe(404);
    });

    test('DELETE request to blob URL should yield 202 response, and GET 404', async () => {
      const path = `${NAME}/blobs/${otherConfigs[0]?.descriptor.digest ?? ''}`;
      expect((await send('DELETE', path)).status).toBe(202);
      expect((await send('GET', path)).status).toBe(404);
      expect((await send('DELETE', path)).status).toBe(404);
    });

    test('DELETE of an upload should yield 204, and GET 404', async () => {
      const location = await start();
      expect((await send('DELETE', location)).status).toBe(204);
      expect((await send('GET', location)).status).toBe(404);
    });
  });
});
