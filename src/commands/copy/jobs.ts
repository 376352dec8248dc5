import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { assertNever, RegiError, UsageError } from '../../errors.ts';
import { isDigest } from '../../oci/digest.ts';
import { imageName } from '../../oci/reference.ts';
import type { CopyJob } from '../../operations/copy/copy-image.ts';
import type { FailedJob } from '../../operations/copy/copy-images.ts';
import {
  isArchive,
  suffixOf,
  type ArchiveLocation,
  type Location,
} from '../../targets/location.ts';
import type { OpenedStore, Stores } from '../../targets/opened-store.ts';
import { parseDestinationLocation } from '../../targets/path.ts';
import type { PlannedChanges } from '../../targets/planned-changes.ts';
import type { TrustPolicy } from '../../trust/policy.ts';
import { flag, locationArgument, positional, value, values } from '../arguments/arguments.ts';
import { matchingTags, type Unusable } from '../arguments/matching-tags.ts';
import { listName, readList, refuseYaml } from '../arguments/read-list.ts';
import { gateOfCopy, type Copying } from '../trust/gates.ts';
import { readPolicy } from '../trust/policy.ts';
import { parseCopyList } from './list.ts';

/** The work of one `regi copy`, with every argument parsed once. */
export type CopyRequest =
  | { readonly kind: 'list'; readonly file: string; readonly prefix: string | undefined }
  /** `tags` copies all tags of a repository that match `--tags`. */
  | { readonly kind: 'image' | 'tags'; readonly source: Location; readonly destination: Location }
  | {
      readonly kind: 'archive';
      readonly source: Location;
      readonly destination: ArchiveLocation;
    };

/** @throws {UsageError} when arguments are missing or exclude each other. */
export async function parseCopyRequest(
  args: ParsedArguments,
  context: Context,
): Promise<CopyRequest> {
  const { positionals } = args;
  const manyTags = flag(args, 'all-tags') || values(args, 'tags').length > 0;
  const file = value(args, 'from');
  if (file !== undefined) {
    if (manyTags)
      throw new UsageError('Cannot use --from together with --all-tags or --tags', {
        hint: 'name the tags in the file, a line each',
      });
    if (positionals.length > 1)
      throw new UsageError('Cannot use --from with a source beside it: expected at most a PREFIX', {
        hint: `type: regi copy --from ${file} PREFIX`,
      });
    return { kind: 'list', file, prefix: positionals[0] };
  }
  const source = await locationArgument(args, 0, 'a source', context, 'type: regi copy SRC DST');
  const usage = `type: regi copy ${positionals[0] ?? 'SRC'} DST`;
  const destination = await parseDestinationLocation(
    positional(args, 1, 'a destination', usage),
    context.io,
  );
  if (isArchive(destination)) return { kind: 'archive', source, destination };
  if (!manyTags) return { kind: 'image', source, destination };
  refuseTag(source);
  refuseTag(destination);
  return { kind: 'tags', source, destination };
}

function refuseTag(location: Location): void {
  const { tag, digest } = suffixOf(location);
  const named = tag ?? digest;
  if (named === undefined) return;
  throw new UsageError(`Cannot copy many tags with "${named}" in a name: expected a repository`, {
    hint: 'drop the tag, or drop --all-tags and --tags',
  });
}

/** A job with the name of its destination. */
export interface NamedJob extends CopyJob {
  /** The destination without tag and digest. */
  readonly name: string;
  /** True for the only image of the command. */
  readonly alone: boolean;
  /** In a dry run: the changes that this image would make. */
  readonly changes?: (() => PlannedChanges) | undefined;
}

/** Yields the images of a request in their order, each opened when it is needed. */
export async function* copyJobs(
  request: Exclude<CopyRequest, { readonly kind: 'archive' }>,
  args: ParsedArguments,
  stores: Stores,
  context: Context,
  unusable: Unusable,
): AsyncIterable<NamedJob | FailedJob> {
  // The policy and its keys are read before the first request.
  const policy = await readPolicy(args, context);
  switch (request.kind) {
    case 'image': {
      const from = await stores.open(request.source, 'source');
      const gate = await gateOfCopy(policy, copyingOf(request, from), stores);
      yield await jobFrom(from, request.destination, stores, { alone: true, gate });
      return;
    }
    case 'tags':
      yield* tagJobs({ ...request, policy }, args, stores, context, unusable);
      return;
    case 'list':
      yield* listedJobs({ ...request, policy }, stores, context);
      return;
    default:
      assertNever(request);
  }
}

