import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { parseDigest } from '../../oci/digest.ts';
import { formatPlatform, normalizePlatform, parsePlatform } from '../../oci/platform.ts';
import { imageName } from '../../oci/reference.ts';
import { PlatformNotFoundError, runnableEntries } from '../../operations/copy/choose-platform.ts';
import { copyImage, type CopyJob } from '../../operations/copy/copy-image.ts';
import { copyImages } from '../../operations/copy/copy-images.ts';
import { readManifest, type ManifestNode } from '../../operations/copy/read-manifest.ts';
import { CopySession } from '../../operations/copy/session.ts';
import {
  indexEntries,
  indexOf,
  newIndex,
  withEntries,
  withoutEntries,
} from '../../operations/edit/edit-index.ts';
import { memorySource, type MemoryNode } from '../../operations/edit/memory-source.ts';
import { hasReferrers } from '../../operations/referrers/warn.ts';
import type { Source } from '../../store.ts';
import { suffixOf, type Location } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import type { OpenedStore, Stores } from '../../targets/opened-store.ts';
import { parseDestinationLocation, parseSourceLocation } from '../../targets/path.ts';
import {
  annotationsOption,
  flag,
  locationArgument,
  positional,
  values,
} from '../arguments/arguments.ts';
import { transferOptions } from '../arguments/copy-options.ts';
import { listUntagged } from '../copy/copy.ts';
import { digestRow, digestText, type DigestRow } from '../output/digest-row.ts';

/** `regi index create`: gives images of several platforms one name. */
export const indexCreateCommand: CommandBody<DigestRow> = { run: runCreate, text: digestText };

/** `regi index add`: adds images to an index. */
export const indexAddCommand: CommandBody<DigestRow> = { run: runAdd, text: digestText };

/** `regi index remove`: removes images from an index. */
export const indexRemoveCommand: CommandBody<DigestRow> = { run: runRemove, text: digestText };

async function* runCreate(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const typed = positional(args, 0, 'the name of the index');
  const location = await parseDestinationLocation(typed, context.io);
  if (suffixOf(location).digest !== undefined)
    throw new UsageError(
      `Cannot create "${typed}": the digest of an index follows from its content`,
      { hint: 'drop the digest, and give a tag' },
    );
  const annotations = annotationsOption(args);
  yield* withStores(context, {}, async function* (stores) {
    const gathered = await gatherEntries(args.positionals.slice(1), location, stores, context);
    // Built before anything is copied, so that two images of one platform fail at once.
    const entries = gathered.map(({ entry }) => entry);
    const index = newIndex(entries, annotations);
    const opened = await stores.open(location, 'destination');
    await landEntries(gathered, opened, context);
    yield await landIndex(index, opened, context);
  });
}

async function* runAdd(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const location = await locationArgument(args, 0, 'an index', context);
  yield* changeIndex(location, context, async (before, opened, stores) => {
    const gathered = await gatherEntries(args.positionals.slice(1), location, stores, context);
    const entries = gathered.map(({ entry }) => entry);
    const index = withEntries(before, entries, flag(args, 'replace'));
    await landEntries(gathered, opened, context);
    return index;
  });
}

async function* runRemove(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const typed = positional(args, 0, 'an index');
  const location = await parseSourceLocation(typed, context.io);
  const digests = args.positionals.slice(1).map((text) => parseDigest(text.replace(/^@/, '')));
  const platforms = values(args, 'platform');
  const hint = `see what it lists: regi inspect ${typed}`;
  if (digests.length === 0 && platforms.length === 0)
    throw new UsageError(
      `Cannot remove anything from "${typed}": expected a digest or --platform`,
      { hint },
    );
  yield* changeIndex(location, context, async (before, opened) => {
    const listed = digests.map((digest) => {
      const entry = indexOf(before).manifests.find((candidate) => candidate.digest === digest);
      if (entry !== undefined) return entry;
      throw new RegiError(
        'NOT_FOUND',
        `Cannot remove ${digest} from "${typed}": the index does not list it`,
        { hint },
      );
    });
    return withoutEntries(before, [
      ...listed,
      ...(platforms.length === 0 ? [] : await ofPlatforms(before, platforms, opened, context)),
    ]);
  });
}

