/** What a 206 carries. */
export interface ContentRange {
  /** First byte, from 0. */
  readonly start: number;
  /** Size of the whole; undefined when the server does not know. Bytes. */
  readonly total: number | undefined;
}

/**
 * Parses the `Content-Range` of a 206 answer; undefined when it is malformed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.4
 */
export function parseContentRange(text: string | undefined): ContentRange | undefined {
  const match = /^\s*bytes\s+(\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)\s*$/i.exec(text ?? '');
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  const total = match[3] === '*' ? undefined : Number(match[3]);
  const isSound = Number.isSafeInteger(end) && start <= end && (total === undefined || end < total);
  return isSound ? { start, total } : undefined;
}
