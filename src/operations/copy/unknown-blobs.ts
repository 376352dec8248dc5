import type { Descriptor } from '../../oci/descriptor.ts';
import { childrenOf } from '../../oci/manifest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { RegistryResponseError } from '../../registry/errors.ts';
import type { ManifestNode } from './read-manifest.ts';

/**
 * Returns the blobs for whose absence a registry refused a manifest: those that it names, or all
 * blobs where it names none. Some registries say that they mounted a blob, and lack it afterwards.
 */
export function unknownBlobs(error: unknown, { manifest }: ManifestNode): readonly Descriptor[] {
  if (!(error instanceof RegistryResponseError)) return [];
  const problems = error.problems.filter(({ code }) => code === 'MANIFEST_BLOB_UNKNOWN');
  if (problems.length === 0) return [];
  const blobs = childrenOf(manifest).filter(({ mediaType }) => !isManifestType(mediaType));
  const named = blobs.filter(({ digest }) =>
    problems.some(({ message }) => message.includes(digest)),
  );
  return named.length === 0 ? blobs : named;
}
