import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import { isDigestTag, type Digest } from '../../oci/digest.ts';
import { familiarReference } from '../../oci/reference.ts';
import { countReferrers } from '../../operations/referrers/count.ts';
import { summarizeImage } from '../../operations/inspect/summarize-image.ts';
import { quote } from '../../quote.ts';
import { imageLines, type ImageFormat } from '../../render/images.ts';
import { pageStyle } from '../../render/page-style.ts';
import type { Styled } from '../../styled.ts';
import { holdsImages, isBarePath, isWhole, type ImagesLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import type { ImageSource } from '../../targets/opened-store.ts';
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
  /** Those in the place, each once. */
  readonly platforms: readonly string[];
  /** How many signatures, SBOMs and other referrers an archive or layout has of it. */
  readonly referrers?: number | undefined;
  /** What it is, if it is no image. */
  readonly artifactType: string | undefined;
  /** A line of the table, with the header before the first one. */
  readonly line: Styled;
}

/**
 * Leaves out what is no image, such as a signature or an SBOM, and says how to list it.
 *
 * @param place as typed; the local store when absent.
 */
export function withoutArtifacts<T extends Pick<ImageRow, 'artifactType' | 'tag'>>(
  rows: readonly T[],
  { settings, note }: Context,
  place?: string,
): readonly T[] {
  // The signatures of cosign have the config of an image. Their tags tell them apart.
  const images = rows.filter(
    ({ artifactType, tag }) => artifactType === undefined && !isDigestTag(tag ?? ''),
  );
  const count = rows.length - images.length;
  if (count > 0 && !settings.quiet)
    note(
      `Left out ${formatCount(count, 'artifact')}; to list artifacts too, type: regi images -a${place === undefined ? '' : ` ${place}`}`,
    );
  return images;
}

export interface ImagesInOptions {
  readonly format: ImageFormat;
  /** True to show full ids. */
  readonly whole: boolean;
  /** True to list artifacts too. */
  readonly all: boolean;
  /** The place as it was typed. */
  readonly typed: string;
}

/** Lists the images of archives and layouts, in the order of each place. */
export async function* imagesIn(
  places: readonly ImagesLocation[],
  options: ImagesInOptions,
  context: Context,
): AsyncIterable<ImageRow> {
  yield* withStores(context, {}, async function* (stores) {
    const rows: PlainRow[] = [];
    for (const place of places)
      rows.push(...(await rowsOf(await stores.openImages(place), place, context)));
    if (rows.length === 0) context.note('There are no images');
    yield* imageTable(rows, options, context);
  });
}

type PlainRow = Omit<ImageRow, 'line'>;

/** Gives every row its line. */
export function* imageTable(
  rows: readonly PlainRow[],
  { format, whole, all, typed }: ImagesInOptions,
  context: Context,
): Iterable<ImageRow> {
  const style = { ...pageStyle(context), whole, contents: true, now: context.io.clock.now() };
  const shown = all ? rows : withoutArtifacts(rows, context, typed);
  const lines = imageLines(shown, format, style);
  for (const [index, row] of shown.entries()) yield { ...row, line: lines[index] ?? '' };
}

/** Reads what a list shows of each image. Warns of damaged images. */
export async function rowsOf(
  { store, images }: ImageSource,
  place: ImagesLocation,
  { signal, warn }: Context,
): Promise<readonly PlainRow[]> {
  const rows: PlainRow[] = [];
  for (const { name, repository, tag, root } of images) {
    const { problem, labels: _labels, ...summary } = await summarizeImage(store, root, { signal });
    if (problem !== undefined)
      warn(`${name ?? root.digest} in ${place.kind}:${place.path} is damaged: ${problem}`);
    const referrers =
      problem === undefined ? await countReferrers(store, root, images, signal) : undefined;
    const shown = repository === undefined ? undefined : familiarReference(repository);
    const { digest } = root;
    rows.push({ name, repository: shown, tag, digest, manifest: digest, ...summary, referrers });
  }
  return rows;
}
