import { RegiError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { artifactTypeOf, parseManifest, type Manifest } from '../oci/manifest.ts';

export interface Referrer {
  /** The digest of the manifest that it refers to. */
  readonly subject: Digest;
  /** Its entry in a list of referrers, with its artifactType and annotations. */
  readonly descriptor: Descriptor;
}

/**
 * Reads a manifest as a referrer; undefined when it has no subject, or cannot be parsed: it must
 * not hide the referrers beside it.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
 */
export function referrerOf(
  bytes: Uint8Array,
  { mediaType, digest, size }: Descriptor,
): Referrer | undefined {
  const manifest = tryParse(bytes, mediaType);
  if (manifest?.subject === undefined) return undefined;
  const artifactType = artifactTypeOf(manifest);
  return {
    subject: manifest.subject.digest,
    descriptor: {
      mediaType,
      digest,
      size,
      ...(artifactType !== undefined && { artifactType }),
      annotations: manifest.annotations,
    },
  };
}

function tryParse(bytes: Uint8Array, mediaType: string): Manifest | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch (error) {
    if (error instanceof RegiError) return undefined;
    throw error;
  }
}
