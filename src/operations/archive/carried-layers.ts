import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { isForeignLayerType, isManifestType } from '../../oci/media-types.ts';
import type { CallOptions, Source } from '../../store.ts';
import { formatBlobList, OMITTED_RECORD, type CarriedBlob } from '../../tar/carried-blobs.ts';
import type { ImageSet } from './collect-images.ts';
import { readManifest } from '../copy/read-manifest.ts';

/** An image of an archive that was written earlier. */
export interface EarlierImage {
  readonly root: Descriptor;
  /** `docker.io/library/debian`; undefined if unknown. */
  readonly repository: string | undefined;
}

/** Blobs that an archive omits, and the file that records them. */
export interface Omission {
  readonly omit: ReadonlySet<Digest>;
  readonly extra: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/**
 * Lists the layers that an archive really contains: its manifests may name more. Configs are in
 * every archive.
 */
export async function layersCarriedBy(
  source: Source,
  images: Iterable<EarlierImage>,
  options: CallOptions = {},
): Promise<readonly CarriedBlob[]> {
  const found: CarriedBlob[] = [];
  const visit = async (node: Descriptor, repository: string | undefined): Promise<void> => {
    if (!(await source.exists(node, options))) return;
    const { manifest } = await readManifest(source, node, options);
    if (manifest.kind === 'index') {
      for (const child of manifest.manifests)
        if (isManifestType(child.mediaType)) await visit(child, repository);
      return;
    }
    for (const { digest, size, mediaType } of manifest.layers) {
      if (
        isForeignLayerType(mediaType) ||
        !(await source.exists({ mediaType, digest, size }, options))
      )
        continue;
      found.push({ digest, size, repositories: repository === undefined ? [] : [repository] });
    }
  };
  for (const { root, repository } of images) await visit(root, repository);
  return found;
}

/** Lists the layers of a set of images, with the repositories of those images. */
export function layersOf({ images, manifests }: ImageSet): readonly CarriedBlob[] {
  return images.flatMap(({ job: { name }, root }) => {
    const repositories = name === undefined ? [] : [`${name.domain}/${name.path}`];
    const below = (digest: Digest): readonly CarriedBlob[] => {
      const manifest = manifests.get(digest)?.manifest;
      if (manifest?.kind === 'index')
        return manifest.manifests.flatMap((child) => below(child.digest));
      const layers = manifest?.layers ?? [];
      return layers
        .filter(({ mediaType }) => !isForeignLayerType(mediaType))
        .map(({ digest: layer, size }) => ({ digest: layer, size, repositories }));
    };
    return below(root.descriptor.digest);
  });
}

/**
 * Finds the blobs of a set that the reader has already. Configs are never omitted: they are small,
 * and tools read them to list an image.
 */
export function omissionOf(set: ImageSet, earlier: ReadonlyMap<Digest, CarriedBlob>): Omission {
  const configs = new Set(
    [...set.manifests.values()].flatMap(({ manifest }) =>
      manifest.kind === 'image' ? [manifest.config.digest] : [],
    ),
  );
  const omitted = [...set.blobs.values()].flatMap(({ descriptor: { digest, size } }) => {
    const known = configs.has(digest) ? undefined : earlier.get(digest);
    return known === undefined || known.size !== size ? [] : [known];
  });
  const extra =
    omitted.length === 0
      ? []
      : [{ name: OMITTED_RECORD, bytes: formatBlobList('omitted', omitted) }];
  return { omit: new Set(omitted.map(({ digest }) => digest)), extra };
}
