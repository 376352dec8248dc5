import type { ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import { parseTag } from '../oci/reference.ts';
import type { ExportJob } from '../operations/collect-images.ts';
import { tagFilter } from '../operations/select-tags.ts';
import { UsageError } from '../usage-error.ts';
import { flag, value, values } from './arguments.ts';
import { nameInArchive } from './copy-to-archive.ts';
import { parseExportList, type ListedExport } from './export-list.ts';
import { parseLocation, parseRepositoryLocation, type ArchiveLocation, type LayoutLocation, type Location } from '../locations/location.ts';
import { matchingTags, NoTagError } from './matching-tags.ts';
import type { Stores } from '../locations/open-store.ts';
import { readList } from './read-list.ts';

/**
 * The images that a command line names, in its order: those of its words, then those of `--from`. An archive or layout without a
 * name behind it is all its images. Everything that was typed is parsed before the first image is begun.
 */
export async function* exportJobs(args: ParsedArguments, stores: Stores, context: Context): AsyncIterable<ExportJob> {
  const patterns = values(args, 'tags');
  const manyTags = flag(args, 'all-tags') || patterns.length > 0;
  const file = value(args, 'from');
  const typed = args.positionals.map((text) => ({ text, source: manyTags ? parseRepositoryLocation(text) : parseLocation(text), name: undefined }));
  const listed = file === undefined ? [] : parseExportList(await readList(file, context), file === '-' ? 'standard input' : JSON.stringify(file));
  if (typed.length === 0 && listed.length === 0) throw nothingToExport(file);
  for (const image of typed) {
    if (isWhole(image.source)) yield* heldJobs(image.source, image.text, patterns, stores);
    else if (manyTags) yield* tagJobs(image, patterns, stores, context);
    else yield oneJob(image, stores);
  }
  for (const image of listed) {
    if (isWhole(image.source) && image.name === undefined) yield* heldJobs(image.source, image.text, [], stores);
    else yield oneJob(image, stores);
  }
}

/** A place, and all that it holds. */
function isWhole(location: Location): location is ArchiveLocation | LayoutLocation {
  return 'path' in location && location.kind !== 'dir' && location.reference === undefined && location.digest === undefined;
}

async function oneJob({ source, text, name }: ListedExport, stores: Stores): Promise<ExportJob> {
  const from = await stores.open(source, 'source');
  const named = name === undefined ? nameInArchive(from, source, undefined) : { name };
  return { source: from.store, reference: from.reference, ...named, image: text };
}

async function* tagJobs({ source, text }: ListedExport, patterns: readonly string[], stores: Stores, context: Context): AsyncIterable<ExportJob> {
  const from = await stores.open(source, 'source');
  if ('path' in source)
    throw new UsageError(`Cannot use --all-tags or --tags with "${text}": it holds one image`, { hint: `type: regi copy ${text} archive:FILE` });
  const { domain, path } = source.reference;
  for await (const tag of matchingTags(from, patterns, context)) {
    yield { source: from.store, reference: tag, name: { domain, path, tag: parseTag(tag) }, image: `${text}:${tag}` };
  }
}

/** What signs or describes an image comes along with it where the place lists it as an image of its own. */
async function* heldJobs(location: ArchiveLocation | LayoutLocation, text: string, patterns: readonly string[], stores: Stores): AsyncIterable<ExportJob> {
  const accepts = tagFilter(patterns);
  const { store, images } = await stores.openImages(location);
  const wanted = images.filter(({ tag }) => patterns.length === 0 || (tag !== undefined && accepts(tag)));
  if (wanted.length === 0) throw new NoTagError(text, patterns);
  for (const { name, repository, tag, root } of wanted) {
    const own = tag === undefined ? { digest: root.digest } : { tag: parseTag(tag) };
    const named = repository === undefined ? tag !== undefined && { tag } : { name: { ...repository, ...own } };
    yield { source: store, reference: name ?? root.digest, ...named, image: `${text}:${name ?? root.digest}` };
  }
}

function nothingToExport(file: string | undefined): UsageError {
  return file === undefined
    ? new UsageError('Cannot export: expected an image', { hint: 'type: regi export REF… -o FILE, or give a list with --from' })
    : new UsageError('Cannot export: the list names no images', { hint: 'write one image a line' });
}
