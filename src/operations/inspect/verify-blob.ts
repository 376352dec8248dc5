import { createHash } from 'node:crypto';

import { LimitExceededError, verified } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, digestFrom, isDigest, type Digest } from '../../oci/digest.ts';
import type { Bytes, CallOptions, Source } from '../../store.ts';
import { compressionOf, MAGIC_BYTES, unpacked } from '../../tar/decompress.ts';

/** What is wrong with a node. */
export interface NodeProblem {
  /** Whether the content is absent or wrong. */
  readonly status: 'missing' | 'corrupt';
  /** The problem in words. */
  readonly problem: string;
}

/** Codes of errors that are about the content itself: anything else stops a verification, because it says nothing about the content. */
const PROBLEMS: ReadonlyMap<string, NodeProblem['status']> = new Map([
  ['NOT_FOUND', 'missing'],
  ['CONTENT_MISMATCH', 'corrupt'],
  ['INVALID_MANIFEST', 'corrupt'],
  ['INVALID_DIGEST', 'corrupt'],
  ['INVALID_ARCHIVE', 'corrupt'],
  ['LIMIT_EXCEEDED', 'corrupt'],
  ['UNSUPPORTED', 'corrupt'],
]);

/** @throws the error itself when it is about something else than the content. */
export function problemOf(error: unknown): NodeProblem {
  const status = error instanceof RegiError ? PROBLEMS.get(error.code) : undefined;
  if (status === undefined || !(error instanceof RegiError)) throw error;
  return { status, problem: error.message };
}

export interface VerifyBlobOptions extends CallOptions {
  /** What a layer may unpack to: so many bytes, or so many times its own size, whichever is more. */
  readonly limits?: { readonly unpackedBytes: number; readonly unpackedRatio: number } | undefined;
}

/**
 * Reads a blob to its end and compares size and digest; with `diffIds` what it unpacks to as well.
 *
 * @param diffIds what configs say that the layer unpacks to.
 * @returns undefined when it is whole.
 */
export async function verifyBlob(
  source: Source,
  blob: Descriptor,
  diffIds: Iterable<string>,
  options: VerifyBlobOptions = {},
): Promise<NodeProblem | undefined> {
  const wanted = [...diffIds];
  try {
    if (wanted.length === 0) await drain(verified(source.fetch(blob, options), blob));
    else for (const diffId of wanted) await verifyUnpacked(source, blob, diffId, options);
    return undefined;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof DiffIdError) return { status: 'corrupt', problem: error.message };
    const found = problemOf(error);
    if (wanted.length === 0 || found.status === 'missing') return found;
    // Damaged bytes cannot be unpacked either, and that they are damaged says more.
    return (await verifyBlob(source, blob, [], options)) ?? found;
  }
}

/** A layer that is whole, and is not what the config says. */
class DiffIdError extends Error {}

async function verifyUnpacked(
  source: Source,
  layer: Descriptor,
  diffId: string,
  options: VerifyBlobOptions,
): Promise<void> {
  if (!isDigest(diffId))
    throw new DiffIdError(
      `The config gives ${JSON.stringify(diffId)} as its diff_id, which is no digest`,
    );
  const content = source.fetch(layer, options);
  const compression = compressionOf(await startOf(content));
  let atEnd = false;
  const tracked: Bytes = {
    async *[Symbol.asyncIterator]() {
      yield* verified(content, layer);
      atEnd = true;
    },
  };
  const found = await digestOfUnpacked(
    unpacked(tracked, compression, options),
    layer,
    diffId,
    options,
  );
  // What stands behind the packed part is not unpacked, and is a part of the digest.
  if (!atEnd) await drain(verified(content, layer));
  if (found !== diffId)
    throw new DiffIdError(`It unpacks to ${found}, and the config says ${diffId}`);
}

async function digestOfUnpacked(
  content: Bytes,
  layer: Descriptor,
  diffId: Digest,
  { limits = LIMITS }: VerifyBlobOptions,
): Promise<Digest> {
  const algorithm = algorithmOf(diffId);
  const hash = createHash(algorithm);
  let size = 0;
  for await (const chunk of content) {
    size += chunk.byteLength;
    if (size > limits.unpackedBytes && size > layer.size * limits.unpackedRatio) {
      throw new LimitExceededError(
        `Cannot unpack ${layer.digest}: ${layer.size} bytes have become more than ${size}, and layers do not shrink like that`,
      );
    }
    hash.update(chunk);
  }
  return digestFrom(hash, algorithm);
}

async function startOf(content: Bytes): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array();
  for await (const chunk of content) {
    start = Buffer.concat([start, chunk.subarray(0, MAGIC_BYTES)]);
    if (start.byteLength >= MAGIC_BYTES) break;
  }
  return start;
}

async function drain(content: Bytes): Promise<void> {
  const chunks = content[Symbol.asyncIterator]();
  while ((await chunks.next()).done !== true);
}
