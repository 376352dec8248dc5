import * as z from 'zod/mini';

import { describeIssue } from '../json.ts';
import { RegiError, type RegiErrorOptions } from '../errors.ts';
import { isDigest, type Digest } from '../oci/digest.ts';

/** A layer that an archive carries, or leaves out because an earlier one carried it. */
export interface CarriedBlob {
  /** The digest of the blob. */
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** The repositories whose images have it: `docker.io/library/debian`. Unchecked when read: they are names, and no promise. */
  readonly repositories: readonly string[];
}

/** `omitted`: the record in an archive that adds to others. `carried`: the list that `--write-list` writes of an archive. */
export type BlobListKind = 'omitted' | 'carried';

/** A list that is none, or of another kind or version. */
class InvalidBlobListError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('INVALID_ARCHIVE', message, options);
  }
}

/** The file of an archive that says what it leaves out. Other readers pass over it. */
export const OMITTED_RECORD = 'regi-omitted.json';

const VERSION = 1;

const listShape = z.object({
  regi: z.string(),
  version: z.number(),
  blobs: z.array(
    z.object({ digest: z.string(), size: z.number(), repositories: z.array(z.string()) }),
  ),
});

/** The same blobs in any order give the same bytes. */
export function formatBlobList(kind: BlobListKind, blobs: Iterable<CarriedBlob>): Uint8Array {
  const sorted = [...blobs]
    .map(({ digest, size, repositories }) => ({
      digest,
      size,
      repositories: [...new Set(repositories)].toSorted(),
    }))
    .toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  return new TextEncoder().encode(
    `${JSON.stringify({ regi: kind, version: VERSION, blobs: sorted })}\n`,
  );
}

/**
 * Parses a list of blobs.
 *
 * @param what it is, for the message: `the list "sent.json"`.
 * @throws {InvalidBlobListError}
 */
export function parseBlobList(
  kind: BlobListKind,
  bytes: Uint8Array,
  what: string,
): readonly CarriedBlob[] {
  const refuse = (problem: string, cause?: unknown): InvalidBlobListError =>
    new InvalidBlobListError(`Cannot read ${what}: ${problem}`, {
      hint: 'give what `regi export` wrote with --write-list, or the archive itself',
      cause,
    });
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw refuse('expected JSON', cause);
  }
  const parsed = listShape.safeParse(json);
  if (!parsed.success) throw refuse(describeIssue(parsed.error));
  const { regi, version, blobs } = parsed.data;
  if (regi !== kind || version !== VERSION)
    throw refuse(
      `expected "${kind}" of version ${VERSION}, found ${JSON.stringify(regi)} of version ${version}`,
    );
  return blobs.map(({ digest, size, repositories }) => {
    if (!isDigest(digest)) throw refuse(`expected a digest, found ${JSON.stringify(digest)}`);
    if (!Number.isSafeInteger(size) || size < 0)
      throw refuse(`expected a size in whole bytes, found ${size}`);
    return { digest, size, repositories };
  });
}

/** By digest; of a blob that several lists have, the repositories of all. */
export function mergeCarried(
  lists: Iterable<Iterable<CarriedBlob>>,
): ReadonlyMap<Digest, CarriedBlob> {
  const merged = new Map<Digest, CarriedBlob>();
  for (const list of lists) {
    for (const blob of list) {
      const repositories = [...(merged.get(blob.digest)?.repositories ?? []), ...blob.repositories];
      merged.set(blob.digest, { ...blob, repositories: [...new Set(repositories)] });
    }
  }
  return merged;
}
