import { collectVerified } from '../../bytes.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { parseManifest, type Manifest } from '../../oci/manifest.ts';
import type { CallOptions, Source } from '../../store.ts';

/** A manifest, and the bytes its digest is over: what travels is always the bytes. */
export interface ManifestNode {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

/**
 * Reads and parses the manifest of `descriptor`, verified.
 *
 * @throws {RegiError} LIMIT_EXCEEDED over 4 MiB, CONTENT_MISMATCH, INVALID_MANIFEST, UNSUPPORTED, or what the source throws.
 */
export async function readManifest(
  source: Source,
  descriptor: Descriptor,
  options: CallOptions = {},
): Promise<ManifestNode> {
  const bytes = await collectVerified(
    source.fetch(descriptor, options),
    descriptor,
    LIMITS.manifestBytes,
  );
  return { descriptor, bytes, manifest: parseManifest(bytes, descriptor.mediaType) };
}