/** Opens the destination of one image. Without a tag of its own, it gets the tag of the source. */
export async function jobFrom(
  from: Pick<OpenedStore, 'store' | 'reference' | 'tag' | 'isMade'>,
  destination: Location,
  stores: Stores,
  facts: Pick<NamedJob, 'alone' | 'gate'>,
): Promise<NamedJob> {
  const to = await stores.open(destination, 'destination');
  const tag = to.tag ?? (to.pinned === undefined ? from.tag : undefined);
  const { isMade } = from;
  return { ...job(from.store, from.reference, to, tag, facts), isMade };
}

/** Returns a copy as the policy sees it. */
export function copyingOf(
  { source, destination }: Pick<Copying, 'source' | 'destination'>,
  { name, reference, fullName, isRemote }: OpenedStore,
): Copying {
  const separator = isDigest(reference) ? '@' : ':';
  return { source, destination, fullName, isRemote, text: `${name}${separator}${reference}` };
}

interface Gated {
  readonly policy: TrustPolicy | undefined;
}

async function* tagJobs(
  {
    source,
    destination,
    policy,
  }: Extract<CopyRequest, { readonly kind: 'image' | 'tags' }> & Gated,
  args: ParsedArguments,
  stores: Stores,
  context: Context,
  unusable: Unusable,
): AsyncIterable<NamedJob> {
  const from = await stores.open(source, 'source');
  // With --no-clobber each tag is looked up just before it is set.
  const manyTags = !flag(args, 'no-clobber');
  const to = await stores.open(destination, 'destination', { manyTags });
  // A list that breaks off fails before anything is copied, and the progress knows the number of
  // images.
  const tags: string[] = [];
  await context.wait('Listing tags', async () => {
    for await (const tag of matchingTags(from, values(args, 'tags'), context, unusable))
      tags.push(tag);
  });
  context.onEvent({ kind: 'listed', images: tags.length });
  for (const tag of tags) {
    const copying = copyingOf({ source, destination }, { ...from, reference: tag });
    const gate = await gateOfCopy(policy, { ...copying, tag }, stores);
    yield job(from.store, tag, to, tag, { alone: false, gate });
  }
}

/**
 * Parses the whole list before it begins the first image: a mistake in the last line must not
 * surface after an hour.
 */
async function* listedJobs(
  { file, prefix, policy }: Extract<CopyRequest, { readonly kind: 'list' }> & Gated,
  stores: Stores,
  context: Context,
): AsyncIterable<NamedJob | FailedJob> {
  refuseYaml(file);
  const name = listName(file);
  const planned = await parseCopyList(await readList(file, context), { name, prefix }, context.io);
  if (planned.length === 0)
    context.warn('Nothing to copy: the list names no images', 'write one "SRC [DST]" a line');
  else context.onEvent({ kind: 'listed', images: planned.length });
  for (const { source, destination, image } of planned) {
    try {
      const from = await stores.open(source, 'source');
      const gate = await gateOfCopy(policy, copyingOf({ source, destination }, from), stores);
      yield await jobFrom(from, destination, stores, { alone: planned.length === 1, gate });
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      yield { image, error };
    }
  }
}

function job(
  source: OpenedStore['store'],
  reference: string,
  { store, pinned, name }: OpenedStore,
  tag: string | undefined,
  { alone, gate }: Pick<NamedJob, 'alone' | 'gate'>,
): NamedJob {
  return {
    source,
    reference,
    destination: store,
    tag,
    pinned,
    image: imageName(name, { tag }),
    name,
    alone,
    oneOfMany: !alone,
    gate,
    // One image gets the warning; many do not, for it costs two requests an image.
    warnOfReferrers: alone,
  };
}
