import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import type { Digest } from '../../oci/digest.ts';
import { familiarReference } from '../../oci/reference.ts';
import { summarizeImage } from '../../operations/inspect/summarize-image.ts';
import { quote } from '../../quote.ts';
import { imageLines, type ImageFormat } from '../../render/images.ts';
import { pageStyle } from '../../render/page-style.ts';
import type { Styled } from '../../styled.ts';
import { holdsImages, isBarePath, isWhole, type ImagesLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import { archivesIn, kindOfPath, parseSourceLocation } from '../../targets/path.ts';

/**
 * Returns the archives and layouts that a word means: one, or the archives of a folder. Undefined
 * for the name of an image.
 *
 * @throws {UsageError} for one image of a place.
 */
export async function placesOf(
  typed: string,
  { io }: Context,
): Promise<readonly ImagesLocation[] | undefined> {
  const path = resolve(io.cwd, typed);
  if (isBarePath(typed) && (await kindOfPath(path)) === 'folder') {
    const archives = await archivesIn(path);
    if (archives !== undefined) return archives.map((file) => ({ kind: 'archive', path: file }));
  }
  // A glob is no reference.
  if (/[*?[{]/.test(typed)) return undefined;
  const location = await parseSourceLocation(typed, io);
  if (!holdsImages(location)) return undefined;
  if (isWhole(location)) return [location];
  throw new UsageError(`Cannot list ${quote(typed)}: expected an archive or a layout as a whole`, {
    hint: `type: regi inspect ${typed}, or regi images ${location.kind}:${location.path}`,
  });
}

/** An image of the local store, an archive or a layout by one of its names. */
export interface ImageRow {
  /** In full; undefined for an image without a name. */
  readonly name: string | undefined;
  /** As people write it: `nginx`. */
  readonly repository: string | undefined;
  readonly tag: string | undefined;
  /** The digest that was pulled: that of an index, even if only one platform of it is stored. */
  readonly digest: string;
  readonly manifest: Digest;
  readonly id: Digest;
  readonly created: string | undefined;
  /** Compressed size in bytes. */
  readonly size: number;
  readonly platform: string | undefined;
  /** What it is, if it is no image. */
  readonly artifactType: string | undefined;
  /** A line of the table, with the header before the first one. */
  readonly line: Styled;
}

/** Leaves out what is no image, such as a signature or an SBOM, and says how to list it. */
export function withoutArtifacts<T extends { readonly artifactType: string | undefined }>(
  rows: readonly T[],
  { settings, note }: Context,
): readonly T[] {
  const images = rows.filter(({ artifactType }) => artifactType === undefined);
  const count = rows.length - images.length;
  if (count > 0 && !settings.quiet)
    note(`Left out ${formatCount(count, 'artifact')}; to list artifacts too, type: regi images -a`);
  return images;
}

/** Lists the images of archives and layouts, in the order of each place. */
export async function* imagesIn(
  places: readonly ImagesLocation[],
  {
    format,
    whole,
    all,
  }: { readonly format: ImageFormat; readonly whole: boolean; readonly all: boolean },
  context: Context,
): AsyncIterable<ImageRow> {
  const { signal, warn, note, io } = context;
  yield* withStores(context, {}, async function* (stores) {
    const rows: Omit<ImageRow, 'line'>[] = [];
    for (const place of places) {
      const { store, images } = await stores.openImages(place);
      for (const { name, repository, tag, root } of images) {
        const {
          problem,
          labels: _labels,
          ...summary
        } = await summarizeImage(store, root, { signal });
        if (problem !== undefined)
          warn(`${name ?? root.digest} in ${place.kind}:${place.path} is damaged: ${problem}`);
        const shown = repository === undefined ? undefined : familiarReference(repository);
        const { digest } = root;
        rows.push({ name, repository: shown, tag, digest, manifest: digest, ...summary });
      }
    }
    if (rows.length === 0) note('There are no images');
    const style = { ...pageStyle(context), whole, now: io.clock.now() };
    const shown = all ? rows : withoutArtifacts(rows, context);
    const lines = imageLines(shown, format, style);
    for (const [index, row] of shown.entries()) yield { ...row, line: lines[index] ?? '' };
  });
}
