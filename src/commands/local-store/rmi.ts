import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { familiarReference } from '../../oci/reference.ts';
import type { Sweep } from '../../stores/layout/garbage.ts';
import type { LocalImage, LocalStore } from '../../stores/layout/local-store.ts';
import { NotInStoreError } from '../../stores/not-found.ts';
import { flag } from '../arguments/arguments.ts';
import { eachArgument } from '../arguments/each-argument.ts';
import { findLocal, type LocalMatch } from '../../targets/local-images.ts';
import { withStores } from '../../targets/open-store.ts';

export interface RemovedRow {
  /** Names that are gone, as people write them. */
  readonly untagged: readonly string[];
  /** Content that is gone: manifests, configs and layers that nothing else needs. */
  readonly deleted: readonly string[];
  /** Of that content. */
  readonly bytes: number;
}

/** `regi rmi`: names of the local store, and what nothing else needs, in docker's words. */
export const rmiCommand: CommandBody<RemovedRow> = {
  run: runRmi,
  text: ({ untagged, deleted }) =>
    [
      ...untagged.map((name) => `Untagged: ${name}\n`),
      ...deleted.map((digest) => `Deleted: ${digest}\n`),
    ].join(''),
};

async function* runRmi(args: ParsedArguments, context: Context): AsyncIterable<RemovedRow> {
  yield* withStores(context, {}, async function* (stores) {
    // As a source: what is not there need not be made to find nothing in it.
    const store = await stores.openLocal('source');
    const images = args.positionals.map((text) => ({ text: text.replace(/^local:/, '') }));
    yield* eachArgument(images, context, async ({ text }) =>
      flag(args, 'force')
        ? removeIfThere(store, text, context)
        : removeOne(store, text, false, context),
    );
  });
}

/** As docker: with --force what is not there is said, and is no failure. */
async function removeIfThere(
  store: LocalStore,
  text: string,
  context: Context,
): Promise<RemovedRow> {
  try {
    return await removeOne(store, text, true, context);
  } catch (error) {
    if (!(error instanceof NotInStoreError)) throw error;
    context.warn(`${error.message}; nothing of it was removed`);
    return { untagged: [], deleted: [], bytes: 0 };
  }
}

async function removeOne(
  store: LocalStore,
  text: string,
  force: boolean,
  { io, signal }: Context,
): Promise<RemovedRow> {
  const options = { now: io.clock.now(), signal };
  const match = await findLocal(store, text, { signal });
  const images = chosen(match);
  if (match.by === 'id' && !force) refuseSeveral(text, images);
  const names = images.flatMap(({ name }) => name ?? []);
  const nameless = images.flatMap(({ name, root }) => (name === undefined ? [root.digest] : []));
  const sweeps: Sweep[] = [];
  if (names.length > 0) sweeps.push(await store.remove(names, options));
  if (nameless.length > 0) sweeps.push(await store.removeNameless(nameless, options));
  const removed = sweeps.flatMap((sweep) => sweep.removed);
  return {
    untagged: untaggedLines(images, await store.images({ signal })),
    deleted: removed.map(({ digest }) => digest),
    bytes: removed.reduce((sum, { size }) => sum + size, 0),
  };
}

/** A digest means the name that is made of it, and only without that the tags. */
function chosen({ by, images }: LocalMatch): readonly LocalImage[] {
  if (by !== 'digest') return images;
  const exact = images.filter(({ reference }) => reference?.digest !== undefined);
  return exact.length > 0 ? exact : images;
}

function refuseSeveral(id: string, images: readonly LocalImage[]): void {
  const repositories = new Set(
    images.flatMap(({ reference }) =>
      reference === undefined ? [] : [`${reference.domain}/${reference.path}`],
    ),
  );
  if (repositories.size < 2) return;
  const names = images.flatMap(({ reference }) =>
    reference === undefined ? [] : [familiarReference(reference)],
  );
  throw new RegiError(
    'REFUSED',
    `Cannot remove "${id}": it has names in several repositories, ${names.join(', ')}`,
    {
      hint: `name the ones to remove, or take all: regi rmi --force ${id}`,
    },
  );
}

/** As docker: each name, and with the last name of its repository the digest that it was pulled by. */
function untaggedLines(
  removed: readonly LocalImage[],
  left: readonly LocalImage[],
): readonly string[] {
  const lines = new Set<string>();
  const still = new Set(left.flatMap((image) => pulledName(image) ?? []));
  for (const image of removed) {
    const { name, reference } = image;
    const pulled = pulledName(image);
    // A name that is made of a digest is shown with the one that was typed, not with that of the platform.
    if (reference?.digest !== undefined && pulled !== undefined) lines.add(pulled);
    else if (name !== undefined)
      lines.add(reference === undefined ? name : familiarReference(reference));
    if (pulled !== undefined && !still.has(pulled)) lines.add(pulled);
  }
  // The digests behind the names.
  return [...lines].toSorted((a, b) => Number(a.includes('@')) - Number(b.includes('@')));
}

function pulledName({ reference, pulled }: LocalImage): string | undefined {
  return reference === undefined || pulled === undefined
    ? undefined
    : `${familiarReference({ domain: reference.domain, path: reference.path })}@${pulled}`;
}
