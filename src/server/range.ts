/** Bytes of a content that a request asks for. */
export type RangeRequest =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'unsatisfiable' };

const ONE_RANGE =
  /^bytes[ \t]*=[ \t]*(?:(\d{1,15})[ \t]*-[ \t]*(\d{1,15})?|-[ \t]*(\d{1,15}))[ \t]*$/i;

/**
 * Reads a Range header for a content of `size` bytes. Anything but one byte range is ignored, as RFC 9110 allows: the answer
 * is then the whole content.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.2
 */
export function parseRange(header: string | undefined, size: number): RangeRequest {
  const match = header === undefined ? undefined : ONE_RANGE.exec(header);
  if (!match) return { kind: 'whole' };
  const [, from, to, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), size);
    return length === 0
      ? { kind: 'unsatisfiable' }
      : { kind: 'part', first: size - length, last: size - 1 };
  }
  const first = Number(from);
  const last = to === undefined ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== undefined && Number(to) < first) return { kind: 'whole' };
  return first >= size ? { kind: 'unsatisfiable' } : { kind: 'part', first, last };
}

const CHUNK_RANGE = /^([0-9]{1,15})-([0-9]{1,15})$/;

/**
 * Reads the Content-Range of an upload's chunk: `<first>-<last>`, without unit and total.
 *
 * @returns undefined when it is malformed.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
 */
export function parseChunkRange(
  header: string,
): { readonly first: number; readonly last: number } | undefined {
  const match = CHUNK_RANGE.exec(header);
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2]);
  return last < first ? undefined : { first, last };
}
