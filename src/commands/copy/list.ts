import { UsageError } from '../../errors.ts';
import type { Io } from '../../io.ts';
import { formatReference, imageName, withDefaultTag } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import type { Location } from '../../targets/location.ts';
import { parseDestinationLocation, parseSourceLocation } from '../../targets/path.ts';
import { parseLines } from '../arguments/read-list.ts';

/** A line of a list of images to copy. */
export interface ListedCopy {
  readonly source: Location;
  readonly destination: Location;
  /** The destination as it was written, or made from the prefix. */
  readonly image: string;
}

/**
 * Parses a list of `SRC [DST]`, one a line. A line without DST gets it from the prefix:
 * PREFIX/repository:tag.
 *
 * @param options.name of the list, for messages.
 * @throws {RegiError} at the first line that is malformed or has the destination of an earlier one.
 */
export async function parseCopyList(
  text: string,
  { name, prefix }: { readonly name: string; readonly prefix: string | undefined },
  folder: Pick<Io, 'cwd'>,
): Promise<readonly ListedCopy[]> {
  const earlier = new Map<string, number>();
  return parseLines(text, { name, form: 'SRC [DST]' }, async ([from, to], line, isLock) => {
    if (isLock && to !== undefined && prefix !== undefined)
      throw new UsageError(`expected no destination beside the PREFIX ${quote(prefix)}`, {
        hint: 'the lock names destinations itself: leave PREFIX out',
      });
    const source = await parseSourceLocation(from, folder);
    const image = to ?? prefixed(source, prefix);
    if (image === undefined)
      throw new UsageError(`expected a destination beside ${quote(from)}`, {
        hint:
          source.kind === 'registry'
            ? 'write one on the line, or give a PREFIX to the command'
            : 'write one on the line: only images of registries get theirs from a PREFIX',
      });
    const destination = await parseDestinationLocation(image, folder);
    const key = keyOf(destination);
    const before = key === undefined ? undefined : earlier.get(key);
    if (before !== undefined)
      throw new UsageError(`line ${before} also copies to ${quote(image)}`, {
        hint: 'give each image a destination of its own',
      });
    if (key !== undefined) earlier.set(key, line);
    return { source, destination, image };
  });
}

function prefixed(source: Location, prefix: string | undefined): string | undefined {
  if (prefix === undefined || source.kind !== 'registry') return undefined;
  const { path, tag, digest } = source.reference;
  return imageName(
    `${prefix.replace(/\/$/, '')}/${path}`,
    tag === undefined ? { digest } : { tag },
  );
}

/**
 * Returns the name that an image gets there; undefined where it gets none, or where only its place
 * decides.
 */
function keyOf(destination: Location): string | undefined {
  if ('path' in destination) return undefined;
  const { tag, ...named } = withDefaultTag(destination.reference);
  return tag === undefined
    ? undefined
    : `${destination.kind}:${formatReference({ ...named, digest: undefined, tag })}`;
}
