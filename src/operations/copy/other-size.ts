import { RegiError, type ErrorCode } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { canResolveBlobs, type CallOptions, type Source } from '../../store.ts';

/**
 * How a wrong size shows: content that is longer or shorter, or a destination that has it in
 * another size.
 */
const SIZE_FAILURES: ReadonlySet<ErrorCode> = new Set(['CONTENT_MISMATCH', 'INVALID_RESPONSE']);

/**
 * Returns the size that the source has for a blob, if it differs from the stated one and so may
 * explain the failure. Docker before 18.09 wrote wrong sizes beside right digests; the digest is
 * the proof.
 */
export async function otherSize(
  source: Source,
  blob: Descriptor,
  failure: unknown,
  options: CallOptions = {},
): Promise<number | undefined> {
  if (!(failure instanceof RegiError) || !SIZE_FAILURES.has(failure.code)) return undefined;
  if (!canResolveBlobs(source)) return undefined;
  try {
    const { size } = await source.resolveBlob(blob.digest, options);
    return size === blob.size ? undefined : size;
  } catch (error) {
    if (error instanceof RegiError) return undefined;
    throw error;
  }
}
