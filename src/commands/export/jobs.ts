import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import {
  imageName,
  parseReference,
  parseTag,
  repositoryName,
  type Reference,
  withDefaultTag,
} from '../../oci/reference.ts';
import type { ExportJob } from '../../operations/archive/collect-images.ts';
import { tagFilter } from '../../operations/tags/select-tags.ts';
import { quote } from '../../quote.ts';
import {
  holdsImages,
  type ImagesLocation,
  isWhole,
  type Location,
} from '../../targets/location.ts';
import type { OpenOptions, Stores } from '../../targets/opened-store.ts';
import { parseSourceLocation, parseSourceRepository } from '../../targets/path.ts';
import type { TrustPolicy } from '../../trust/policy.ts';
import { flag, value, values } from '../arguments/arguments.ts';
import { matchingTags, noTagError, type Unusable } from '../arguments/matching-tags.ts';
import { listName, parseLines, readList, refuseYaml } from '../arguments/read-list.ts';
import { isDockerSave } from './destination.ts';
import { nameInArchive } from '../copy/to-archive.ts';
import { gateOfCopy, isSignature } from '../trust/gates.ts';
import { readPolicy } from '../trust/policy.ts';

/** A word of the command line or a line of a list. */
interface Requested {
  readonly source: Location;
  /** As typed. */
  readonly text: string;
  /** The image's name in the archive, if the line gives one. */
  readonly name?: Reference | undefined;
}

/**
 * Yields the images of a command line, then those of `--from`. Without a name, an archive or layout
 * means all its images. All arguments are parsed before the first image begins.
 */
export async function* exportJobs(
  args: ParsedArguments,
  stores: Stores,
  context: Context,
  unusable: Unusable,
): AsyncIterable<ExportJob> {
  const patterns = values(args, 'tags');
  const manyTags = flag(args, 'all-tags') || patterns.length > 0;
  const policy = await readPolicy(args, context);
  const file = value(args, 'from');
  const parse = manyTags ? parseSourceRepository : parseSourceLocation;
  const typed = await Promise.all(
    args.positionals.map(async (text): Promise<Requested> => ({
      text,
      source: await parse(text, context.io),
    })),
  );
  const listed = file === undefined ? [] : await parseExportList(file, context);
  if (typed.length === 0 && listed.length === 0) throw nothingToExport(file);
  // `docker save` takes images of this machine.
  const local = isDockerSave(args) ? { preferLocal: true } : { orLocal: true };
  const oneOfMany = typed.length + listed.length > 1;
  for (const image of typed) {
    if (isWhole(image.source) && holdsImages(image.source))
      yield* heldJobs(image.source, image.text, { patterns, policy }, stores, unusable);
    else if (manyTags) yield* tagJobs(image, { patterns, policy }, stores, context, unusable);
    else yield await oneJob(image, policy, stores, { ...local, oneOfMany });
  }
  for (const image of listed) {
    if (isWhole(image.source) && holdsImages(image.source) && image.name === undefined)
      yield* heldJobs(image.source, image.text, { patterns: [], policy }, stores, unusable);
    else yield await oneJob(image, policy, stores, { ...local, oneOfMany });
  }
}

interface Selection {
  readonly patterns: readonly string[];
  readonly policy: TrustPolicy | undefined;
}

async function oneJob(
  { source, text, name }: Requested,
  policy: TrustPolicy | undefined,
  stores: Stores,
  { oneOfMany, ...local }: OpenOptions & { readonly oneOfMany: boolean },
): Promise<ExportJob> {
  const from = await stores.open(source, 'source', local);
  const { fullName, isRemote } = from;
  const gate = await gateOfCopy(policy, { source, text, fullName, isRemote }, stores);
  const named = name === undefined ? nameInArchive(from, source, undefined) : { name };
  return { source: from.store, reference: from.reference, ...named, image: text, oneOfMany, gate };
}

async function* tagJobs(
  { source, text }: Requested,
  { patterns, policy }: Selection,
  stores: Stores,
  context: Context,
  unusable: Unusable,
): AsyncIterable<ExportJob> {
  const from = await stores.open(source, 'source');
  if ('path' in source)
    throw new UsageError(
      `Cannot use --all-tags or --tags with ${quote(text)}: it holds one image`,
      { hint: `type: regi copy ${text} archive:FILE` },
    );
  const { domain, path } = source.reference;
  const { isRemote } = from;
  for await (const tag of matchingTags(from, patterns, context, unusable)) {
    const image = imageName(text, { tag });
    const gate = await gateOfCopy(policy, { source, text: image, isRemote, tag }, stores);
    yield {
      source: from.store,
      reference: tag,
      name: { domain, path, tag: parseTag(tag) },
      image,
      oneOfMany: true,
      gate,
    };
  }
}

/** Yields all images of a place; signatures come along where the place lists them as images. */
async function* heldJobs(
  location: ImagesLocation,
  text: string,
  { patterns, policy }: Selection,
  stores: Stores,
  unusable: Unusable,
): AsyncIterable<ExportJob> {
  const accepts = tagFilter(patterns);
  const { store, images, unusable: unread = [] } = await stores.openImages(location);
  unusable.addImages(unread.length);
  const wanted = images.filter(
    ({ tag }) => patterns.length === 0 || (tag !== undefined && accepts(tag)),
  );
  if (wanted.length === 0) throw noTagError(text, patterns);
  const gate = await gateOfCopy(policy, { source: location, text }, stores);
  const oneOfMany = images.length > 1;
  for (const { name, repository, tag, root } of wanted) {
    // They are added beside the images that they sign.
    if (gate !== undefined && (await isSignature(store, root))) continue;
    const own = tag === undefined ? { digest: root.digest } : { tag: parseTag(tag) };
    const named = repository === undefined ? { tag } : { name: { ...repository, ...own } };
    const image = imageName(text, name === undefined ? root : { tag: name });
    const inside = repository && repositoryName(repository);
    const gated = gate && { ...gate, name: image, repository: inside };
    const reference = name ?? root.digest;
    yield { source: store, reference, ...named, image, oneOfMany, gate: gated };
  }
}

function nothingToExport(file: string | undefined): UsageError {
  return file === undefined
    ? new UsageError('Cannot export: expected an image', {
        hint: 'type: regi export REF… -o FILE, or give a list with --from',
      })
    : new UsageError('Cannot export: the list names no images', { hint: 'write one image a line' });
}

/**
 * Parses a list of `REF [NAME]`, one a line.
 *
 * @throws {RegiError} at the first malformed line.
 */
async function parseExportList(file: string, context: Context): Promise<readonly Requested[]> {
  refuseYaml(file);
  const text = await readList(file, context);
  const list = { name: listName(file), form: 'REF [NAME]' };
  return parseLines(text, list, async ([source, renamed]) => ({
    source: await parseSourceLocation(source, context.io),
    text: source,
    name: renamed === undefined ? undefined : withDefaultTag(parseReference(renamed)),
  }));
}
