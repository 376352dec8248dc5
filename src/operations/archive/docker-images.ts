import type { Platform } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageManifest } from '../../oci/manifest.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import { normalizePlatform } from '../../oci/platform.ts';
import { familiarReference } from '../../oci/reference.ts';
import type { CallOptions } from '../../store.ts';
import { chooseEntry, PlatformNotFoundError, runnableEntries } from '../copy/choose-platform.ts';
import type { CollectedImage, ImageSet } from './collect-images.ts';

/** One image as docker knows it: of one platform, with its names. */
export interface DockerImage {
  readonly manifest: ImageManifest;
  /** As people write them: `alpine:3`. */
  readonly repoTags: readonly string[];
}

export interface DockerImagesOptions extends CallOptions {
  /** Which manifest of an index docker gets. */
  readonly platform: Platform;
  /** Told of an index that has not that platform. */
  readonly onOther?: ((image: string, chosen: Platform) => void) | undefined;
}

/** Never the host's: the same input gives the same archive everywhere. */
export const DOCKER_PLATFORM: Platform = { os: 'linux', architecture: 'amd64' };

const CONFIG_TYPES: ReadonlySet<string> = new Set([MEDIA_TYPE.ociConfig, MEDIA_TYPE.dockerConfig]);
/** `…layer.v1.tar+gzip`, `…rootfs.diff.tar.gzip`: not the statements and signatures that dress up as images. */
const LAYER_TYPE =
  /^application\/vnd\.(?:oci\.image\.layer\.v1|docker\.image\.rootfs\.diff)\.tar(?:[.+]\w+)?$/;

/**
 * The images of a set that docker can load, each once, with all the names that mean it. Of an index it is the manifest of
 * `platform`, else the first that runs anywhere. Artifacts, attestations and images with foreign layers are none.
 */
export async function dockerImages(
  set: ImageSet,
  options: DockerImagesOptions,
): Promise<readonly DockerImage[]> {
  const found = new Map<
    Digest,
    { readonly manifest: ImageManifest; readonly repoTags: Set<string> }
  >();
  for (const image of set.images) {
    const digest = await runnableIn(set, image, options);
    const manifest = digest === undefined ? undefined : set.manifests.get(digest)?.manifest;
    if (digest === undefined || manifest?.kind !== 'image' || !isLoadable(manifest)) continue;
    const known = found.get(digest) ?? { manifest, repoTags: new Set<string>() };
    found.set(digest, known);
    const { name } = image.job;
    if (name?.tag !== undefined)
      known.repoTags.add(
        familiarReference({ domain: name.domain, path: name.path, tag: name.tag }),
      );
  }
  return [...found.values()].map(({ manifest, repoTags }) => ({
    manifest,
    repoTags: [...repoTags],
  }));
}

async function runnableIn(
  set: ImageSet,
  { job, root }: CollectedImage,
  { platform, onOther, signal }: DockerImagesOptions,
): Promise<Digest | undefined> {
  const { manifest, descriptor } = root;
  if (manifest.kind === 'image') return descriptor.digest;
  const read = async (child: { readonly digest: Digest }): Promise<typeof root> => {
    const node = set.manifests.get(child.digest);
    if (node === undefined) throw new Error(`Manifest ${child.digest} was not collected`);
    return node;
  };
  const entries = await runnableEntries(manifest, read, job.source, { signal });
  const [first] = entries;
  if (first === undefined) return undefined;
  try {
    return chooseEntry(entries, platform).digest;
  } catch (error) {
    if (!(error instanceof PlatformNotFoundError)) throw error;
    onOther?.(job.image, normalizePlatform(first.platform));
    return first.digest;
  }
}

function isLoadable({ config, layers, artifactType, subject }: ImageManifest): boolean {
  if (artifactType !== undefined || subject !== undefined) return false;
  return (
    CONFIG_TYPES.has(config.mediaType) &&
    layers.every(({ mediaType }) => LAYER_TYPE.test(mediaType))
  );
}
