import { drain, verified } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, isDigest } from '../../oci/digest.ts';
import { quote } from '../../quote.ts';
import type { Source } from '../../store.ts';
import { otherSize } from '../copy/other-size.ts';
import { measureUnpacked, type UnpackOptions } from '../contents/read-layer.ts';

/** A node that is missing or corrupt. */
export interface NodeProblem {
  /** `missing`: the store does not have it. `corrupt`: it has other bytes, or unusable ones. */
  readonly status: 'missing' | 'corrupt';
  /** The error's message. */
  readonly problem: string;
}

/**
 * Error codes about the content itself. Any other code stops the verification, because it says
 * nothing about the content.
 */
const PROBLEMS: ReadonlyMap<string, NodeProblem['status']> = new Map([
  ['NOT_FOUND', 'missing'],
  ['CONTENT_MISMATCH', 'corrupt'],
  ['INVALID_MANIFEST', 'corrupt'],
  ['INVALID_DIGEST', 'corrupt'],
  ['INVALID_ARCHIVE', 'corrupt'],
  ['LIMIT_EXCEEDED', 'corrupt'],
  ['UNSUPPORTED', 'corrupt'],
]);

/** @throws the error itself if it is not about the content. */
export function problemOf(error: unknown): NodeProblem {
  const status = error instanceof RegiError ? PROBLEMS.get(error.code) : undefined;
  if (status === undefined || !(error instanceof RegiError)) throw error;
  return { status, problem: error.message };
}

/**
 * Reads a blob to its end and verifies its size and digest, and with `diffIds` also the digest of
 * the unpacked bytes.
 *
 * @param diffIds digests that configs give for the unpacked layer.
 * @returns undefined if the blob is intact.
 */
export async function verifyBlob(
  source: Source,
  blob: Descriptor,
  diffIds: Iterable<string>,
  options: UnpackOptions = {},
): Promise<NodeProblem | undefined> {
  const wanted = [...diffIds];
  try {
    if (wanted.length === 0) await drain(verified(source.fetch(blob, options), blob));
    for (const diffId of wanted) {
      const problem = await diffIdProblem(source, blob, diffId, options);
      if (problem !== undefined) return { status: 'corrupt', problem };
    }
    return undefined;
  } catch (error) {
    options.signal?.throwIfAborted();
    const found = problemOf(error);
    const size = await otherSize(source, blob, error, options);
    // Only the digest decides what is damaged.
    if (
      size !== undefined &&
      (await verifyBlob(source, { ...blob, size }, wanted, options)) === undefined
    )
      return undefined;
    if (wanted.length === 0 || found.status === 'missing') return found;
    // Damaged bytes cannot be unpacked either, and the damage is the better explanation.
    return (await verifyBlob(source, blob, [], options)) ?? found;
  }
}

async function diffIdProblem(
  source: Source,
  layer: Descriptor,
  diffId: string,
  options: UnpackOptions,
): Promise<string | undefined> {
  if (!isDigest(diffId))
    return `The config gives ${quote(diffId)} as its diff_id, which is no digest`;
  const { digest: found } = await measureUnpacked(source, layer, algorithmOf(diffId), options);
  return found === diffId ? undefined : `It unpacks to ${found}, but the config says ${diffId}`;
}
