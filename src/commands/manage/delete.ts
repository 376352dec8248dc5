import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { formatCount, shortDigest } from '../../format.ts';
import type { Digest } from '../../oci/digest.ts';
import { quote } from '../../quote.ts';
import { planDelete, type DeletePlan } from '../../operations/edit/delete-plan.ts';
import { canDelete } from '../../store.ts';
import { flag, positional } from '../arguments/arguments.ts';
import { eachArgument, type Typed } from '../arguments/each-argument.ts';
import { parseLocation, type Location } from '../../targets/location.ts';
import { withStores, type Stores } from '../../targets/open-store.ts';

export interface DeletedRow {
  /** Without tag and digest: `registry.example/team/app`. */
  readonly name: string;
  readonly digest: string;
  /** That named it, and are gone too. Undefined where the place does not list its tags. */
  readonly tags: readonly string[] | undefined;
  /** What became free. Undefined of a registry, which frees space in its own time. Bytes. */
  readonly bytes?: number | undefined;
}

/** Nobody said yes. */
export function notConfirmedError(image: string): RegiError {
  return new RegiError('FAILED', `Cannot delete "${image}": it was not confirmed`, {
    hint: 'nothing of it was deleted; answer y, or add --yes',
  });
}

/** `regi delete`: a manifest with all its tags. */
export const deleteCommand: CommandBody<DeletedRow> = {
  run: runDelete,
  text: ({ name, digest, tags = [] }) =>
    `${tags.map((tag) => `Untagged: ${name}:${tag}\n`).join('')}Deleted: ${name}@${digest}\n`,
};

/** Tags looked at together. */
const AT_ONCE = 16;

async function* runDelete(args: ParsedArguments, context: Context): AsyncIterable<DeletedRow> {
  positional(
    args,
    0,
    'an image by its digest',
    'type: regi delete registry.example/app@sha256:…; regi digest shows it',
  );
  // Parsed before the first is deleted: a slip in the last must not come to light when half is gone.
  const targets = args.positionals.map(parseTarget);
  const yes = flag(args, 'yes');
  if (!yes && !context.io.stdin.isTTY) {
    throw new UsageError('Cannot ask whether to delete: standard input is no terminal', {
      hint: 'add --yes to delete without being asked',
    });
  }
  yield* withStores(context, {}, async function* (stores) {
    yield* eachArgument(targets, context, async (target) =>
      deleteOne(target, yes, stores, context),
    );
  });
}

interface Target extends Typed {
  readonly location: Location;
  readonly digest: Digest;
}

function parseTarget(text: string): Target {
  const location = parseLocation(text);
  if (location.kind === 'local')
    throw new UsageError(`Cannot delete ${quote(text)} there: the local store has images`, {
      hint: `type: regi rmi ${text.slice(6)}`,
    });
  const { digest } = 'path' in location ? location : location.reference;
  if (digest === undefined) {
    throw new UsageError(
      `Cannot delete ${quote(text)}: expected a digest, for all tags of the image go with it`,
      {
        hint: `delete the tag alone: regi tags delete ${text}; or see the digest: regi digest ${text}`,
      },
    );
  }
  return { text, location, digest };
}

async function deleteOne(
  { location, digest }: Target,
  yes: boolean,
  stores: Stores,
  context: Context,
): Promise<DeletedRow> {
  const { signal, settings } = context;
  const { store, name } = await stores.open(
    location,
    location.kind === 'registry' ? 'destination' : 'source',
  );
  if (!canDelete(store))
    throw new UsageError(`Cannot delete images of "${name}"`, {
      hint: 'images are deleted in registries and OCI layouts',
    });
  const target = await store.resolve(digest, { signal });
  const plan = await planDelete(store, target, {
    signal,
    limit: settings.concurrency ?? AT_ONCE,
    onMany: () => context.note(`Looking which of the many tags of ${name} name it`),
  });
  tell(`${name}@${digest}`, plan, context);
  if (!yes) await confirm(name, digest, context);
  const { freedBytes: bytes } = await store.delete(target, { signal });
  return { name, digest, tags: plan.tags, ...(bytes !== undefined && { bytes }) };
}

function tell(image: string, { tags, referrers }: DeletePlan, { note, warn }: Context): void {
  if (tags === undefined)
    warn(`The tags of ${image} cannot be listed there; all that name it go with it`);
  else if (tags.length === 0) note(`No tag names ${image}`);
  else
    note(
      `With ${image} ${tags.length === 1 ? 'goes its tag' : `go its ${tags.length} tags`} ${listed(tags)}`,
    );
  if (referrers > 0)
    warn(
      `${formatCount(referrers, 'referrer')} of ${image} stay${referrers === 1 ? 's' : ''} behind and will refer to nothing`,
      'see them with regi referrers, and delete them too',
    );
}

/** The answer names them all. */
const TAGS_SHOWN = 10;

function listed(tags: readonly string[]): string {
  const rest = tags.length - TAGS_SHOWN;
  return `${tags.slice(0, TAGS_SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

async function confirm(name: string, digest: Digest, { io, signal }: Context): Promise<void> {
  const answer = await io.stdin.ask(`Delete ${name}@${shortDigest(digest)}? [y/N] `, {
    hidden: false,
    signal,
  });
  if (!/^y(?:es)?$/i.test(answer?.trim() ?? '')) throw notConfirmedError(`${name}@${digest}`);
}
