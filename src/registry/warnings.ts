import { LIMITS } from '../limits.ts';
import { readQuotedString } from './quoted-string.ts';

const START_OF_WARNING = /[ \t,]*(?:299[ \t]+-[ \t]+)?/y;

/**
 * Reads the texts of a registry's `Warning` header: `299 - "text"`, several joined with commas. Other codes and agents are
 * not meant for people and are left out; so is all after a malformed part.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#warnings
 */
export function parseWarnings(header: string): readonly string[] {
  const texts: string[] = [];
  let index = 0;
  for (;;) {
    START_OF_WARNING.lastIndex = index;
    const start = START_OF_WARNING.exec(header)?.[0] ?? '';
    const isForPeople = start.includes('299');
    const quote = isForPeople ? index + start.length : header.indexOf('"', index);
    const quoted = quote < 0 ? undefined : readQuotedString(header, quote);
    if (quoted === undefined) return texts;
    if (isForPeople) texts.push(quoted.value);
    index = skipDate(header, quoted.end);
  }
}

/**
 * Makes the reader of one registry's warnings: it reports each text once, and no more than a screenful altogether, however
 * many answers repeat them.
 */
export function createWarningReader(
  report: (text: string) => void,
): (header: string | undefined) => void {
  const seen = new Set<string>();
  let bytes = 0;
  return (header) => {
    for (const text of parseWarnings(header ?? '')) {
      if (seen.has(text)) continue;
      bytes += Buffer.byteLength(text);
      if (bytes > LIMITS.warningBytes) return;
      seen.add(text);
      report(text);
    }
  };
}

/** Index after the quoted date that may follow a warning's text. */
function skipDate(header: string, end: number): number {
  const spaces = /[ \t]*/y;
  spaces.lastIndex = end;
  spaces.test(header);
  return readQuotedString(header, spaces.lastIndex)?.end ?? end;
}
