import { collectVerified } from '../../bytes.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import type { ImageManifest } from '../../oci/manifest.ts';
import type { CallOptions, Source } from '../../store.ts';
import {
  chooseEntry,
  PlatformNotFoundError,
  platformOfImage,
  runnableEntries,
} from './choose-platform.ts';
import { readManifest, type ManifestNode } from './read-manifest.ts';

/** An entry of an index that runs somewhere. */
export type RunnableEntry = Descriptor & { readonly platform: Platform };

export interface PlatformChoice {
  /** The platform that was asked for. No other serves. */
  readonly platform?: Platform | undefined;
  /** This machine's, which decides when none was asked for. */
  readonly host: Platform;
}

/** What a name points at, and the image of it that is meant for one machine. */
export interface ImageForHost {
  readonly root: ManifestNode;
  /** Empty unless the root is an index. */
  readonly entries: readonly RunnableEntry[];
  /** The entry of the index that serves; undefined where the root is no index, and where none serves. */
  readonly chosen: RunnableEntry | undefined;
}

/**
 * Reads what a name points at, and finds in an index the image for a platform: the one asked for, else this machine's, else
 * that of linux on the same processor, because containers on other systems run in a linux machine.
 *
 * @throws {PlatformNotFoundError} when the image lacks the platform that was asked for. Without one, `chosen` is undefined.
 */
export async function readForHost(
  source: Source,
  reference: string,
  { platform, host }: PlatformChoice,
  options: CallOptions = {},
): Promise<ImageForHost> {
  const root = await readManifest(source, await source.resolve(reference, options), options);
  if (root.manifest.kind === 'image') {
    const own =
      platform === undefined ? undefined : await platformOfImage(root.manifest, source, options);
    if (platform !== undefined && own !== undefined) chooseEntry([{ platform: own }], platform);
    return { root, entries: [], chosen: undefined };
  }
  const entries = await runnableEntries(
    root.manifest,
    async (child) => readManifest(source, child, options),
    source,
    options,
  );
  const chosen =
    platform === undefined ? chooseForHost(entries, host) : chooseEntry(entries, platform);
  return { root, entries, chosen };
}

/**
 * The descriptor of the one image that is meant: the root itself unless it is an index.
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

/** The exact bytes of an image's config, verified. */
export async function readConfig(
  source: Source,
  { config }: ImageManifest,
  options: CallOptions = {},
): Promise<Uint8Array> {
  return collectVerified(source.fetch(config, options), config, LIMITS.configBytes);
}

/** Whether an image of `platform` is meant for a machine of `host`. */
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
