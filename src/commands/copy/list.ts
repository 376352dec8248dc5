import { RegiError } from '../../errors.ts';
import { parseLocation, type Location } from '../../targets/location.ts';

/** A line of a list of images. */
export interface ListedCopy {
  readonly source: Location;
  readonly destination: Location;
  /** The destination as it was written, or made of the prefix. */
  readonly image: string;
}

/** A line that cannot be used, and which one it is. */
export class ListLineError extends RegiError {
  /** From 1. */
  readonly line: number;

  constructor(
    {
      name,
      line,
      problem,
      hint,
    }: { name: string; line: number; problem: string; hint: string | undefined },
    cause?: RegiError,
  ) {
    super(cause?.code ?? 'USAGE', `Cannot use line ${line} of ${name}: ${problem}`, {
      hint,
      cause,
    });
    this.line = line;
  }
}

/**
 * Parses a list of `SRC [DST]`, one a line; empty lines and those that begin with # are passed over. A line without DST gets it
 * from the prefix: PREFIX/repository:tag.
 *
 * @param options.name of the list, for messages.
 * @throws {ListLineError} at the first line that is none, or that names the destination of an earlier one.
 */
export function parseCopyList(
  text: string,
  { name, prefix }: { readonly name: string; readonly prefix: string | undefined },
): readonly ListedCopy[] {
  const earlier = new Map<string, number>();
  return text.split('\n').flatMap((whole, index) => {
    const words = whole.trim().split(/\s+/);
    const [from = '', to, extra] = words;
    if (from === '' || from.startsWith('#')) return [];
    const line = index + 1;
    const refuse = (problem: string, hint: string): ListLineError =>
      new ListLineError({ name, line, problem, hint });
    if (extra !== undefined)
      throw refuse(
        `expected "SRC [DST]", found ${words.length} words`,
        'write a source and a destination, with a blank between',
      );
    try {
      const source = parseLocation(from);
      const image = to ?? prefixed(source, prefix);
      if (image === undefined)
        throw refuse(`expected a destination beside ${JSON.stringify(from)}`, missingHint(source));
      const destination = parseLocation(image);
      const key = keyOf(destination);
      const before = key === undefined ? undefined : earlier.get(key);
      if (before !== undefined)
        throw refuse(
          `line ${before} copies to ${JSON.stringify(image)} too`,
          'give each image a destination of its own',
        );
      if (key !== undefined) earlier.set(key, line);
      return [{ source, destination, image }];
    } catch (error) {
      if (!(error instanceof RegiError) || error instanceof ListLineError) throw error;
      throw new ListLineError({ name, line, problem: error.message, hint: error.hint }, error);
    }
  });
}

function prefixed(source: Location, prefix: string | undefined): string | undefined {
  if (prefix === undefined || source.kind !== 'registry') return undefined;
  const { path, tag, digest } = source.reference;
  return `${prefix.replace(/\/$/, '')}/${path}${tag === undefined ? '' : `:${tag}`}${digest === undefined || tag !== undefined ? '' : `@${digest}`}`;
}

function missingHint(source: Location): string {
  return source.kind === 'registry'
    ? 'write one on the line, or give a PREFIX to the command'
    : 'write one on the line: only images of registries get theirs from a PREFIX';
}

/** The name that an image gets there; undefined where it gets none, or where only its place knows which. */
function keyOf({ kind, reference }: Location): string | undefined {
  if (typeof reference !== 'object') return undefined;
  const { domain, path, tag, digest } = reference;
  return tag === undefined && digest !== undefined
    ? undefined
    : `${kind}:${domain}/${path}:${tag ?? 'latest'}`;
}
