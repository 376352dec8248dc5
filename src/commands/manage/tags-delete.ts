import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { isDigest } from '../../oci/digest.ts';
import { quote } from '../../quote.ts';
import { untagViaDummy } from '../../operations/edit/untag-via-dummy.ts';
import { otherWayToDelete } from '../../registry/delete-hints.ts';
import { RefusedError } from '../../registry/errors.ts';
import { canDelete, canUntag } from '../../store.ts';
import { flag, positional } from '../arguments/arguments.ts';
import { eachArgument, type Typed } from '../arguments/each-argument.ts';
import { parseLocation, type Location } from '../../targets/location.ts';
import { withStores, type OpenedStore } from '../../targets/open-store.ts';

export interface UntaggedRow {
  /** Without tag: `registry.example/team/app`. */
  readonly name: string;
  readonly tag: string;
  /** What it named. Undefined where nobody asked for it. */
  readonly digest?: string | undefined;
}

/** A registry that deletes no single tags. */
export function tagDeletionUnsupportedError(
  image: string,
  name: string,
  cause: RefusedError,
): RegiError {
  return new RegiError(
    'REFUSED',
    `Cannot delete "${image}": the registry deletes whole manifests only, with all their tags (status ${cause.status})`,
    {
      hint: `add --via-dummy to move the tag to a throw-away manifest and delete that; or delete the image: regi delete ${name}@DIGEST`,
      cause,
    },
  );
}

/** `regi tags delete`: tags, and nothing else. */
export const tagsDeleteCommand: CommandBody<UntaggedRow> = {
  run: runTagsDelete,
  text: ({ name, tag }) => `Untagged: ${name}:${tag}\n`,
};

async function* runTagsDelete(args: ParsedArguments, context: Context): AsyncIterable<UntaggedRow> {
  positional(args, 0, 'a tag', 'type: regi tags delete registry.example/app:1.2');
  // Parsed before the first is deleted: a slip in the last must not come to light when half is gone.
  const targets = args.positionals.map(parseTarget);
  const viaDummy = flag(args, 'via-dummy');
  yield* withStores(context, {}, async function* (stores) {
    yield* eachArgument(targets, context, async ({ location, tag }) => {
      // As a source: what is not there need not be made to delete nothing in it.
      const opened = await stores.open(
        location,
        location.kind === 'registry' ? 'destination' : 'source',
      );
      return viaDummy ? removeViaDummy(opened, tag, context) : remove(opened, tag, context);
    });
  });
}

interface Target extends Typed {
  readonly location: Location;
  readonly tag: string;
}

function parseTarget(text: string): Target {
  const location = parseLocation(text);
  if (location.kind === 'local')
    throw new UsageError(`Cannot delete ${quote(text)} there: the local store has images`, {
      hint: `type: regi rmi ${text.slice(6)}`,
    });
  const { tag, digest } =
    'path' in location ? { tag: location.reference, digest: location.digest } : location.reference;
  if (digest !== undefined) {
    throw new UsageError(`Cannot delete ${quote(text)} as a tag: expected a tag, found a digest`, {
      hint: `delete the image with all its tags: regi delete ${text}; or leave out the digest`,
    });
  }
  // Nobody deletes "latest" by leaving it out.
  if (tag === undefined || isDigest(tag))
    throw new UsageError(`Cannot delete a tag of ${quote(text)}: expected a tag, found none`, {
      hint: `see what is there: regi tags list ${text}`,
    });
  return { text, location, tag };
}

async function remove(
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
    if (isByDigestOnly(error)) throw tagDeletionUnsupportedError(`${name}:${tag}`, name, error);
    throw error;
  }
}

/** Distribution 2 says 400 DIGEST_INVALID to a tag, Harbor 400 UNSUPPORTED, Docker Hub and Azure 405. Another reason, such as a rule, says itself. */
function isByDigestOnly(error: unknown): error is RefusedError {
  if (
    !(error instanceof RefusedError) ||
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
  { store, name }: OpenedStore,
  tag: string,
  { io, signal }: Context,
): Promise<UntaggedRow> {
  if (!canDelete(store) || !store.place.startsWith('registry:')) {
    throw new UsageError(`Cannot use --via-dummy in "${name}": expected a registry`, {
      hint: 'leave it out: tags are deleted there without it',
    });
  }
  const unique = `${io.clock.now()} ${io.clock.random()}`;
  const { digest } = await untagViaDummy(store, tag, { unique, signal });
  return { name, tag, digest };
}
