import { beforeEach, describe, expect, test } from 'vitest';

import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import { makeArtifact, makeImage } from '../support/images/images.ts';
import { errorCodes, type RawResponse } from '../support/http/raw-request.ts';
import { ABSENT, rootOf, useSpecClient } from '../support/registries/spec-client.ts';

// Walks https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md endpoint by
// endpoint: lists and deletions.

const spec = useSpecClient();
const { putManifest, pushBlobs, send } = spec;

const image = makeImage();

describe('end-8: listing tags', () => {
  const tags = (query = ''): Promise<RawResponse> => send('GET', `/v2/team/app/tags/list${query}`);
  const parsed = ({ body }: RawResponse): unknown => JSON.parse(body.toString());

  beforeEach(async () => {
    await image.pushAll(spec.store);
    for (const tag of ['v2', 'v10', 'V1', 'a', 'latest']) await spec.store.tag(image.root, tag);
  });

  test('GET returns all tags in ASCII order', async () => {
    const answer = await tags();
    expect([answer.status, answer.headers['content-type'], answer.headers.link]).toEqual([
      200,
      'application/json',
      undefined,
    ]);
    expect(parsed(answer)).toEqual({ name: 'team/app', tags: ['V1', 'a', 'latest', 'v10', 'v2'] });
  });

  test('GET returns n tags, and following Link returns the rest', async () => {
    const found: unknown[] = [];
    let next: string | undefined = '/v2/team/app/tags/list?n=2';
    while (next !== undefined) {
      const answer: RawResponse = await send('GET', next);
      found.push((parsed(answer) as { tags: unknown }).tags);
      next = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers.link ?? ''))?.[1];
    }
    expect(found).toEqual([['V1', 'a'], ['latest', 'v10'], ['v2']]);
  });

  test.each([
    ['?n=0', []],
    ['?n=99', ['V1', 'a', 'latest', 'v10', 'v2']],
    ['?last=latest', ['v10', 'v2']],
    ['?n=1&last=b', ['latest']],
    ['?last=zzz', []],
  ])('GET returns %s', async (query, expected) => {
    expect(parsed(await tags(query))).toEqual({ name: 'team/app', tags: expected });
  });

  test('GET has no Link with n=0', async () => {
    expect((await tags('?n=0')).headers.link).toBeUndefined();
  });

  test.each(['-1', 'x', '1.5'])('GET returns 400 to n=%s', async (n) => {
    expect((await tags(`?n=${n}`)).status).toBe(400);
  });

  test('GET returns NAME_UNKNOWN for a repository that is not there', async () => {
    const answer = await send('GET', '/v2/nowhere/tags/list');
    expect([answer.status, errorCodes(answer)]).toEqual([404, ['NAME_UNKNOWN']]);
  });

  test('GET /v2/_catalog returns the repositories, page by page', async () => {
    for (const name of ['b', 'a']) await image.pushAll(spec.registry.place.open(name));
    const { headers, body } = await send('GET', '/v2/_catalog?n=2');
    expect([JSON.parse(body.toString()), headers.link]).toEqual([
      { repositories: ['a', 'b'] },
      '</v2/_catalog?n=2&last=b>; rel="next"',
    ]);
  });
});

describe('end-9, 10: deleting', () => {
  beforeEach(async () => {
    await image.pushAll(spec.store, 'v1');
    await spec.store.tag(image.root, 'v2');
  });

  test('DELETE of a tag returns 202 and leaves the manifest and other tags', async () => {
    expect((await send('DELETE', '/v2/team/app/manifests/v1')).status).toBe(202);
    expect((await send('GET', '/v2/team/app/manifests/v1')).status).toBe(404);
    expect((await send('GET', '/v2/team/app/manifests/v2')).status).toBe(200);
    expect((await send('GET', `/v2/team/app/manifests/${image.root.digest}`)).status).toBe(200);
  });

  test('DELETE of a digest returns 202 and its tags are gone too', async () => {
    expect((await send('DELETE', `/v2/team/app/manifests/${image.root.digest}`)).status).toBe(202);
    for (const reference of [image.root.digest, 'v1', 'v2'])
      expect((await send('GET', `/v2/team/app/manifests/${reference}`)).status).toBe(404);
    expect(JSON.parse((await send('GET', '/v2/team/app/tags/list')).body.toString())).toEqual({
      name: 'team/app',
      tags: [],
    });
  });

  test('DELETE of a blob returns 202 and it is gone', async () => {
    expect((await send('DELETE', `/v2/team/app/blobs/${image.config.digest}`)).status).toBe(202);
    expect((await send('HEAD', `/v2/team/app/blobs/${image.config.digest}`)).status).toBe(404);
  });

  test.each([
    ['manifests/nothing', 'MANIFEST_UNKNOWN'],
    [`manifests/${ABSENT}`, 'MANIFEST_UNKNOWN'],
    [`blobs/${ABSENT}`, 'BLOB_UNKNOWN'],
    [`blobs/${image.root.digest}`, 'BLOB_UNKNOWN'],
  ])('DELETE of %s returns %s', async (path, code) => {
    const answer = await send('DELETE', `/v2/team/app/${path}`);
    expect([answer.status, errorCodes(answer)]).toEqual([404, [code]]);
  });
});

