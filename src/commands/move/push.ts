import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import {
  familiarReference,
  parseTag,
  withDefaultTag,
  type Reference,
} from '../../oci/reference.ts';
import { describeNames, findLocalIfPresent, type LocalStore } from '../../targets/local.ts';
import {
  holdsImages,
  parseLocation,
  parseRepositoryLocation,
  type Location,
} from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { parseDestinationLocation, parseSourceLocation } from '../../targets/path.ts';
import { flag, positional } from '../arguments/arguments.ts';
import { copyingOf, jobFrom } from '../copy/jobs.ts';
import { copyRows } from '../copy/copy.ts';
import { digestOrTable, type DigestRow, type TableText } from '../output/digest-row.ts';
import { gateOfCopy } from '../trust/gates.ts';
import { readPolicy } from '../trust/policy.ts';

/** `regi push`: copies an image of this machine to one or more references. */
export const pushCommand: CommandBody<DigestRow | TableText> = {
  run: runPush,
  text: digestOrTable,
};

async function* runPush(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<DigestRow | TableText> {
  const first = positional(args, 0, 'an image');
  const source = await parseSourceLocation(first, context.io);
  const [, prefix = '', ...others] = args.positionals;
  const policy = await readPolicy(args, context);
  yield* withStores(context, { dryRun: flag(args, 'dry-run') }, async function* (stores) {
    if (prefix.endsWith('/') && others.length === 0 && holdsImages(source)) {
      const [{ importImages }, { parsePrefix }] = await Promise.all([
        import('../import/import.ts'),
        import('../import/names.ts'),
      ]);
      const naming = { prefix: parsePrefix(prefix), mappings: [] };
      const from = await stores.openImages(source);
      const request = { location: source, from, naming, bases: [], policy };
      yield* importImages(request, args, stores, context);
      return;
    }
    const pushes =
      source.kind === 'registry'
        ? await ownPushes(args, stores, context)
        : await namedPushes(first, source, args, context);
    const alone = pushes.length === 1;
    const jobs = await Promise.all(
      pushes.map(async ({ from: source, reference }) => {
        const from = await stores.open(source, 'source');
        const destination = { kind: 'registry', reference } as const;
        const gate = await gateOfCopy(policy, copyingOf({ source, destination }, from), stores);
        return jobFrom(from, destination, stores, { alone, gate });
      }),
    );
    // A name that was typed twice is pushed once.
    const byImage = new Map(jobs.map((job) => [job.image, job]));
    context.onEvent({ kind: 'listed', images: byImage.size });
    yield* copyRows(byImage.values(), args, context);
  });
}

interface Push {
  readonly from: Location;
  /** The destination. */
  readonly reference: Reference;
}

/** Returns the named images of the local store, each with its own name as the destination. */
async function ownPushes(
  args: ParsedArguments,
  stores: Stores,
  context: Context,
): Promise<readonly Push[]> {
  const store = await stores.openLocal('source');
  const all = flag(args, 'all-tags');
  const pushes: Push[] = [];
  for (const text of args.positionals) {
    const location = all ? parseRepositoryLocation(text) : parseLocation(text);
    if (location.kind !== 'registry') throw notAReference(text, `${text} DST`);
    const named = location.reference;
    const tags = all ? await tagsIn(store, named, context) : [withDefaultTag(named)];
    if (tags.length === 0 || (!all && !(await isPresent(store, text, context))))
      throw await notHere(named, text, args, store, context);
    pushes.push(
      ...tags.map((reference): Push => ({ from: { kind: 'local', reference }, reference })),
    );
  }
  return pushes;
}

/** Returns one image with every reference after it as a destination. */
async function namedPushes(
  first: string,
  from: Location,
  args: ParsedArguments,
  { io }: Context,
): Promise<readonly Push[]> {
  const rest = args.positionals.slice(1);
  if (flag(args, 'all-tags'))
    throw new UsageError(`Cannot use --all-tags with "${first}"`, {
      hint: `type: regi copy --all-tags ${first} REPO`,
    });
  if (rest.length === 0)
    throw new UsageError(`Cannot push "${first}": expected a reference after it`, {
      hint: `type: regi push ${first} registry.example/team/app:1.0`,
    });
  return Promise.all(
    rest.map(async (text) => {
      const destination = await parseDestinationLocation(text, io);
      if (destination.kind !== 'registry') throw notAReference(text, `${first} ${text}`);
      return { from, reference: destination.reference };
    }),
  );
}

function notAReference(text: string, copied: string): UsageError {
  return new UsageError(`Cannot push to "${text}": expected a reference`, {
    hint: `type: regi copy ${copied}`,
  });
}

async function tagsIn(
  store: LocalStore,
  { domain, path }: Reference,
  { signal }: Context,
): Promise<readonly Reference[]> {
  const tags: Reference[] = [];
  for await (const tag of store.openRepository({ domain, path }).listTags({ signal }))
    tags.push({ domain, path, tag: parseTag(tag) });
  return tags;
}

async function isPresent(store: LocalStore, text: string, { signal }: Context): Promise<boolean> {
  const found = await findLocalIfPresent(store, text.replace(/^docker:\/\//, ''), { signal });
  return found !== undefined && found.by !== 'id';
}

async function notHere(
  reference: Reference,
  text: string,
  { positionals: [first = text, second] }: ParsedArguments,
  store: LocalStore,
  context: Context,
): Promise<RegiError> {
  const present = await tagsIn(store, reference, context);
  const other =
    second === undefined
      ? `to push an image of a folder or file, type: regi push oci:DIR ${text}`
      : `to copy it from its registry, type: regi copy ${first} ${second}`;
  return new RegiError('NOT_FOUND', `Cannot push "${text}": it is not in the local store`, {
    hint:
      present.length > 0
        ? `${describeNames(present.map(familiarReference))}; --all-tags pushes each`
        : `list the local store with regi images; ${other}`,
  });
}
