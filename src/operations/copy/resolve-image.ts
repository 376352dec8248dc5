import { RegiError, UnprovedAbsenceError } from '../../errors.ts';
import { InvalidManifestError, type Descriptor, type Platform } from '../../oci/descriptor.ts';
import type { ImageManifest } from '../../oci/manifest.ts';
import type { CallOptions, ResolveOptions, Source } from '../../store.ts';
import {
  chooseEntry,
  PlatformNotFoundError,
  requirePlatform,
  runnableEntries,
  type RunnableEntry,
} from './choose-platform.ts';
import { readIndexTree } from './index-entries.ts';
import { readManifest, type ManifestNode, type ReadNode } from './read-manifest.ts';

/**
 * Resolves a name; with a platform, to the manifest of that platform.
 *
 * @throws {PlatformNotFoundError} when the image lacks the platform.
 */
export async function resolveImage(
  source: Source,
  reference: string,
  platform: Platform | undefined,
  options: CallOptions = {},
): Promise<Descriptor> {
  if (platform === undefined) return source.resolve(reference, options);
  const choice = { platform, host: platform };
  return imageForHost(await readForHost(source, reference, choice, options), platform);
}

/**
 * Resolves a name, or returns undefined where the store proves that it has no such name. Any doubt
 * is an error.
 */
export async function resolveIfThere(
  store: Source,
  reference: string,
  options: ResolveOptions = {},
): Promise<Descriptor | undefined> {
  try {
    return await store.resolve(reference, options);
  } catch (error) {
    const isAbsent = error instanceof RegiError && error.code === 'NOT_FOUND';
    if (!isAbsent || error instanceof UnprovedAbsenceError) throw error;
    return undefined;
  }
}

/** Which image of an index is meant. */
export interface PlatformChoice {
  /** The requested platform. No other serves. */
  readonly platform?: Platform | undefined;
  /** The platform of this machine, which decides when none was requested. */
  readonly host: Platform;
}

/** The root that a name points at, and the image in it for one machine. */
export interface ImageForHost {
  readonly root: ManifestNode;
  /** The entries of all levels of an index, attestations too; empty for an image. */
  readonly listed: readonly Descriptor[];
  /** Those of them that run somewhere. */
  readonly entries: readonly RunnableEntry[];
  /**
   * The chosen entry of the index. Undefined where the root is no index, and where no entry serves.
   */
  readonly chosen: RunnableEntry | undefined;
}

/**
 * Reads the root that a name points at, and chooses from an index the image for a platform: the
 * requested one, else that of this machine, else linux on the same processor, because containers on
 * other systems run in a linux machine.
 *
 * @throws {PlatformNotFoundError} when the image lacks the requested platform. Without a request,
 *   `chosen` is undefined.
 */
export async function readForHost(
  source: Source,
  reference: string,
  { platform, host }: PlatformChoice,
  options: CallOptions = {},
): Promise<ImageForHost> {
  const root = await readManifest(source, await source.resolve(reference, options), options);
  if (root.manifest.kind === 'image') {
    if (platform !== undefined) await requirePlatform(root.manifest, platform, source, options);
    return { root, listed: [], entries: [], chosen: undefined };
  }
  const read: ReadNode = (child) => readManifest(source, child, options);
  const tree = await readIndexTree(root, read);
  const entries = await runnableEntries(tree, read, source, options);
  const chosen =
    platform === undefined ? chooseForHost(entries, host) : chooseEntry(entries, platform);
  return { root, listed: tree.entries, entries, chosen };
}

/**
 * Returns the descriptor of the one image that serves: the root itself unless it is an index.
 *
 * @throws {PlatformNotFoundError} when the index has none for this machine.
 */
export function imageForHost({ root, entries, chosen }: ImageForHost, host: Platform): Descriptor {
  if (root.manifest.kind === 'image') return root.descriptor;
  if (chosen !== undefined) return chosen;
  throw new PlatformNotFoundError(
    host,
    entries.map((entry) => entry.platform),
  );
}

/**
 * Reads the image manifest that a name means for one machine.
 *
 * @throws {PlatformNotFoundError} when an index lacks the platform.
 * @throws {InvalidManifestError} when its manifest turns out to be an index.
 */
export async function readImage(
  source: Source,
  reference: string,
  choice: PlatformChoice,
  options: CallOptions = {},
): Promise<{ readonly descriptor: Descriptor; readonly manifest: ImageManifest }> {
  const found = await readForHost(source, reference, choice, options);
  const descriptor = imageForHost(found, choice.host);
  const { manifest } =
    descriptor === found.root.descriptor
      ? found.root
      : await readManifest(source, descriptor, options);
  if (manifest.kind === 'image') return { descriptor, manifest };
  throw new InvalidManifestError(
    `Cannot read ${descriptor.digest}: expected an image, found an index in the index`,
  );
}

/** True if an image of `platform` is meant for a machine of `host`. */
export function servesHost(platform: Platform, host: Platform): boolean {
  return chooseForHost([{ platform }], host) !== undefined;
}

function chooseForHost<Entry extends { readonly platform: Platform }>(
  entries: readonly Entry[],
  host: Platform,
): Entry | undefined {
  const linux = { os: 'linux', architecture: host.architecture, variant: host.variant };
  return chooseIfThere(entries, host) ?? chooseIfThere(entries, linux);
}

function chooseIfThere<Entry extends { readonly platform: Platform }>(
  entries: readonly Entry[],
  platform: Platform,
): Entry | undefined {
  try {
    return chooseEntry(entries, platform);
  } catch (error) {
    if (error instanceof PlatformNotFoundError) return undefined;
    throw error;
  }
}
