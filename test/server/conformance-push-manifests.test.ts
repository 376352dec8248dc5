import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import { makeArtifact, makeBlob, makeImage, makeIndex } from '../support/images/images.ts';
import { errorCodes } from '../support/http/raw-request.ts';
import { ABSENT, rootOf, useSpecClient } from '../support/registries/spec-client.ts';

// Walks https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md endpoint by
// endpoint: manifests written.

const spec = useSpecClient();
const { putManifest, pushBlobs, send } = spec;

const image = makeImage();

describe('end-7: pushing a manifest', () => {
  test.each([
    ['OCI manifest', makeImage()],
    ['docker manifest', makeImage({ format: 'docker' })],
    ['OCI index', makeIndex()],
    ['artifact', makeArtifact()],
  ])('PUT by tag keeps an %s and names it', async (_, pushed) => {
    await pushBlobs(pushed);
    const { status, headers } = await putManifest('v1', rootOf(pushed));
    expect([status, headers['docker-content-digest'], headers['oci-subject']]).toEqual([
      201,
      pushed.root.digest,
      undefined,
    ]);
    expect((await send('GET', headers.location ?? '')).body.equals(rootOf(pushed).bytes)).toBe(
      true,
    );
    expect((await send('HEAD', '/v2/team/app/manifests/v1')).headers['docker-content-digest']).toBe(
      pushed.root.digest,
    );
  });

  test('PUT by digest stores it without a tag', async () => {
    await pushBlobs(image);
    expect((await putManifest(image.root.digest, rootOf(image))).status).toBe(201);
    expect(JSON.parse((await send('GET', '/v2/team/app/tags/list')).body.toString())).toEqual({
      name: 'team/app',
      tags: [],
    });
  });

  test('PUT by digest with ?tag= tags it and returns the tags', async () => {
    await pushBlobs(image);
    const { status, headers } = await putManifest(
      `${image.root.digest}?tag=a&tag=b`,
      rootOf(image),
    );
    expect([status, headers['oci-tag']]).toEqual([201, 'a, b']);
    expect((await send('HEAD', '/v2/team/app/manifests/b')).headers['docker-content-digest']).toBe(
      image.root.digest,
    );
  });

  test('PUT by sha512 stores it under that digest', async () => {
    const strong = makeImage({ algorithm: 'sha512' });
    await pushBlobs(strong);
    const { status, headers } = await putManifest(`${strong.root.digest}?tag=v1`, rootOf(strong));
    expect([status, headers['docker-content-digest']]).toEqual([201, strong.root.digest]);
    expect((await send('HEAD', '/v2/team/app/manifests/v1')).headers['docker-content-digest']).toBe(
      strong.root.digest,
    );
  });

  test('PUT moves a tag', async () => {
    const next = makeImage({ seed: 2 });
    await image.pushAll(spec.store, 'latest');
    await pushBlobs(next);
    await putManifest('latest', rootOf(next));
    expect(
      (await send('HEAD', '/v2/team/app/manifests/latest')).headers['docker-content-digest'],
    ).toBe(next.root.digest);
    expect((await send('HEAD', `/v2/team/app/manifests/${image.root.digest}`)).status).toBe(200);
  });

  test('PUT returns DIGEST_INVALID when the bytes have another digest', async () => {
    await pushBlobs(image);
    const answer = await putManifest(ABSENT, rootOf(image));
    expect([answer.status, errorCodes(answer)]).toEqual([400, ['DIGEST_INVALID']]);
  });

  test('PUT returns one MANIFEST_BLOB_UNKNOWN for each blob that is missing, and keeps nothing', async () => {
    const answer = await putManifest('v1', rootOf(image));
    const details = (
      JSON.parse(answer.body.toString()) as { errors: { detail: { digest: string } }[] }
    ).errors.map(({ detail }) => detail.digest);
    expect([answer.status, errorCodes(answer)]).toEqual([
      400,
      ['MANIFEST_BLOB_UNKNOWN', 'MANIFEST_BLOB_UNKNOWN', 'MANIFEST_BLOB_UNKNOWN'],
    ]);
    expect(details).toEqual([image.config, ...image.layers].map(({ digest }) => digest));
    expect((await send('HEAD', '/v2/team/app/manifests/v1')).status).toBe(404);
  });

  test('PUT of an index returns MANIFEST_BLOB_UNKNOWN for a missing child', async () => {
    const answer = await putManifest('v1', rootOf(makeIndex()));
    expect(errorCodes(answer)).toEqual(['MANIFEST_BLOB_UNKNOWN', 'MANIFEST_BLOB_UNKNOWN']);
  });

  test('PUT takes a foreign layer whose content is elsewhere', async () => {
    const config = makeBlob(10);
    await spec.store.push(config.descriptor, bytesOf(config.bytes));
    const foreign = {
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      digest: ABSENT,
      size: 1,
      urls: ['https://example.com/'],
    };
    const body = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.dockerManifest,
        config: config.descriptor,
        layers: [foreign],
      }),
    );
    expect(
      (
        await send('PUT', '/v2/team/app/manifests/v1', {
          headers: { 'content-type': MEDIA_TYPE.dockerManifest },
          body,
        })
      ).status,
    ).toBe(201);
  });

  test.each([
    ['text that is not JSON', MEDIA_TYPE.ociManifest, 'nonsense'],
    ['a body of another type than Content-Type', MEDIA_TYPE.ociIndex, rootOf(image).bytes],
    ['a type that is no manifest type', 'application/json', rootOf(image).bytes],
    ['schema 1', MEDIA_TYPE.dockerSchema1Signed, '{"schemaVersion":1}'],
    [
      'a body that reads as manifest and index',
      MEDIA_TYPE.ociManifest,
      '{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}',
    ],
  ])('PUT returns MANIFEST_INVALID to %s', async (_, type, body) => {
    const answer = await send('PUT', '/v2/team/app/manifests/v1', {
      headers: { 'content-type': type },
      body: Buffer.from(body),
    });
    expect([answer.status, errorCodes(answer)]).toEqual([400, ['MANIFEST_INVALID']]);
  });

  test('PUT takes 4 MiB', async () => {
    await pushBlobs(image);
    const small = JSON.parse(Buffer.from(rootOf(image).bytes).toString()) as object;
    const padding =
      4 * 1024 * 1024 - JSON.stringify({ ...small, annotations: { padding: '' } }).length;
    const body = Buffer.from(
      JSON.stringify({ ...small, annotations: { padding: 'x'.repeat(padding) } }),
    );
    expect(body.byteLength).toBe(4 * 1024 * 1024);
    expect(
      (
        await send('PUT', '/v2/team/app/manifests/v1', {
          headers: { 'content-type': MEDIA_TYPE.ociManifest },
          body,
        })
      ).status,
    ).toBe(201);
  });

  test.each([
    ['a declared length', (body: Buffer) => body],
    ['no declared length', (body: Buffer) => [body]],
  ])('PUT returns 413 to more than 4 MiB with %s', async (_, shape) => {
    const body = shape(Buffer.alloc(4 * 1024 * 1024 + 1, ' '));
    const answer = await send('PUT', '/v2/team/app/manifests/v1', {
      headers: { 'content-type': MEDIA_TYPE.ociManifest },
      body,
    });
    expect([answer.status, errorCodes(answer)]).toEqual([413, ['SIZE_INVALID']]);
  });

  test.each(['-v1', 'a'.repeat(129), 'a%20b'])('PUT returns TAG_INVALID to tag %j', async (tag) => {
    const answer = await putManifest(tag, rootOf(image));
    expect([answer.status, errorCodes(answer)]).toEqual([400, ['TAG_INVALID']]);
  });
});
