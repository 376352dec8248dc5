import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { formatCount, shortDigest } from '../../format.ts';
import type { Digest } from '../../oci/digest.ts';
import { planDelete, type DeletePlan } from '../../operations/edit/delete-plan.ts';
import { quote } from '../../quote.ts';
import { canDelete } from '../../store.ts';
import { suffixOf, type Location } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { parseSourceLocation } from '../../targets/path.ts';
import { flag, positional } from '../arguments/arguments.ts';
import { eachArgument, type Typed } from '../arguments/each-argument.ts';
import { AT_ONCE, cannotAsk, confirmedTags, selectsTags } from './deletions.ts';

export interface DeletedRow {
  /** Without tag and digest: `registry.example/team/app`. */
  readonly name: string;
  readonly digest: string;
  /** The tags that were deleted with it. Undefined where the place does not list its tags. */
  readonly tags: readonly string[] | undefined;
  /** Bytes that were freed. Undefined in a registry, which frees space in its own time. */
  readonly bytes?: number | undefined;
  /** True when nothing was deleted. */
  readonly dryRun?: true | undefined;
}

/** `regi delete`: deletes a manifest with all its tags. */
export const deleteCommand: CommandBody<DeletedRow> = {
  run: runDelete,
  text: ({ name, digest, tags = [], dryRun }) => {
    const [untagged, deleted] =
      dryRun === true ? ['Would untag', 'Would delete'] : ['Untagged', 'Deleted'];
    const lines = tags.map((tag) => `${untagged}: ${name}:${tag}\n`);
    return `${lines.join('')}${deleted}: ${name}@${digest}\n`;
  },
};

async function* runDelete(args: ParsedArguments, context: Context): AsyncIterable<DeletedRow> {
  positional(
    args,
    0,
    'an image by its digest',
    'type: regi delete registry.example/app@sha256:…; regi digest shows it',
  );
  if (selectsTags(args)) {
    yield* deleteSelected(args, context);
    return;
  }
  const targets = await Promise.all(args.positionals.map((text) => parseTarget(text, context)));
  const isDryRun = flag(args, 'dry-run');
  const yes = flag(args, 'yes') || isDryRun;
  if (!yes && !context.io.stdin.isTTY) throw cannotAsk();
  yield* withStores(context, {}, (stores) =>
    eachArgument(targets, context, (target) =>
      deleteOne(target, { yes, isDryRun }, stores, context),
    ),
  );
}

/**
 * Deletes the images of the selected tags; each once, with all its tags, which were all selected.
 */
async function* deleteSelected(args: ParsedArguments, context: Context): AsyncIterable<DeletedRow> {
  const isDryRun = flag(args, 'dry-run');
  const { signal } = context;
  yield* withStores(context, {}, async function* (stores) {
    const selected = await confirmedTags(args, 'image', stores, context);
    const items = selected.flatMap(({ opened, tags }) => {
      const roots = new Map(tags.map(({ root }) => [root.digest, root]));
      return [...roots.values()].map((root) => ({
        text: `${opened.name}@${root.digest}`,
        opened,
        root,
        tags: tags.filter((one) => one.root.digest === root.digest).map(({ tag }) => tag),
      }));
    });
    yield* eachArgument(items, context, async ({ opened, root, tags }): Promise<DeletedRow> => {
      const { store, name } = opened;
      const row = { name, digest: root.digest, tags };
      if (isDryRun) return { ...row, dryRun: true };
      if (!canDelete(store)) throw cannotDelete(name);
      const { freedBytes: bytes } = await store.delete(root, { signal });
      return { ...row, ...(bytes !== undefined && { bytes }) };
    });
  });
}

function cannotDelete(name: string): UsageError {
  return new UsageError(`Cannot delete images of "${name}"`, {
    hint: 'images are deleted in registries and OCI layouts',
  });
}

interface Target extends Typed {
  readonly location: Location;
  readonly digest: Digest;
}

async function parseTarget(text: string, context: Context): Promise<Target> {
  const location = await parseDeletable(text, context);
  const { digest } = suffixOf(location);
  if (digest === undefined)
    throw new UsageError(
      `Cannot delete ${quote(text)}: deleting by tag is refused because it removes every tag of the image; give a digest`,
      {
        hint: `to delete the tag alone: regi tags delete ${text}; to see the digest: regi digest ${text}`,
      },
    );
  return { text, location, digest };
}

/**
 * Parses a location to delete from. All are parsed before the first is deleted, so that a typo
 * deletes nothing.
 */
export async function parseDeletable(text: string, { io }: Context): Promise<Location> {
  const location = await parseSourceLocation(text, io);
  if (location.kind === 'local')
    throw new UsageError(`Cannot delete ${quote(text)} there: the local store has images`, {
      hint: `type: regi rmi ${text.slice('local:'.length)}`,
    });
  return location;
}

async function deleteOne(
  { location, digest }: Target,
  { yes, isDryRun }: { readonly yes: boolean; readonly isDryRun: boolean },
  stores: Stores,
  context: Context,
): Promise<DeletedRow> {
  const { signal, settings, note } = context;
  const { store, name } = await stores.open(location, 'change');
  if (!canDelete(store)) throw cannotDelete(name);
  const target = await store.resolve(digest, { signal });
  const plan = await planDelete(store, target, {
    signal,
    limit: settings.concurrency ?? AT_ONCE,
    onMany: () => note(`Checking which of the many tags of ${name} point to it`),
  });
  notePlan(`${name}@${digest}`, plan, context);
  if (isDryRun) return { name, digest, tags: plan.tags, dryRun: true };
  if (!yes) await confirm(name, digest, context);
  const { freedBytes: bytes } = await store.delete(target, { signal });
  return { name, digest, tags: plan.tags, ...(bytes !== undefined && { bytes }) };
}

function notePlan(image: string, { tags, referrers }: DeletePlan, { note, warn }: Context): void {
  if (tags === undefined)
    warn(`The tags of ${image} cannot be listed there; every tag of the image is deleted too`);
  else if (tags.length === 0) note(`No tag names ${image}`);
  else
    note(
      `Deleting ${image} also removes ${tags.length === 1 ? 'tag' : `${tags.length} tags:`} ${shortened(tags)}`,
    );
  if (referrers > 0)
    warn(
      `${formatCount(referrers, 'referrer')} of ${image} will stay and refer to nothing`,
      'list them with regi referrers, and delete them too',
    );
}

/** The row lists them all. */
const TAGS_SHOWN = 10;

function shortened(tags: readonly string[]): string {
  const rest = tags.length - TAGS_SHOWN;
  return `${tags.slice(0, TAGS_SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

async function confirm(name: string, digest: Digest, { io, signal }: Context): Promise<void> {
  const question = `Delete ${name}@${shortDigest(digest)}? [y/N] `;
  const reply = await io.stdin.ask(question, { hidden: false, signal });
  if (!/^y(?:es)?$/i.test(reply?.trim() ?? ''))
    throw new RegiError('FAILED', `Cannot delete "${name}@${digest}": it was not confirmed`, {
      hint: 'nothing of it was deleted; reply y, or add --yes',
    });
}
