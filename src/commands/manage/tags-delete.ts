import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { isDigest } from '../../oci/digest.ts';
import { untagViaDummy } from '../../operations/edit/untag-via-dummy.ts';
import { quote } from '../../quote.ts';
import { otherWayToDelete } from '../../registry/hints.ts';
import { isResponseError, type RegistryResponseError } from '../../registry/errors.ts';
import { canDelete, canUntag } from '../../store.ts';
import { suffixOf, type Location } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import type { OpenedStore } from '../../targets/opened-store.ts';
import { flag, positional } from '../arguments/arguments.ts';
import { eachArgument, type Typed } from '../arguments/each-argument.ts';
import { parseDeletable } from './delete.ts';
import { confirmedTags, selectsTags } from './deletions.ts';

export interface UntaggedRow {
  /** Without tag: `registry.example/team/app`. */
  readonly name: string;
  readonly tag: string;
  /** The digest that it named. Undefined where no request showed it. */
  readonly digest?: string | undefined;
  /** True when nothing was deleted. */
  readonly dryRun?: true | undefined;
}

/** `regi tags delete`: deletes tags, and nothing else. */
export const tagsDeleteCommand: CommandBody<UntaggedRow> = {
  run: runTagsDelete,
  text: ({ name, tag, dryRun }) =>
    `${dryRun === true ? 'Would untag' : 'Untagged'}: ${name}:${tag}\n`,
};

async function* runTagsDelete(args: ParsedArguments, context: Context): AsyncIterable<UntaggedRow> {
  positional(args, 0, 'a tag', 'type: regi tags delete registry.example/app:1.2');
  if (selectsTags(args)) {
    yield* deleteSelected(args, context);
    return;
  }
  const targets = await Promise.all(args.positionals.map((text) => parseTarget(text, context)));
  const remove = flag(args, 'dry-run')
    ? planRemoval
    : flag(args, 'via-dummy')
      ? removeViaDummy
      : removeTag;
  yield* withStores(context, {}, (stores) =>
    eachArgument(targets, context, async ({ location, tag }) =>
      remove(await stores.open(location, 'change'), tag, context),
    ),
  );
}

async function* deleteSelected(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<UntaggedRow> {
  const isDryRun = flag(args, 'dry-run');
  const remove = flag(args, 'via-dummy') ? removeViaDummy : removeTag;
  yield* withStores(context, {}, async function* (stores) {
    const selected = await confirmedTags(args, 'tag', stores, context);
    const items = selected.flatMap(({ opened, tags }) =>
      tags.map(({ tag, root }) => ({ text: `${opened.name}:${tag}`, opened, tag, root })),
    );
    yield* eachArgument(items, context, async ({ opened, tag, root }): Promise<UntaggedRow> => {
      const { name } = opened;
      if (isDryRun) return { name, tag, digest: root.digest, dryRun: true };
      return { ...(await remove(opened, tag, context)), digest: root.digest };
    });
  });
}

/** Finds a tag and deletes nothing. */
async function planRemoval(
  { store, name }: OpenedStore,
  tag: string,
  { signal }: Context,
): Promise<UntaggedRow> {
  const { digest } = await store.resolve(tag, { signal });
  return { name, tag, digest, dryRun: true };
}

interface Target extends Typed {
  readonly location: Location;
  readonly tag: string;
}

async function parseTarget(text: string, context: Context): Promise<Target> {
  const location = await parseDeletable(text, context);
  const { tag, digest } = suffixOf(location);
  if (digest !== undefined)
    throw new UsageError(`Cannot delete ${quote(text)} as a tag: expected a tag, found a digest`, {
      hint: `to delete the image with all its tags: regi delete ${text}; or drop the digest`,
    });
  // "latest" is never deleted by default.
  if (tag === undefined || isDigest(tag))
    throw new UsageError(`Cannot delete a tag of ${quote(text)}: expected a tag, found none`, {
      hint: `list the tags: regi tags list ${text}`,
    });
  return { text, location, tag };
}

async function removeTag(
  { store, name }: OpenedStore,
  tag: string,
  { signal }: Context,
): Promise<UntaggedRow> {
  if (!canUntag(store))
    throw new UsageError(`Cannot delete tags of "${name}"`, {
      hint: 'tags are deleted in registries and OCI layouts',
    });
  try {
    await store.untag(tag, { signal });
    return { name, tag };
  } catch (error) {
    if (!isByDigestOnly(error)) throw error;
    throw new RegiError(
      'REFUSED',
      `Cannot delete "${name}:${tag}": the registry deletes whole manifests only, with all their tags (status ${error.status})`,
      {
        hint: `add --via-dummy to move the tag to a throw-away manifest and delete that; or delete the image: regi delete ${name}@DIGEST`,
        cause: error,
      },
    );
  }
}

/**
 * True if a registry deletes by digest only. Distribution 2 answers 400 DIGEST_INVALID to a tag,
 * Harbor 400 UNSUPPORTED, Docker Hub and Azure 405. Another reason, such as a rule, explains
 * itself.
 */
function isByDigestOnly(error: unknown): error is RegistryResponseError {
  if (
    !isResponseError(error, 'REFUSED') ||
    error.method !== 'DELETE' ||
    otherWayToDelete(error.host) !== undefined
  )
    return false;
  return (
    error.status === 405 ||
    error.problems.some(({ code }) => code === 'UNSUPPORTED' || code === 'DIGEST_INVALID')
  );
}

async function removeViaDummy(
  { store, name, isRemote }: OpenedStore,
  tag: string,
  { io, signal }: Context,
): Promise<UntaggedRow> {
  if (!canDelete(store) || isRemote !== true)
    throw new UsageError(`Cannot use --via-dummy in "${name}": expected a registry`, {
      hint: 'drop it: tags are deleted there without it',
    });
  const unique = `${io.clock.now()} ${io.clock.random()}`;
  const { digest } = await untagViaDummy(store, tag, { unique, signal });
  return { name, tag, digest };
}
