import { RegiError } from '../../errors.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import { isAttestation, parseManifest } from '../../oci/manifest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { quote } from '../../quote.ts';
import type { CallOptions, Source } from '../../store.ts';
import {
  chooseEntry,
  PlatformNotFoundError,
  platformOfImage,
  runnableEntries,
} from './choose-platform.ts';
import {
  narrowedEntries,
  nodesLeadingTo,
  readIndexTree,
  type Carried,
  type IndexTree,
} from './index-entries.ts';
import { indexJson, type ManifestNode, type ReadNode } from './read-manifest.ts';
import type { CopySession } from './session.ts';

/** Which platforms of an image are wanted. */
export interface Wanted {
  /** All when empty. */
  readonly platforms: readonly Platform[];
  /**
   * Keeps an index byte for byte, and so its digest and signatures, and leaves its other images
   * out.
   */
  readonly sparse?: boolean | undefined;
  /** Passes over platforms that the image lacks. */
  readonly optional?: boolean | undefined;
}

/** An image as far as it is wanted. */
export interface NarrowedImage {
  readonly root: ManifestNode;
  /** Manifests below a sparse index that are carried; undefined where all are. */
  readonly carried: Carried | undefined;
  /** The wanted platforms that the image has. */
  readonly platforms: readonly Platform[];
}

/**
 * Narrows an image to platforms. One platform of an index becomes its manifest. Several become an
 * index of those and their attestations, with all other members of the old index kept. An image of
 * one platform stays as it is, and so does an index that is wanted sparse: without platforms, of
 * the images that the source has.
 *
 * @returns undefined when the platforms are optional, and the image has none of them.
 * @throws {PlatformNotFoundError} when a platform is missing.
 */
export async function narrowImage(
  root: ManifestNode,
  { platforms, sparse = false, optional = false }: Wanted,
  read: ReadNode,
  source: Source,
  options: CallOptions = {},
): Promise<NarrowedImage | undefined> {
  const { manifest } = root;
  const whole = { root, carried: undefined, platforms };
  if (platforms.length === 0 && !sparse) return whole;
  if (manifest.kind === 'image') {
    const platform = await platformOfImage(manifest, source, options);
    if (platform === undefined) return whole;
    const has = present([{ platform }], platforms, optional);
    return has.length === 0 && platforms.length > 0 ? undefined : { ...whole, platforms: has };
  }
  const tree = await readIndexTree(root, read);
  if (platforms.length === 0) return { ...whole, carried: await carriedIn(tree, source, options) };
  const entries = await runnableEntries(tree, read, source, options);
  const has = present(entries, platforms, optional);
  if (has.length === 0) return undefined;
  const chosen = has.map((wanted) => chooseEntry(entries, wanted));
  const images = new Set<string>(chosen.map(({ digest }) => digest));
  if (sparse) return { root, carried: nodesLeadingTo(tree, images), platforms: has };
  const [only] = chosen;
  if (only !== undefined && chosen.length === 1)
    return { root: await read(only), carried: undefined, platforms: has };
  return { root: narrowIndex(tree, images), carried: undefined, platforms: has };
}

/** Returns those of the wanted platforms that the entries serve. */
function present(
  entries: readonly { readonly platform: Platform }[],
  wanted: readonly Platform[],
  optional: boolean,
): readonly Platform[] {
  return wanted.filter((platform) => {
    try {
      chooseEntry(entries, platform);
      return true;
    } catch (error) {
      if (!optional || !(error instanceof PlatformNotFoundError)) throw error;
      return false;
    }
  });
}

/**
 * Returns the manifests that the source has: it may hold the index sparse itself.
 *
 * @throws {RegiError} NOT_FOUND when it has none.
 */
async function carriedIn(tree: IndexTree, source: Source, options: CallOptions): Promise<Carried> {
  const held = new Set<string>();
  await Promise.all(
    tree.entries.map(async (entry) => {
      if (await source.exists(entry, options)) held.add(entry.digest);
    }),
  );
  const images = tree.entries.filter((entry) => !isAttestation(entry) && held.has(entry.digest));
  if (images.length === 0 && tree.entries.length > 0)
    throw new RegiError(
      'NOT_FOUND',
      `Cannot find any image of the index ${tree.root.descriptor.digest} in ${quote(source.place)}`,
      { hint: 'the index is there without its images; copy it again from where it came from' },
    );
  const leading = nodesLeadingTo(tree, new Set(images.map(({ digest }) => digest)));
  return new Map([...leading].filter(([digest]) => held.has(digest) || tree.inner.has(digest)));
}

function narrowIndex(tree: IndexTree, images: ReadonlySet<string>): ManifestNode {
  const { root } = tree;
  const manifests = narrowedEntries(tree, images);
  if (manifests === undefined) return root;
  const bytes = new TextEncoder().encode(JSON.stringify({ ...indexJson(root).body, manifests }));
  const { mediaType } = root.manifest;
  return {
    bytes,
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.byteLength },
    manifest: parseManifest(bytes, mediaType),
  };
}

export interface NarrowInSessionOptions extends Wanted {
  /** The name of the image, for messages about what is left out; none without it. */
  readonly image?: string | undefined;
}

/**
 * Reads an image within a session and narrows it, as `narrowImage()` does; says what it leaves out.
 */
export async function narrowInSession(
  session: CopySession,
  source: Source,
  found: Descriptor,
  { image, ...wanted }: NarrowInSessionOptions,
  signal: AbortSignal,
): Promise<NarrowedImage | undefined> {
  const read: ReadNode = (node) => session.read(source, node, signal);
  const narrowed = await narrowImage(await read(found), wanted, read, source, { signal });
  if (image === undefined) return narrowed;
  const lacking = wanted.platforms.filter((platform) => !narrowed?.platforms.includes(platform));
  const names = lacking.map((platform) => formatPlatform(platform)).join(', ');
  if (narrowed === undefined)
    session.onEvent({
      kind: 'warning',
      message: `Skipped ${quote(image)}: it is not for ${names}`,
    });
  else if (lacking.length > 0)
    session.onEvent({ kind: 'warning', message: `${quote(image)} has no ${names}` });
  return narrowed;
}
