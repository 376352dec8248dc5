import { RegiError, UsageError } from '../../errors.ts';
import { isDigest } from '../../oci/digest.ts';
import { quote } from '../../quote.ts';
import { explicitReference } from '../file/names.ts';
import { isPlace } from '../file/places.ts';

/** One image at one digest: a line of a LOCK. */
export interface LockLine {
  /** `SRC:TAG@DIGEST`, or `SRC@DIGEST`. */
  readonly source: string;
  /** `DST:TAG`; undefined in a list of images alone. */
  readonly destination: string | undefined;
  /** `entry`, `bytes`, `platforms`, `digest` and others, in order. */
  readonly facts: ReadonlyMap<string, string>;
}

/** Formats lines sorted, so that two runs can be compared. */
export function formatLock(lines: readonly LockLine[]): string {
  const texts = lines.map(({ source, destination, facts }) =>
    [
      source,
      ...(destination === undefined ? [] : [destination]),
      ...[...facts].map(
        ([key, value]) =>
          `${key}=${encodeURIComponent(value).replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%2C', ',')}`,
      ),
    ].join(' '),
  );
  return [...new Set(texts)]
    .toSorted()
    .map((line) => `${line}\n`)
    .join('');
}

/**
 * Parses a LOCK: `SRC:TAG@DIGEST DST:TAG key=value…`, with `#` before comments.
 *
 * @throws {RegiError} at the first line that is malformed.
 */
export function parseLock(text: string, name: string): readonly LockLine[] {
  return text.split('\n').flatMap((whole, index) => {
    const words = whole
      .replace(/(?:^|\s)#.*$/, '')
      .trim()
      .split(/\s+/);
    if (words[0] === '' || words[0] === undefined) return [];
    try {
      return [parseLine(words[0], words.slice(1))];
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      throw new UsageError(`Cannot use line ${index + 1} of ${name}: ${error.message}`, {
        hint: error.hint,
      });
    }
  });
}

function parseLine(source: string, rest: readonly string[]): LockLine {
  const reference = explicitReference(source);
  if (reference?.digest === undefined || !isDigest(reference.digest))
    throw new UsageError(`expected SRC:TAG@DIGEST, found ${quote(source)}`, {
      hint: 'regi sync --write-lock writes such lines',
    });
  const places = rest.filter((word) => !word.includes('='));
  const [destination, more] = places;
  if (more !== undefined)
    throw new UsageError(`expected one destination, found ${quote(more)} too`, {
      hint: 'write SRC:TAG@DIGEST DST:TAG key=value…',
    });
  const isKnown = destination === undefined || isPlace(destination);
  if (!isKnown && explicitReference(destination) === undefined)
    throw new UsageError(`expected a destination with its registry, found ${quote(destination)}`);
  const facts = rest
    .filter((word) => word.includes('='))
    .map((word): readonly [string, string] => {
      const at = word.indexOf('=');
      return [word.slice(0, at), decoded(word.slice(at + 1))];
    });
  return { source, destination, facts: new Map(facts) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UsageError(`expected text with %-escapes, found ${quote(text)}`);
  }
}
