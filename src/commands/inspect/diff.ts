import { createHash } from 'node:crypto';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { tryParseJson } from '../../json.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestFrom, type Digest } from '../../oci/digest.ts';
import { parseImageConfig } from '../../oci/image-config.ts';
import { diffConfigs } from '../../operations/contents/diff-configs.ts';
import { diffTrees, type ComparedTree } from '../../operations/contents/diff-trees.ts';
import type { LeafNode } from '../../operations/contents/file-tree.ts';
import { LayerBudget, treeOf, type VisitFile } from '../../operations/contents/list-layer.ts';
import { readConfig } from '../../operations/copy/read-manifest.ts';
import type { TarFile } from '../../tar/tar-file.ts';
import { flag, positional } from '../arguments/arguments.ts';
import { diffText, type DiffRow } from '../../render/diff.ts';
import { fileReport } from '../../render/image-file.ts';
import { listLayers, openLayered, type LayeredImage } from './layered-image.ts';
import { withStores } from '../../targets/open-store.ts';

/** `regi diff`: compares two images. */
export const diffCommand: CommandBody<DiffRow> = { run: runDiff, text: diffText };

async function* runDiff(args: ParsedArguments, context: Context): AsyncIterable<DiffRow> {
  const [first, second] = [positional(args, 0, 'an image'), positional(args, 1, 'a second image')];
  const withFiles = !flag(args, 'no-files');
  yield* withStores(context, {}, async function* (stores) {
    const before = await openLayered(first, args, stores, context);
    const after = await openLayered(second, args, stores, context);
    yield { kind: 'images', before: sideOf(before), after: sideOf(after) };
    if (before.descriptor.digest === after.descriptor.digest) {
      context.note('Both are the same image');
      return;
    }
    const old = await readConfig(before.source, before.manifest, context);
    const now = await readConfig(after.source, after.manifest, context);
    for (const change of diffConfigs(tryParseJson(old), tryParseJson(now)))
      yield { kind: 'config', ...change };
    yield* layerRows(layersOf(before, old), layersOf(after, now));
    if (withFiles) yield* fileRows(before, after, context);
  });
}

function sideOf({
  typed,
  descriptor,
  manifest,
}: LayeredImage): Extract<DiffRow, { kind: 'images' }>['before'] {
  return {
    name: typed,
    digest: descriptor.digest,
    layers: manifest.layers.length,
    size: manifest.layers.reduce((sum, { size }) => sum + size, 0),
  };
}

type LayerFacts = Omit<Extract<DiffRow, { kind: 'layer' }>, 'kind' | 'change'>;

function layersOf({ manifest }: LayeredImage, config: Uint8Array): readonly LayerFacts[] {
  const made = (parseImageConfig(config)?.history ?? []).filter(({ empty }) => !empty);
  return manifest.layers.map(({ digest, size }, index) => ({
    digest,
    size,
    createdBy: made[index]?.createdBy,
  }));
}

function* layerRows(old: readonly LayerFacts[], now: readonly LayerFacts[]): Iterable<DiffRow> {
  const other = old.findIndex(({ digest }, index) => digest !== now[index]?.digest);
  const shared = other < 0 ? old.length : other;
  for (const layer of old.slice(0, shared)) yield { kind: 'layer', change: 'same', ...layer };
  for (const layer of old.slice(shared)) yield { kind: 'layer', change: 'removed', ...layer };
  for (const layer of now.slice(shared)) yield { kind: 'layer', change: 'added', ...layer };
}

async function* fileRows(
  before: LayeredImage,
  after: LayeredImage,
  context: Context,
): AsyncIterable<DiffRow> {
  const totals = { added: 0, removed: 0, changed: 0, addedBytes: 0, removedBytes: 0 };
  if (haveSameLayers(before, after)) {
    // Equal layers hold equal files: none is read.
    yield { kind: 'summary', ...totals };
    return;
  }
  const contents = new Contents();
  const budget = new LayerBudget();
  const known = new Map<Digest, readonly TarFile[]>();
  const old = await treeWith(before, contents, { budget, known }, context);
  const now = await treeWith(after, contents, { budget, known }, context);
  for (const found of diffTrees(old, now)) {
    context.signal.throwIfAborted();
    const was =
      'before' in found ? fileReport(found.path, found.before, before.manifest) : undefined;
    const is = 'after' in found ? fileReport(found.path, found.after, after.manifest) : undefined;
    const path = (is ?? was)?.path ?? '';
    totals[found.change] += 1;
    totals.addedBytes += Math.max((is?.size ?? 0) - (was?.size ?? 0), 0);
    totals.removedBytes += Math.max((was?.size ?? 0) - (is?.size ?? 0), 0);
    yield {
      kind: 'file',
      change: found.change,
      path,
      differs: found.change === 'changed' ? found.differs : undefined,
      before: was,
      after: is,
    };
  }
  yield { kind: 'summary', ...totals };
}

function haveSameLayers({ manifest }: LayeredImage, other: LayeredImage): boolean {
  const { layers } = other.manifest;
  return (
    manifest.layers.length === layers.length &&
    manifest.layers.every(({ digest }, at) => digest === layers[at]?.digest)
  );
}

interface Shared {
  readonly budget: LayerBudget;
  /** Files of layers that were read for the other image. */
  readonly known: Map<Digest, readonly TarFile[]>;
}

async function treeWith(
  image: LayeredImage,
  contents: Contents,
  { budget, known }: Shared,
  context: Context,
): Promise<ComparedTree> {
  const { layers } = image.manifest;
  const missing = layers.filter(({ digest }) => !known.has(digest));
  const read = await listLayers(
    { ...image, manifest: { ...image.manifest, layers: missing } },
    { ...context, budget, visitorOf: (layer) => contents.visitor(layer) },
  );
  for (const [index, { digest }] of missing.entries()) known.set(digest, read[index] ?? []);
  return {
    tree: treeOf(layers.map(({ digest }) => known.get(digest) ?? [])),
    contentOf: (node) => contents.get(layers[node.own.layer], node),
  };
}

/** Holds the digest of every file that has content. */
class Contents {
  readonly #digests = new Map<Digest, Map<number, Digest>>();

  visitor({ digest }: Descriptor): VisitFile {
    const own = new Map<number, Digest>();
    this.#digests.set(digest, own);
    return async ({ file, content }, index) => {
      if (file.type !== 'file' || file.size === 0) return;
      const hash = createHash('sha256');
      for await (const chunk of content) hash.update(chunk);
      own.set(index, digestFrom(hash, 'sha256'));
    };
  }

  get(layer: Descriptor | undefined, { own }: LeafNode): Digest | undefined {
    return layer === undefined ? undefined : this.#digests.get(layer.digest)?.get(own.index);
  }
}
