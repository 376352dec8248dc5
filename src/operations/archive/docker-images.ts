import { RegiError } from '../../errors.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageManifest } from '../../oci/manifest.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import { normalizePlatform } from '../../oci/platform.ts';
import { familiarReference } from '../../oci/reference.ts';
import type { CallOptions } from '../../store.ts';
import { chooseEntry, PlatformNotFoundError, runnableEntries } from '../copy/choose-platform.ts';
import { readIndexTree } from '../copy/index-entries.ts';
import type { CollectedImage, ImageSet } from './collect-images.ts';

/** An image of docker's format: one platform, with its names. */
export interface DockerImage {
  /** The manifest of the image. */
  readonly manifest: ImageManifest;
  /** In familiar form: `alpine:3`. */
  readonly repoTags: readonly string[];
}

export interface DockerImagesOptions extends CallOptions {
  /** The platform chosen from an index. */
  readonly platform: Platform;
  /** Called when an index lacks that platform. */
  readonly onOther?: ((image: string, chosen: Platform) => void) | undefined;
  /** Called with the manifest that is chosen from the index of an image. */
  readonly onChosen?:
    | ((image: CollectedImage, chosen: Digest, platform: Platform) => void)
    | undefined;
}

/** Not the platform of this machine: the same input gives the same archive everywhere. */
export const DOCKER_PLATFORM: Platform = { os: 'linux', architecture: 'amd64' };

/**
 * `…layer.v1.tar+gzip`, `…rootfs.diff.tar.gzip`: not statements and signatures packed as images.
 */
const LAYER_TYPE =
  /^application\/vnd\.(?:oci\.image\.layer\.v1|docker\.image\.rootfs\.diff)\.tar(?:[.+]\w+)?$/;

/**
 * Lists the images of a set that docker can load, each once, with all its names. An index gives its
 * manifest of `platform`, else its first that runs. Artifacts, attestations and images with foreign
 * layers are skipped.
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
  image: CollectedImage,
  { platform, onOther, onChosen, signal }: DockerImagesOptions,
): Promise<Digest | undefined> {
  const { job, root } = image;
  const { manifest, descriptor } = root;
  if (manifest.kind === 'image') return descriptor.digest;
  const read = async (child: { readonly digest: Digest }): Promise<typeof root> => {
    const node = set.manifests.get(child.digest);
    // A sparse index lists images that the archive does not carry.
    if (node === undefined)
      throw new RegiError(
        'NOT_FOUND',
        `Cannot find ${child.digest}: the archive does not carry it`,
      );
    return node;
  };
  const all = await runnableEntries(await readIndexTree(root, read), read, job.source, { signal });
  const entries = all.filter(({ digest }) => set.manifests.has(digest));
  const [first] = entries;
  if (first === undefined) return undefined;
  let chosen = first;
  try {
    chosen = chooseEntry(entries, platform);
  } catch (error) {
    if (!(error instanceof PlatformNotFoundError)) throw error;
    onOther?.(job.image, normalizePlatform(first.platform));
  }
  onChosen?.(image, chosen.digest, normalizePlatform(chosen.platform));
  return chosen.digest;
}

/** True for the configs that docker loads. */
export function isDockerConfig({ mediaType }: Descriptor): boolean {
  return mediaType === MEDIA_TYPE.ociConfig || mediaType === MEDIA_TYPE.dockerConfig;
}

function isLoadable({ config, layers, artifactType, subject }: ImageManifest): boolean {
  if (artifactType !== undefined || subject !== undefined) return false;
  return isDockerConfig(config) && layers.every(({ mediaType }) => LAYER_TYPE.test(mediaType));
}
