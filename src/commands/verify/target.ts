import { UsageError } from '../../errors.ts';
import type { Context } from '../../context.ts';
import type { NamedRoot, VerifyOptions } from '../../operations/inspect/verify-image.ts';
import { quote } from '../../quote.ts';
import type { Source } from '../../store.ts';
import { holdsImages, isArchive, isWhole, suffixOf } from '../../targets/location.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { parseSourceLocation } from '../../targets/path.ts';

/** The images to verify: one, or all that a place holds. */
export interface VerifyTarget extends Pick<VerifyOptions, 'blobs' | 'isSparse' | 'omitted'> {
  readonly source: Source;
  readonly roots: readonly NamedRoot[];
}

/**
 * Opens an argument of `regi verify`.
 *
 * @param bases paths of archives with the layers that an incremental one leaves out.
 * @throws {UsageError} when there are bases, and the argument is no archive.
 */
export async function openVerifyTarget(
  text: string,
  bases: readonly string[],
  stores: Stores,
  { io, signal }: Context,
): Promise<VerifyTarget> {
  const location = text === 'local:' ? 'local' : await parseSourceLocation(text, io);
  if (bases.length > 0 && (location === 'local' || !isArchive(location)))
    throw new UsageError(`Cannot use "--base" with ${quote(text)}: expected an archive`, {
      hint: 'drop --base',
    });
  if (location !== 'local' && !holdsImages(location)) {
    const { store, reference } = await stores.open(location, 'source');
    const descriptor = await store.resolve(reference, { signal });
    return { source: store, roots: [{ name: text, descriptor }] };
  }
  const { store, images, omitted, isSparse, blobs } = await stores.openImages(location, bases);
  const common = {
    source: store,
    isSparse,
    omitted: new Set(omitted.map(({ digest }) => digest)),
  };
  if (location === 'local' || isWhole(location))
    return {
      ...common,
      roots: images.map(({ name, root }) => ({ name, descriptor: root })),
      blobs,
    };
  const { tag = '', digest = tag } = suffixOf(location);
  return {
    ...common,
    roots: [{ name: text, descriptor: await store.resolve(digest, { signal }) }],
  };
}
