import * as z from 'zod/mini';

import { collectVerified } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import type { ImageIndex, ImageManifest } from '../../oci/manifest.ts';
import { formatPlatform, normalizePlatform, pickPlatform } from '../../oci/platform.ts';
import type { CallOptions, Source } from '../../store.ts';
import type { ManifestNode } from './read-manifest.ts';

/** No manifest for the platform that was asked for. */
export class PlatformNotFoundError extends RegiError {
  readonly wanted: Platform;

  constructor(wanted: Platform, available: readonly Platform[]) {
    super('NOT_FOUND', `Cannot find platform "${formatPlatform(wanted)}" in the image`, {
      hint:
        available.length === 0
          ? 'it has no platforms at all'
          : `it has ${available.map((platform) => formatPlatform(platform)).join(', ')}`,
    });
    this.wanted = wanted;
  }
}

export type ReadNode = (descriptor: Descriptor) => Promise<ManifestNode>;

/** Entries of an index that run somewhere, with the platform of each: attestations are none. */
export async function runnableEntries(
  index: ImageIndex,
  read: ReadNode,
  source: Source,
  options: CallOptions = {},
): Promise<readonly (Descriptor & { platform: Platform })[]> {
  const entries = await Promise.all(
    index.manifests.map(async (entry) => {
      const platform = entry.platform ?? (await platformOfChild(entry, read, source, options));
      return platform === undefined || isAttestation(entry) || platform.os === 'unknown'
        ? undefined
        : { ...entry, platform };
    }),
  );
  return entries.filter((entry) => entry !== undefined);
}

/**
 * Picks the entry of an index for a platform: an exact one, else the nearest lower variant. Never another architecture, though
 * some machines could run it: who asks for arm64 and silently gets 32-bit arm finds out in production.
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
  const chosen =
    candidates[
      pickPlatform(
        wanted,
        candidates.map((entry) => entry.platform),
        'only',
      ) ?? -1
    ];
  if (chosen === undefined)
    throw new PlatformNotFoundError(
      wanted,
      entries.map((entry) => entry.platform),
    );
  return chosen;
}

const configShape = z.object({
  os: z.optional(z.string()),
  architecture: z.optional(z.string()),
  variant: z.optional(z.string()),
  'os.version': z.optional(z.string()),
});

/** The platform that an image's config names; undefined for an artifact, or a config that names none. */
export async function platformOfImage(
  manifest: ImageManifest,
  source: Source,
  options: CallOptions = {},
): Promise<Platform | undefined> {
  if (!/\.image(\.config)?\.v1\+json$/.test(manifest.config.mediaType)) return undefined;
  const bytes = await collectVerified(
    source.fetch(manifest.config, options),
    manifest.config,
    LIMITS.configBytes,
  );
  const config = configShape.safeParse(parseJson(bytes));
  if (!config.success) return undefined;
  const { os, architecture, variant, 'os.version': osVersion } = config.data;
  if (os === undefined || os === '' || architecture === undefined || architecture === '')
    return undefined;
  return {
    os,
    architecture,
    ...(variant !== undefined && { variant }),
    ...(osVersion !== undefined && { osVersion }),
  };
}

/** True if an index entry describes another entry and runs nowhere: buildkit's provenance and SBOMs. */
export function isAttestation(entry: Descriptor): boolean {
  return entry.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest';
}

/** The digest of the entry that an attestation describes. */
export function attestedDigest(attestation: Descriptor): string | undefined {
  return attestation.annotations?.['vnd.docker.reference.digest'];
}

async function platformOfChild(
  entry: Descriptor,
  read: ReadNode,
  source: Source,
  options: CallOptions,
): Promise<Platform | undefined> {
  if (isAttestation(entry)) return undefined;
  const { manifest } = await read(entry);
  return manifest.kind === 'image' ? platformOfImage(manifest, source, options) : undefined;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // A config that is no JSON names no platform; it still travels as the bytes it is.
    return undefined;
  }
}
