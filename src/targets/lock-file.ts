import { formatReference, type Reference } from '../oci/reference.ts';

/**
 * A line of a lock: `SRC:TAG@DIGEST [DST:TAG] key=value…`. `copy --from`, `export --from`,
 * `sync --locked` and `refs lock` share the format. Readers ignore keys that they do not know.
 */
export interface LockLine {
  /** With a digest; the tag is a label. */
  readonly source: Reference;
  /** Where the image goes, as a reference; undefined in locks of `refs lock`. */
  readonly destination?: string | undefined;
  /** Facts such as `bytes` and `platforms`, without blanks. */
  readonly values: Readonly<Record<string, number | string | undefined>>;
}

/** Formats a lock: sorted, so that two locks of the same images are the same text. */
export function formatLock(lines: readonly LockLine[], comment: string): string {
  const body = lines.map(formatLockLine).toSorted();
  return `# ${comment}\n${body.map((line) => `${line}\n`).join('')}`;
}

export function formatLockLine({ source, destination, values }: LockLine): string {
  const pairs = Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${value}`],
  );
  const from = formatReference(source);
  return [from, ...(destination === undefined ? [] : [destination]), ...pairs].join(' ');
}

/** True for a word `key=value` of a lock line. No reference contains "=". */
export function isLockValue(word: string): boolean {
  return /^[a-zA-Z]+=/.test(word);
}
