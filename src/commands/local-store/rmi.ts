import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { familiarReference, imageName, repositoryName } from '../../oci/reference.ts';
import {
  findLocal,
  type LocalImage,
  type LocalMatch,
  type LocalStore,
} from '../../targets/local.ts';
import { withStores } from '../../targets/open-store.ts';
import { flag } from '../arguments/arguments.ts';
import { eachArgument } from '../arguments/each-argument.ts';

export interface RemovedRow {
  /** Removed names, as people write them. */
  readonly untagged: readonly string[];
  /** Removed content: manifests, configs and layers that no other image needs. */
  readonly deleted: readonly string[];
  /** Size of that content. */
  readonly bytes: number;
}

/**
 * `regi rmi`: removes names from the local store, and content that only they needed, with docker's
 * output.
 */
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
    // Opened as a source, so that a missing store is not created.
    const store = await stores.openLocal('source');
    const images = args.positionals.map((text) => ({ text: text.replace(/^local:/, '') }));
    yield* eachArgument(images, context, async ({ text }) =>
      flag(args, 'force')
        ? removeIfPresent(store, text, context)
        : removeOne(store, text, false, context),
    );
  });
}

/** With --force, a missing image is a warning, as in docker. */
async function removeIfPresent(
  store: LocalStore,
  text: string,
  context: Context,
): Promise<RemovedRow> {
  try {
    return await removeOne(store, text, true, context);
  } catch (error) {
    if (!(error instanceof RegiError) || error.code !== 'NOT_FOUND') throw error;
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
  const sweeps: Awaited<ReturnType<LocalStore['remove']>>[] = [];
  if (names.length > 0) sweeps.push(await store.remove(names, options));
  if (nameless.length > 0) sweeps.push(await store.removeNameless(nameless, options));
  const removed = sweeps.flatMap((sweep) => sweep.removed);
  return {
    untagged: untaggedLines(images, await store.images({ signal })),
    deleted: removed.map(({ digest }) => digest),
    bytes: removed.reduce((sum, { size }) => sum + size, 0),
  };
}

/** A digest means the name that pins it; without such a name, the tags. */
function chosen({ by, images }: LocalMatch): readonly LocalImage[] {
  if (by !== 'digest') return images;
  const exact = images.filter(({ reference }) => reference?.digest !== undefined);
  return exact.length > 0 ? exact : images;
}

function refuseSeveral(id: string, images: readonly LocalImage[]): void {
  const references = images.flatMap(({ reference }) => reference ?? []);
  if (new Set(references.map(repositoryName)).size < 2) return;
  const names = references.map(familiarReference);
  throw new RegiError(
    'REFUSED',
    `Cannot remove "${id}": it has names in several repositories, ${names.join(', ')}`,
    { hint: `name the ones to remove, or remove all: regi rmi --force ${id}` },
  );
}

/**
 * Lists removed names as docker does. The last name of a repository brings the digest that it was
 * pulled by.
 */
function untaggedLines(
  removed: readonly LocalImage[],
  left: readonly LocalImage[],
): readonly string[] {
  const lines = new Set<string>();
  const still = new Set(left.flatMap((image) => pulledName(image) ?? []));
  for (const image of removed) {
    const { name, reference } = image;
    const pulled = pulledName(image);
    // A name that pins a digest shows the pulled digest, which was typed, and not that of the
    // platform.
    if (reference?.digest !== undefined && pulled !== undefined) lines.add(pulled);
    else if (name !== undefined)
      lines.add(reference === undefined ? name : familiarReference(reference));
    if (pulled !== undefined && !still.has(pulled)) lines.add(pulled);
  }
  // Digests come last.
  return [...lines].toSorted((a, b) => Number(a.includes('@')) - Number(b.includes('@')));
}

function pulledName({ reference, pulled }: LocalImage): string | undefined {
  if (reference === undefined || pulled === undefined) return undefined;
  const { domain, path } = reference;
  return imageName(familiarReference({ domain, path }), { digest: pulled });
}
