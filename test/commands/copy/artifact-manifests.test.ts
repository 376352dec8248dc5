import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { toDescriptorJson } from '../../../src/oci/descriptor.ts';
import { makeBlob, makeImage, nodeOf } from '../../support/images/images.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';

const image = makeImage();
const blob = makeBlob(50);

describe.each([
  'application/vnd.oci.artifact.manifest.v1+json',
  'application/vnd.cncf.oras.artifact.manifest.v1+json',
])('A3: a manifest of type %s', (mediaType) => {
  const artifact = nodeOf(
    mediaType,
    Buffer.from(
      JSON.stringify({
        mediaType,
        artifactType: 'application/vnd.example.sbom',
        blobs: [toDescriptorJson(blob.descriptor)],
        subject: toDescriptorJson(image.root),
      }),
    ),
  );

  test.each([
    ['as a tag', ['copy'], 'sbom'],
    ['as a referrer', ['copy', '--referrers'], 'v1'],
  ])('is copied with its blobs and its subject when it is found %s', async (_, argv, tag) => {
    const [from, to] = [await startFakeRegistry(), await startFakeRegistry()];
    const source = from.place.open('app');
    await image.pushAll(source, 'v1');
    await source.push(blob.descriptor, bytesOf(blob.bytes));
    await source.push(artifact.descriptor, bytesOf(artifact.bytes), { tag: 'sbom' });
    const { status, stderr } = await runMain([
      ...argv,
      `${from.host}/app:${tag}`,
      `${to.host}/app:${tag}`,
    ]);
    expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
    const { digest } = artifact.descriptor;
    const copy = to.place.open('app');
    expect(await copy.resolve(digest)).toMatchObject(artifact.descriptor);
    expect(await copy.exists(blob.descriptor)).toBe(true);
    expect(from.requests.filter(({ url }) => url.includes(`/blobs/${digest}`))).toEqual([]);
  });

  test('is not called damaged when an image is asked of it', async () => {
    const from = await startFakeRegistry();
    const source = from.place.open('app');
    await source.push(blob.descriptor, bytesOf(blob.bytes));
    await source.push(artifact.descriptor, bytesOf(artifact.bytes), { tag: 'sbom' });
    const reference = `${from.host}/app:sbom`;
    for (const argv of [
      ['inspect', reference],
      ['copy', '--platform', 'linux/amd64', reference, `${from.host}/app:2`],
    ]) {
      const { status, stderr } = await runMain(argv);
      expect(status).not.toBe(7);
      expect(stderr).not.toMatch(/damaged|bug/);
    }
  });
});
