import { tmpdir } from 'node:os';

import { type Digest, algorithmOf, encodedOf } from '../../../src/oci/digest.ts';
import { toDescriptorJson, type Descriptor } from '../../../src/oci/descriptor.ts';
import {
  openArchive,
  type ArchiveOptions,
  type ArchivePlace,
} from '../../../src/stores/archive/archive.ts';
import type { TestImage, TestNode } from './images.ts';
import type { TarMember } from './tar-builder.ts';
import { afterFile } from '../cleanup.ts';

/** Opens an archive and closes it after the last test of the file. */
export async function openForTest(
  path: string,
  options: Partial<ArchiveOptions> = {},
): Promise<ArchivePlace> {
  const archive = await openArchive(path, { tempFolder: tmpdir(), ...options });
  afterFile(() => archive.close());
  return archive;
}

export interface NamedImage {
  readonly image: TestImage;
  readonly refName?: string | undefined;
  readonly fullName?: string | undefined;
}

/** The members of an image layout in a tar. `without`: blobs to leave out. */
export function layoutMembers(
  images: readonly NamedImage[],
  without: readonly Digest[] = [],
): readonly TarMember[] {
  const nodes = new Map<Digest, TestNode>(images.flatMap(({ image }) => [...image.nodes]));
  return [
    json('oci-layout', { imageLayoutVersion: '1.0.0' }),
    json('index.json', { schemaVersion: 2, manifests: images.map(indexEntry) }),
    ...[...nodes.values()]
      .filter(({ descriptor }) => !without.includes(descriptor.digest))
      .map(({ descriptor, bytes }) => ({ name: blobName(descriptor), content: bytes })),
  ];
}

export function json(name: string, value: unknown): TarMember {
  return { name, content: JSON.stringify(value) };
}

export function blobName({ digest }: Descriptor): string {
  return `blobs/${algorithmOf(digest)}/${encodedOf(digest)}`;
}

function indexEntry({ image, refName, fullName }: NamedImage): unknown {
  const annotations = {
    ...(refName !== undefined && { 'org.opencontainers.image.ref.name': refName }),
    ...(fullName !== undefined && { 'io.containerd.image.name': fullName }),
  };
  return { ...toDescriptorJson(image.root), annotations };
}