describe('end-12: referrers', () => {
  const sbom = makeArtifact({
    subject: image.root,
    artifactType: 'application/vnd.example.sbom',
    annotations: { 'org.example.kind': 'sbom' },
  });
  const signature = makeArtifact({
    subject: image.root,
    artifactType: 'application/vnd.example.signature',
    seed: 2,
  });
  const referrers = (rest: string): Promise<RawResponse> =>
    send('GET', `/v2/team/app/referrers/${rest}`);
  const entries = ({ body }: RawResponse): readonly Record<string, unknown>[] =>
    (JSON.parse(body.toString()) as { manifests: Record<string, unknown>[] }).manifests;

  test('PUT of a manifest with a subject returns OCI-Subject, also before the subject exists', async () => {
    await pushBlobs(sbom);
    const { status, headers } = await putManifest(sbom.root.digest, rootOf(sbom));
    expect([status, headers['oci-subject']]).toEqual([201, image.root.digest]);
  });

  test('GET returns an index of all referrers with type and annotations', async () => {
    await sbom.pushAll(spec.store);
    await signature.pushAll(spec.store);
    const answer = await referrers(image.root.digest);
    expect([
      answer.status,
      answer.headers['content-type'],
      answer.headers['oci-filters-applied'],
    ]).toEqual([200, MEDIA_TYPE.ociIndex, undefined]);
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociIndex,
    });
    expect(entries(answer)).toHaveLength(2);
    expect(entries(answer)).toContainEqual({
      ...sbom.root,
      artifactType: 'application/vnd.example.sbom',
      annotations: { 'org.example.kind': 'sbom' },
    });
  });

  test('GET with artifactType returns only those and the filter header', async () => {
    await sbom.pushAll(spec.store);
    await signature.pushAll(spec.store);
    const answer = await referrers(
      `${image.root.digest}?artifactType=${encodeURIComponent('application/vnd.example.signature')}`,
    );
    expect(answer.headers['oci-filters-applied']).toBe('artifactType');
    expect(entries(answer).map(({ digest }) => digest)).toEqual([signature.root.digest]);
  });

  test.each([ABSENT, image.root.digest])(
    'GET returns 200 and an empty index for %s',
    async (digest) => {
      const answer = await referrers(digest);
      expect([answer.status, entries(answer)]).toEqual([200, []]);
    },
  );

  test('GET returns DIGEST_INVALID for what is no digest', async () => {
    const answer = await referrers('latest');
    expect([answer.status, errorCodes(answer)]).toEqual([400, ['DIGEST_INVALID']]);
  });

  test('DELETE of a referrer takes it off the list', async () => {
    await sbom.pushAll(spec.store);
    await send('DELETE', `/v2/team/app/manifests/${sbom.root.digest}`);
    expect(entries(await referrers(image.root.digest))).toEqual([]);
  });

  test('GET pages a list that is too long for one index', async () => {
    const many = Array.from({ length: 501 }, (_, index) =>
      makeArtifact({ subject: image.root, annotations: { index: String(index) } }),
    );
    for (const artifact of many) await artifact.pushAll(spec.store);
    const one = await referrers(image.root.digest);
    const next = /^<([^>]+)>; rel="next"$/.exec(String(one.headers.link))?.[1] ?? '';
    expect([entries(one).length, entries(await send('GET', next)).length]).toEqual([500, 1]);
  });
});
