import * as z from 'zod/mini';

import { RegiError } from '../errors.ts';
import { describeIssue, tryParseJson } from '../json.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { quote } from '../quote.ts';

/** A layer that an archive carries, or leaves out because an earlier one carried it. */
export interface CarriedBlob {
  /** The digest of the blob. */
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** The repositories whose images have it: `docker.io/library/debian`. Unchecked when read. */
  readonly repositories: readonly string[];
}

/**
 * `omitted`: the record in an incremental archive. `carried`: the list that `--write-list` writes
 * of an archive.
 */
export type BlobListKind = 'omitted' | 'carried';

/** The file of an archive that lists the layers it leaves out. Other readers ignore it. */
export const OMITTED_RECORD = 'regi-omitted.json';

const VERSION = 1;

const listShape = z.object({
  regi: z.string(),
  version: z.number(),
  blobs: z.array(
    z.object({ digest: z.string(), size: z.number(), repositories: z.array(z.string()) }),
  ),
});

/** Makes a list of blobs; the same blobs in any order give the same bytes. */
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
 * @param what names the list in messages: `the list "sent.json"`.
 * @throws {RegiError} INVALID_ARCHIVE when it is no list, or of another kind or version.
 */
export function parseBlobList(
  kind: BlobListKind,
  bytes: Uint8Array,
  what: string,
): readonly CarriedBlob[] {
  const refuse = (problem: string): RegiError =>
    new RegiError('INVALID_ARCHIVE', `Cannot read ${what}: ${problem}`, {
      hint: 'give the list that `regi export --write-list` wrote, or the archive itself',
    });
  const json = tryParseJson(bytes);
  if (json === undefined) throw refuse('expected JSON');
  const parsed = listShape.safeParse(json);
  if (!parsed.success) throw refuse(describeIssue(parsed.error));
  const { regi, version, blobs } = parsed.data;
  if (regi !== kind || version !== VERSION)
    throw refuse(
      `expected "${kind}" of version ${VERSION}, found ${quote(regi)} of version ${version}`,
    );
  return blobs.map(({ digest, size, repositories }) => {
    if (!isDigest(digest)) throw refuse(`expected a digest, found ${quote(digest)}`);
    if (!Number.isSafeInteger(size) || size < 0)
      throw refuse(`expected a size in whole bytes, found ${size}`);
    return { digest, size, repositories };
  });
}

/** Merges lists by digest; a blob of several lists has the repositories of all. */
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
