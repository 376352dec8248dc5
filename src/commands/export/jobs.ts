import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { parseReference, parseTag, type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { ExportJob } from '../../operations/archive/collect-images.ts';
import { tagFilter } from '../../operations/tags/select-tags.ts';
import {
  type ArchiveLocation,
  type LayoutLocation,
  type Location,
  parseLocation,
  parseRepositoryLocation,
} from '../../targets/location.ts';
import type { Stores } from '../../targets/open-store.ts';
import { flag, value, values } from '../arguments/arguments.ts';
import { matchingTags, noTagError } from '../arguments/matching-tags.ts';
import { readList } from '../arguments/read-list.ts';
import { ListLineError } from '../copy/list.ts';
import { nameInArchive } from '../copy/to-archive.ts';

/**
 * The images that a command line names, in its order: those of its words, then those of `--from`. An archive or layout without a
 * name behind it is all its images. Everything that was typed is parsed before the first image is begun.
 */
export async function* exportJobs(
  args: ParsedArguments,
  stores: Stores,
  context: Context,
): AsyncIterable<ExportJob> {
  const patterns = values(args, 'tags');
  const manyTags = flag(args, 'all-tags') || patterns.length > 0;
  const file = value(args, 'from');
  const typed = args.positionals.map((text) => ({
    text,
    source: manyTags ? parseRepositoryLocation(text) : parseLocation(text),
    name: undefined,
  }));
  const listed =
    file === undefined
      ? []
      : parseExportList(
          await readList(file, context),
          file === '-' ? 'standard input' : JSON.stringify(file),
        );
  if (typed.length === 0 && listed.length === 0) throw nothingToExport(file);
  for (const image of typed) {
    if (isWhole(image.source)) yield* heldJobs(image.source, image.text, patterns, stores);
    else if (manyTags) yield* tagJobs(image, patterns, stores, context);
    else yield oneJob(image, stores);
  }
  for (const image of listed) {
    if (isWhole(image.source) && image.name === undefined)
      yield* heldJobs(image.source, image.text, [], stores);
    else yield oneJob(image, stores);
  }
}

/** A place, and all that it holds. */
function isWhole(location: Location): location is ArchiveLocation | LayoutLocation {
  return (
    'path' in location &&
    location.kind !== 'dir' &&
    location.reference === undefined &&
    location.digest === undefined
  );
}

async function oneJob({ source, text, name }: ListedExport, stores: Stores): Promise<ExportJob> {
  const from = await stores.open(source, 'source');
  const named = name === undefined ? nameInArchive(from, source, undefined) : { name };
  return { source: from.store, reference: from.reference, ...named, image: text };
}

async function* tagJobs(
  { source, text }: ListedExport,
  patterns: readonly string[],
  stores: Stores,
  context: Context,
): AsyncIterable<ExportJob> {
  const from = await stores.open(source, 'source');
  if ('path' in source)
    throw new UsageError(`Cannot use --all-tags or --tags with "${text}": it holds one image`, {
      hint: `type: regi copy ${text} archive:FILE`,
    });
  const { domain, path } = source.reference;
  for await (const tag of matchingTags(from, patterns, context)) {
    yield {
      source: from.store,
      reference: tag,
      name: { domain, path, tag: parseTag(tag) },
      image: `${text}:${tag}`,
    };
  }
}

/** What signs or describes an image comes along with it where the place lists it as an image of its own. */
async function* heldJobs(
  location: ArchiveLocation | LayoutLocation,
  text: string,
  patterns: readonly string[],
  stores: Stores,
): AsyncIterable<ExportJob> {
  const accepts = tagFilter(patterns);
  const { store, images } = await stores.openImages(location);
  const wanted = images.filter(
    ({ tag }) => patterns.length === 0 || (tag !== undefined && accepts(tag)),
  );
  if (wanted.length === 0) throw noTagError(text, patterns);
  for (const { name, repository, tag, root } of wanted) {
    const own = tag === undefined ? { digest: root.digest } : { tag: parseTag(tag) };
    const named =
      repository === undefined ? tag !== undefined && { tag } : { name: { ...repository, ...own } };
    yield {
      source: store,
      reference: name ?? root.digest,
      ...named,
      image: name === undefined ? `${text}@${root.digest}` : `${text}:${name}`,
    };
  }
}

function nothingToExport(file: string | undefined): UsageError {
  return file === undefined
    ? new UsageError('Cannot export: expected an image', {
        hint: 'type: regi export REF… -o FILE, or give a list with --from',
      })
    : new UsageError('Cannot export: the list names no images', { hint: 'write one image a line' });
}

/** A line of a list of images to export. */
export interface ListedExport {
  readonly source: Location;
  /** As typed. */
  readonly text: string;
  /** What the image is called in the archive, if the line says so. */
  readonly name: Reference | undefined;
}

/**
 * Parses a list of `REF [NAME]`, one a line; empty lines and those that begin with # are passed over.
 *
 * @param list its name, for messages.
 * @throws {ListLineError} at the first line that is none.
 */
function parseExportList(text: string, list: string): readonly ListedExport[] {
  return text.split('\n').flatMap((whole, index) => {
    const words = whole.trim().split(/\s+/);
    const [source = '', name, extra] = words;
    if (source === '' || source.startsWith('#')) return [];
    const line = index + 1;
    if (extra !== undefined) {
      const problem = `expected "REF [NAME]", found ${words.length} words`;
      throw new ListLineError({
        name: list,
        line,
        problem,
        hint: 'write an image and, with a blank between, what it is to be called',
      });
    }
    try {
      return [
        {
          source: parseLocation(source),
          text: source,
          name: name === undefined ? undefined : withDefaultTag(parseReference(name)),
        },
      ];
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      throw new ListLineError(
        { name: list, line, problem: error.message, hint: error.hint },
        error,
      );
    }
  });
}
