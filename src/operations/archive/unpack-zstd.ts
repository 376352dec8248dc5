import { withoutFirst } from '../../bytes.ts';
import { together } from '../../concurrency/together.ts';
import { InvalidManifestError, type Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, isDigest, type Digest } from '../../oci/digest.ts';
import { quote } from '../../quote.ts';
import type { Source } from '../../store.ts';
import { measureUnpacked, unpackLayer } from '../contents/read-layer.ts';
import { readImageConfig } from '../copy/read-manifest.ts';
import { reported } from '../copy/reported.ts';
import type { CopySession } from '../copy/session.ts';
import type { CollectedNode, ImageSet } from './collect-images.ts';
import type { DockerImage } from './docker-images.ts';

/** Images of docker's format, and all content that they name. */
export interface UnpackedImages {
  readonly images: readonly DockerImage[];
  readonly blobs: ReadonlyMap<Digest, CollectedNode>;
}

const UNPACKED_TYPE = 'application/vnd.docker.image.rootfs.diff.tar';

/** True for an image that docker before version 23 cannot load. */
export function hasZstd({ manifest }: DockerImage): boolean {
  return manifest.layers.some(isZstd);
}

function isZstd({ mediaType }: Pick<Descriptor, 'mediaType'>): boolean {
  return mediaType.endsWith('zstd');
}

/**
 * Replaces the layers that are packed by zstd with their unpacked bytes, whose digest is the
 * `diff_id` in the config.
 *
 * A tar has the size of a file before its content. Each such layer is therefore read to its end
 * here, and once more when it is written; nothing is stored in between.
 *
 * @throws {RegiError} INVALID_MANIFEST when a layer unpacks to something else than the config says,
 *   else what `unpackLayer()` throws.
 */
export async function unpackZstd(
  session: CopySession,
  { blobs }: ImageSet,
  images: readonly DockerImage[],
  signal: AbortSignal,
): Promise<UnpackedImages> {
  const wanted = new Map<Digest, { readonly packed: CollectedNode; readonly diffId: Digest }>();
  for (const { manifest } of images.filter(hasZstd)) {
    const source = blobs.get(manifest.config.digest)?.source;
    const config = source && (await readImageConfig(source, manifest, { signal }));
    for (const [at, layer] of manifest.layers.entries()) {
      const packed = isZstd(layer) ? blobs.get(layer.digest) : undefined;
      if (packed === undefined) continue;
      const diffId = config?.diffIds[at] ?? '';
      if (!isDigest(diffId))
        throw new InvalidManifestError(
          `Cannot unpack layer ${layer.digest}: expected its digest as diff_id ${at + 1} of the config ${manifest.config.digest}, found ${quote(diffId)}`,
        );
      wanted.set(layer.digest, { packed, diffId });
    }
  }
  const measured = await together(
    [...wanted.values()].map(
      ({ packed, diffId }) =>
        (either: AbortSignal) =>
          measure(session, packed, diffId, either),
    ),
    signal,
  );
  const unpacked = new Map([...wanted.keys()].map((digest, at) => [digest, measured[at]]));
  return {
    images: images.map(({ manifest, repoTags }) => ({
      manifest: {
        ...manifest,
        layers: manifest.layers.map((layer) => unpacked.get(layer.digest)?.descriptor ?? layer),
      },
      repoTags,
    })),
    blobs: new Map([...blobs, ...measured.map((node) => [node.descriptor.digest, node] as const)]),
  };
}

async function measure(
  session: CopySession,
  { descriptor: packed, source }: CollectedNode,
  diffId: Digest,
  signal: AbortSignal,
): Promise<CollectedNode> {
  const { onEvent, lanes } = session;
  onEvent({ kind: 'found', target: packed, to: '' });
  const watched: Source = {
    ...unpackedSource(source, packed),
    fetch: (target) => reported(source, target, { to: '', onEvent, signal }),
  };
  const { digest, size } = await lanes.run([source.place], packed.size, signal, () =>
    measureUnpacked(watched, packed, algorithmOf(diffId), { signal }),
  );
  onEvent({ kind: 'read', target: packed, to: '' });
  if (digest !== diffId)
    throw new InvalidManifestError(
      `Cannot unpack layer ${packed.digest}: it unpacks to ${digest}, but the config says ${diffId}`,
    );
  return {
    descriptor: { mediaType: UNPACKED_TYPE, digest, size },
    source: unpackedSource(source, packed),
  };
}

/** A source that has the unpacked bytes of one layer. */
function unpackedSource(source: Source, packed: Descriptor): Source {
  return {
    place: source.place,
    repository: source.repository,
    resolve: (reference, options) => source.resolve(reference, options),
    exists: (_target, options) => source.exists(packed, options),
    fetch: (_target, { offset = 0, signal } = {}) =>
      withoutFirst(unpackLayer(source, packed, { signal }).unpacked, offset),
  };
}
