import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError, RegiError, type RegiErrorOptions } from '../../errors.ts';
import {
  familiarReference,
  parseTag,
  withDefaultTag,
  type Reference,
} from '../../oci/reference.ts';
import type { CallOptions } from '../../store.ts';
import type { LocalStore } from '../../stores/layout/local-store.ts';
import { describeNames } from '../../stores/not-found.ts';
import { flag, positional } from '../arguments/arguments.ts';
import { jobFrom } from '../copy/jobs.ts';
import { copyRows } from '../copy/rows.ts';
import { digestText, type DigestRow } from '../output/digest-row.ts';
import {
  parseLocation,
  parseRepositoryLocation,
  type ArchiveLocation,
  type LayoutLocation,
  type Location,
  parseSourceLocation,
} from '../../targets/location.ts';
import { withStores, type Stores } from '../../targets/open-store.ts';
import { refuseFileName } from '../../targets/file-not-image.ts';

/** `regi push`: an image of this machine to one or several references. */
export const pushCommand: CommandBody<DigestRow> = {
  run: runPush,
  text: digestText,
};

async function* runPush(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const first = positional(args, 0, 'an image');
  const source = await parseSourceLocation(first, context.io);
  if (source.kind === 'registry') await refuseFileName(source.reference, context.io);
  const [, whole = '', ...others] = args.positionals;
  yield* withStores(context, { dryRun: flag(args, 'dry-run') }, async function* (stores) {
    if (whole.endsWith('/') && others.length === 0 && isPlace(source)) {
      const [{ importImages }, { parsePrefix }] = await Promise.all([
        import('../import/images.ts'),
        import('../import/names.ts'),
      ]);
      const naming = { prefix: parsePrefix(whole), mappings: [] };
      yield* importImages(
        { from: await stores.openImages(source), naming, bases: [] },
        args,
        stores,
        context,
      );
      return;
    }
    const pushes =
      source.kind === 'registry'
        ? await ownPushes(args, stores, context)
        : namedPushes(first, source, args);
    const jobs = await Promise.all(
      pushes.map(async ({ from, to }) =>
        jobFrom(
          await stores.open(from, 'source'),
          { kind: 'registry', reference: to },
          stores,
          pushes.length === 1,
        ),
      ),
    );
    // A name that is there twice is one.
    const byImage = new Map(jobs.map((job) => [job.image, job]));
    context.onEvent({ kind: 'listed', images: byImage.size });
    yield* copyRows(byImage.values(), args, context);
  });
}

interface Push {
  readonly from: Location;
  readonly to: Reference;
}

/** Images of the local store, each under its own name. */
async function ownPushes(
  args: ParsedArguments,
  stores: Stores,
  { signal }: Context,
): Promise<readonly Push[]> {
  const store = await stores.openLocal('source');
  const all = flag(args, 'all-tags');
  const pushes: Push[] = [];
  for (const text of args.positionals) {
    const location = all ? parseRepositoryLocation(text) : parseLocation(text);
    if (location.kind !== 'registry')
      throw new UsageError(`Cannot push to "${text}": expected a reference`, {
        hint: `type: regi copy ${text} DST`,
      });
    const { reference } = location;
    const tags = all ? await tagsOf(store, reference, { signal }) : [withDefaultTag(reference)];
    if (tags.length === 0 || (!all && !(await isThere(store, text, { signal }))))
      throw await notHere(reference, text, { args, store, signal });
    pushes.push(
      ...tags.map((tagged): Push => ({ from: { kind: 'local', reference: tagged }, to: tagged })),
    );
  }
  return pushes;
}

/** One image to every reference behind it. */
function namedPushes(
  first: string,
  source: Location,
  { positionals, options }: ParsedArguments,
): readonly Push[] {
  const rest = positionals.slice(1);
  if (options['all-tags'] === true)
    throw new UsageError(`Cannot use --all-tags with "${first}"`, {
      hint: `type: regi copy --all-tags ${first} REPO`,
    });
  if (rest.length === 0)
    throw new UsageError(`Cannot push "${first}": expected a reference behind it`, {
      hint: `type: regi push ${first} registry.example/team/app:1.0`,
    });
  return rest.map((text) => {
    const destination = parseLocation(text);
    if (destination.kind === 'registry') return { from: source, to: destination.reference };
    throw new UsageError(`Cannot push to "${text}": expected a reference`, {
      hint: `type: regi copy ${first} ${text}`,
    });
  });
}

async function tagsOf(
  store: LocalStore,
  repository: Reference,
  options: CallOptions,
): Promise<readonly Reference[]> {
  const tags: Reference[] = [];
  for await (const tag of store.openRepository(repository).listTags(options))
    tags.push({ ...repository, tag: parseTag(tag) });
  return tags;
}

async function isThere(store: LocalStore, text: string, options: CallOptions): Promise<boolean> {
  const { findLocal } = await import('../../targets/local-images.ts');
  try {
    return (await findLocal(store, text.replace(/^docker:\/\//, ''), options)).by !== 'id';
  } catch (error) {
    if (error instanceof RegiError && error.code === 'NOT_FOUND') return false;
    throw error;
  }
}

async function notHere(
  reference: Reference,
  text: string,
  { args, store, signal }: NotHere,
): Promise<NotHereError> {
  const { domain, path } = reference;
  const there = await tagsOf(store, { domain, path }, { signal });
  const [first = text, second] = args.positionals;
  return new NotHereError(`Cannot push "${text}": it is not in the local store`, {
    hint: hintFor(),
  });

  function hintFor(): string {
    if (there.length > 0)
      return `${describeNames(there.map(familiarReference))}; with --all-tags it pushes each`;
    if (second === undefined)
      return `regi images lists what is there; to push what a folder or file holds, type: regi push oci:DIR ${text}`;
    return `regi images lists what is there; to copy it from its registry, type: regi copy ${first} ${second}`;
  }
}

interface NotHere extends CallOptions {
  readonly args: ParsedArguments;
  readonly store: LocalStore;
}

/** An image that is to be pushed, and is not on this machine. */
class NotHereError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('NOT_FOUND', message, options);
  }
}

/** What may hold several images, each with a name of its own. */
function isPlace(location: Location): location is ArchiveLocation | LayoutLocation {
  return 'path' in location && location.kind !== 'dir';
}
