import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import type { CopyJob } from '../../operations/copy/copy-image.ts';
import type { FailedJob } from '../../operations/copy/copy-images.ts';
import { canListTags } from '../../store.ts';
import { flag, positional, value, values } from '../arguments/arguments.ts';
import { parseCopyList } from './list.ts';
import { parseLocation, type Location } from '../../targets/location.ts';
import { matchingTags } from '../arguments/matching-tags.ts';
import type { OpenedStore, Stores } from '../../targets/open-store.ts';
import { readList } from '../arguments/read-list.ts';

/** A job, and the destination's name without its tag. */
export interface NamedJob extends CopyJob {
  readonly name: string;
  /** The only image of the command. */
  readonly alone: boolean;
  /** Without a tag it has to be listed by its digest, or nothing would lead to it. */
  readonly isListed?: boolean | undefined;
}

/** The images that a command line names, in its order, found as they are needed. */
export async function* copyJobs(
  args: ParsedArguments,
  stores: Stores,
  context: Context,
): AsyncIterable<NamedJob | FailedJob> {
  const patterns = values(args, 'tags');
  const whole = flag(args, 'all-tags') || patterns.length > 0;
  const list = value(args, 'from');
  if (list !== undefined) {
    if (whole)
      throw new UsageError('Cannot use --from together with --all-tags or --tags', {
        hint: 'name the tags in the file, a line each',
      });
    if (args.positionals.length > 1) {
      throw new UsageError('Cannot use --from with a source beside it: expected at most a PREFIX', {
        hint: `type: regi copy --from ${list} PREFIX`,
      });
    }
    yield* listedJobs(list, args.positionals[0], stores, context);
    return;
  }
  const source = parseLocation(positional(args, 0, 'a source', 'type: regi copy SRC DST'));
  const destination = parseLocation(
    positional(args, 1, 'a destination', `type: regi copy ${args.positionals[0] ?? 'SRC'} DST`),
  );
  if (whole) yield* tagJobs(source, destination, args, stores, context);
  else yield await oneJob(source, destination, stores, true);
}

/** The job of one image to one place. `alone`: it is all that the command does. */
async function oneJob(
  source: Location,
  destination: Location,
  stores: Stores,
  alone: boolean,
): Promise<NamedJob> {
  return jobFrom(await stores.open(source, 'source'), destination, stores, alone);
}

/** The same for a source that is open already. */
export async function jobFrom(
  from: OpenedStore,
  destination: Location,
  stores: Stores,
  alone: boolean,
): Promise<NamedJob> {
  const to = await stores.open(destination, 'destination');
  const tag = to.tag ?? (to.pinned === undefined ? (to.defaultTag ?? ownTag(from)) : undefined);
  return {
    ...job(from, to, { reference: from.reference, tag }, alone),
    isListed: destination.kind === 'oci',
  };
}

/** What was typed, or what a name without a tag means in a registry. */
function ownTag({ tag, pinned, defaultTag }: OpenedStore): string | undefined {
  return tag ?? (pinned === undefined ? defaultTag : undefined);
}

async function* tagJobs(
  source: Location,
  destination: Location,
  args: ParsedArguments,
  stores: Stores,
  context: Context,
): AsyncIterable<NamedJob> {
  refuseTag(source);
  refuseTag(destination);
  const from = await stores.open(source, 'source');
  const opened = await stores.open(destination, 'destination');
  // With --no-clobber each tag is looked at just before it is set.
  const mayHint = destination.kind === 'registry' && !flag(args, 'no-clobber');
  const to = mayHint ? await hinted(opened, stores, context) : opened;
  // A list that breaks off is found out before anything is copied, and how many there are is known.
  const tags: string[] = [];
  for await (const tag of matchingTags(from, values(args, 'tags'), context)) tags.push(tag);
  context.onEvent({ kind: 'listed', images: tags.length });
  for (const tag of tags) yield job(from, to, { reference: tag, tag }, false);
}

/** Also connects to the destination while the source lists its tags. */
async function hinted(to: OpenedStore, stores: Stores, { signal }: Context): Promise<OpenedStore> {
  if (!canListTags(to.store)) return to;
  const { perhapsNew } = await import('../../stores/registry/new-repository-probe.ts');
  const { store, close } = perhapsNew(to.store, { signal });
  stores.atEnd(close);
  return { ...to, store };
}

/** The list is parsed whole before its first image is begun: a mistake in its last line must not be found after an hour. */
async function* listedJobs(
  file: string,
  prefix: string | undefined,
  stores: Stores,
  context: Context,
): AsyncIterable<NamedJob | FailedJob> {
  const planned = parseCopyList(await readList(file, context), {
    name: file === '-' ? 'standard input' : JSON.stringify(file),
    prefix,
  });
  if (planned.length === 0)
    context.warn(
      'There is nothing to copy: the list names no images',
      'write one "SRC [DST]" a line',
    );
  else context.onEvent({ kind: 'listed', images: planned.length });
  for (const { source, destination, image } of planned) {
    try {
      yield await oneJob(source, destination, stores, planned.length === 1);
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      yield { image, error };
    }
  }
}

function job(
  from: OpenedStore,
  to: OpenedStore,
  { reference, tag }: { reference: string; tag: string | undefined },
  alone: boolean,
): NamedJob {
  const image = tag === undefined ? to.name : `${to.name}:${tag}`;
  return {
    source: from.store,
    reference,
    destination: to.store,
    tag,
    pinned: to.pinned,
    image,
    name: to.name,
    alone,
    // One image gets the warning; many do not, for it costs two requests an image.
    warnOfReferrers: alone,
  };
}

function refuseTag(location: Location): void {
  const { reference } = location;
  const named = typeof reference === 'object' ? (reference.tag ?? reference.digest) : reference;
  if (named === undefined) return;
  throw new UsageError(`Cannot copy many tags with "${named}" in a name: expected a repository`, {
    hint: 'leave out the tag, or leave out --all-tags and --tags',
  });
}
