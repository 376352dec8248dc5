import { describe, expect, test } from 'vitest';

import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseManifest } from '../../../src/oci/manifest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import { narrowImage } from '../../../src/operations/copy/narrow-image.ts';
import type { ManifestNode } from '../../../src/operations/copy/read-manifest.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';

const child = (digit: string, more: object): object => ({
  mediaType: MEDIA_TYPE.ociManifest,
  digest: `sha256:${digit.repeat(64)}`,
  size: 500,
  ...more,
});

const platform = (architecture: string, variant?: string): object => ({
  platform: { architecture, os: 'linux', ...(variant !== undefined && { variant }) },
});

const attestation = (digit: string): object => ({
  annotations: {
    'vnd.docker.reference.digest': `sha256:${digit.repeat(64)}`,
    'vnd.docker.reference.type': 'attestation-manifest',
  },
  platform: { architecture: 'unknown', os: 'unknown' },
});

/** An index as buildkit writes it, with members that regi does not know. */
const INDEX = JSON.stringify(
  {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociIndex,
    'x-unknown': { kept: [1, 2.5, 'ü'] },
    manifests: [
      child('a', platform('amd64')),
      child('b', { ...platform('arm64', 'v8'), 'x-more': true }),
      child('c', platform('s390x')),
      child('d', attestation('a')),
      child('e', attestation('c')),
    ],
    annotations: { 'org.opencontainers.image.created': '2026-01-01T00:00:00Z' },
  },
  null,
  3,
);

function nodeOf(text: string, mediaType: string): ManifestNode {
  const bytes = new TextEncoder().encode(text);
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
  return { descriptor, bytes, manifest: parseManifest(bytes, mediaType) };
}

async function narrowed(
  text: string,
  mediaType: string,
  names: readonly string[],
): Promise<string> {
  const read = async ({ digest }: Descriptor): Promise<ManifestNode> => {
    throw new Error(`Nothing has to be read, and ${digest} was`);
  };
  const platforms = names.map((architecture) => ({ os: 'linux', architecture }));
  const source = createMemoryPlace().open('app');
  const found = await narrowImage(nodeOf(text, mediaType), { platforms }, read, source);
  return found?.root.descriptor.digest ?? '';
}

/** A release that changes one of these digests moves every narrowed tag of every mirror. */
describe('the digest of a narrowed index', () => {
  test.each([
    [
      'its attestation',
      ['amd64', 'arm64'],
      'sha256:3c5768229405351fd19889d5e78a42072138d03e02110a21500f2ccbae71eb06',
    ],
    [
      'the order of the index',
      ['arm64', 'amd64'],
      'sha256:3c5768229405351fd19889d5e78a42072138d03e02110a21500f2ccbae71eb06',
    ],
    [
      'all of it',
      ['amd64', 'arm64', 's390x'],
      'sha256:5ef9968271a534247d99c84fcb54d3d4cd94698a31e5874d27ce07cade341dce',
    ],
  ])('keeps unknown members and %s', async (_, names, digest) => {
    expect(await narrowed(INDEX, MEDIA_TYPE.ociIndex, names)).toBe(digest);
  });

  test('is stable for a list of docker', async () => {
    const list = INDEX.replaceAll(MEDIA_TYPE.ociManifest, MEDIA_TYPE.dockerManifest).replaceAll(
      MEDIA_TYPE.ociIndex,
      MEDIA_TYPE.dockerManifestList,
    );
    expect(await narrowed(list, MEDIA_TYPE.dockerManifestList, ['s390x', 'amd64'])).toBe(
      'sha256:60c4449337e3d160629a0af724c789dd02a2fd3d04ad38a8306aa48715c2980b',
    );
  });
});
