import { RegiError } from '../../errors.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import { isAttestation, type ImageManifest } from '../../oci/manifest.ts';
import { formatPlatform, normalizePlatform, pickPlatform } from '../../oci/platform.ts';
import { quote } from '../../quote.ts';
import type { CallOptions, Source } from '../../store.ts';
import { unlessAbsent, type IndexTree } from './index-entries.ts';
import { readImageConfig, type ReadNode } from './read-manifest.ts';

/** The image has no manifest for the requested platform. */
export class PlatformNotFoundError extends RegiError {
  /** The platform that the image lacks. */
  readonly wanted: Platform;

  constructor(wanted: Platform, available: readonly Platform[]) {
    super('NOT_FOUND', `Cannot find platform ${quote(formatPlatform(wanted))} in the image`, {
      hint:
        available.length === 0
          ? 'it has no platforms at all'
          : `it has ${available.map((platform) => formatPlatform(platform)).join(', ')}`,
    });
    this.wanted = wanted;
  }
}

/** An index entry that runs somewhere. */
export type RunnableEntry = Descriptor & { readonly platform: Platform };

/**
 * Lists the entries of an index, at all levels, that run somewhere, each with its platform.
 * Attestations do not, and no entry whose platform only its absent manifest could tell.
 */
export async function runnableEntries(
  { entries }: IndexTree,
  read: ReadNode,
  source: Source,
  options: CallOptions = {},
): Promise<readonly RunnableEntry[]> {
  const found = await Promise.all(
    entries.map(async (entry) => {
      if (isAttestation(entry)) return undefined;
      const platform =
        entry.platform ?? (await unlessAbsent(() => platformOfChild(entry, read, source, options)));
      return platform === undefined || platform.os === 'unknown'
        ? undefined
        : { ...entry, platform };
    }),
  );
  return found.filter((entry) => entry !== undefined);
}

/**
 * Picks the entry of an index for a platform: an exact match, else the nearest lower variant. Never
 * another architecture, though some machines could run it: a user who requests arm64 and silently
 * gets 32-bit arm finds out in production.
 *
 * @throws {PlatformNotFoundError}
 */
export function chooseEntry<Entry extends { readonly platform: Platform }>(
  entries: readonly Entry[],
  wanted: Platform,
): Entry {
  const { architecture } = normalizePlatform(wanted);
  const candidates = entries.filter(
    (entry) => normalizePlatform(entry.platform).architecture === architecture,
  );
  const platforms = candidates.map((entry) => entry.platform);
  const chosen = candidates[pickPlatform(wanted, platforms, 'only') ?? -1];
  if (chosen === undefined)
    throw new PlatformNotFoundError(
      wanted,
      entries.map((entry) => entry.platform),
    );
  return chosen;
}

/**
 * Checks that an image serves a platform. An image that names no platform passes.
 *
 * @throws {PlatformNotFoundError}
 */
export async function requirePlatform(
  manifest: ImageManifest,
  wanted: Platform,
  source: Source,
  options: CallOptions = {},
): Promise<void> {
  const platform = await platformOfImage(manifest, source, options);
  if (platform !== undefined) chooseEntry([{ platform }], wanted);
}

/**
 * Reads the platform from the config of an image; undefined for an artifact, or a config that names
 * none.
 */
export async function platformOfImage(
  manifest: ImageManifest,
  source: Source,
  options: CallOptions = {},
): Promise<Platform | undefined> {
  return (await readImageConfig(source, manifest, options))?.platform;
}

async function platformOfChild(
  entry: Descriptor,
  read: ReadNode,
  source: Source,
  options: CallOptions,
): Promise<Platform | undefined> {
  const { manifest } = await read(entry);
  return manifest.kind === 'image' ? platformOfImage(manifest, source, options) : undefined;
}