/** Reads an index, and replaces it by the one that `change` returns. */
async function* changeIndex(
  location: Location,
  context: Context,
  change: (before: ManifestNode, opened: OpenedStore, stores: Stores) => Promise<MemoryNode>,
): AsyncIterable<DigestRow> {
  const { signal } = context;
  yield* withStores(context, {}, async function* (stores) {
    const opened = await stores.open(location, 'change');
    const { store, reference } = opened;
    const before = await readManifest(store, await store.resolve(reference, { signal }), {
      signal,
    });
    const row = await landIndex(await change(before, opened, stores), opened, context);
    yield row;
    await warnOfSignatures(before, row, opened, context);
  });
}

/** An entry for an index, and the store that it is copied from. */
interface GatheredEntry {
  readonly entry: Descriptor;
  readonly source: Source;
}

/**
 * Returns the entries that an index gets for images, in their order.
 *
 * @param near the repository or layout of images that are typed as `@sha256:…`.
 */
async function gatherEntries(
  texts: readonly string[],
  near: Location,
  stores: Stores,
  { io, signal }: Context,
): Promise<readonly GatheredEntry[]> {
  // All are parsed before the first request.
  const locations = await Promise.all(texts.map((text) => parseNear(text, near, io)));
  const gathered = await Promise.all(
    locations.map(async (location) => {
      const { store: source, reference } = await stores.open(location, 'source');
      const entries = await indexEntries(source, reference, { signal });
      return entries.map((entry): GatheredEntry => ({ entry, source }));
    }),
  );
  return gathered.flat();
}

async function parseNear(text: string, near: Location, io: Context['io']): Promise<Location> {
  if (!text.startsWith('@')) return parseSourceLocation(text, io);
  const digest = parseDigest(text.slice(1));
  if ('path' in near) return { ...near, reference: undefined, digest };
  const { domain, path } = near.reference;
  return { ...near, reference: { domain, path, digest } };
}

/** Copies entries to the repository of their index. Entries of the same repository cost nothing. */
async function landEntries(
  gathered: readonly GatheredEntry[],
  { store, name }: OpenedStore,
  context: Context,
): Promise<void> {
  const jobs = gathered
    .filter(({ source }) => source.place !== store.place || source.repository !== store.repository)
    .map(({ entry, source }): CopyJob => ({
      source,
      reference: entry.digest,
      destination: store,
      image: `${name}@${entry.digest}`,
    }));
  for await (const _ of copyImages(jobs, transferOptions(context)));
}

/** Pushes an index whose entries are present, and names it. */
async function landIndex(
  index: MemoryNode,
  { store, name, tag }: OpenedStore,
  context: Context,
): Promise<DigestRow> {
  const { digest } = index.descriptor;
  const job: CopyJob = {
    source: memorySource([index]),
    reference: digest,
    destination: store,
    tag,
    image: imageName(name, tag === undefined ? { digest } : { tag }),
  };
  const copied = await copyImage(job, transferOptions(context));
  await listUntagged(job, copied.root, context);
  return digestRow(copied, name);
}

/** Finds the entries of exactly these platforms: a near one must not be removed instead. */
async function ofPlatforms(
  index: ManifestNode,
  platforms: readonly string[],
  { store }: OpenedStore,
  { io, signal }: Context,
): Promise<readonly Descriptor[]> {
  const wanted = platforms.map((text) => parsePlatform(text, io.host));
  const read = (child: Descriptor): Promise<ManifestNode> => readManifest(store, child, { signal });
  // Those of the index itself: an entry of an inner index cannot be removed from it.
  const tree = { root: index, entries: indexOf(index).manifests, inner: new Map() };
  const entries = await runnableEntries(tree, read, store, { signal });
  const keyOf = (platform: (typeof wanted)[number]): string =>
    formatPlatform(normalizePlatform(platform));
  return wanted.flatMap((platform) => {
    const found = entries.filter((entry) => keyOf(entry.platform) === keyOf(platform));
    if (found.length > 0) return found;
    throw new PlatformNotFoundError(
      normalizePlatform(platform),
      entries.map((entry) => entry.platform),
    );
  });
}

/** A changed index has another digest, and the signatures of the old one do not cover it. */
async function warnOfSignatures(
  { descriptor }: ManifestNode,
  { digest }: DigestRow,
  { store }: OpenedStore,
  context: Context,
): Promise<void> {
  if (descriptor.digest === digest) return;
  const { lanes } = transferOptions(context);
  const session = new CopySession({ lanes });
  if (await hasReferrers(session, store, descriptor, context.signal))
    context.warn(
      'The index had signatures or other referrers, which do not cover the changed one',
      'sign it again, and attach again what belongs to it',
    );
}
