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
import {
  hideTheSame,
  LayerBudget,
  treeOf,
  type VisitFile,
} from '../../operations/contents/list-layer.ts';
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
    yield* layerRows(layersOf(before, old), layersOf(after, now), sharedLayers(before, after));
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

function* layerRows(
  old: readonly LayerFacts[],
  now: readonly LayerFacts[],
  shared: number,
): Iterable<DiffRow> {
  for (const layer of old.slice(0, shared)) yield { kind: 'layer', change: 'same', ...layer };
  for (const layer of old.slice(shared)) yield { kind: 'layer', change: 'removed', ...layer };
  for (const layer of now.slice(shared)) yield { kind: 'layer', change: 'added', ...layer };
}

/** Counts the lowest layers that both images have. */
function sharedLayers({ manifest }: LayeredImage, other: LayeredImage): number {
  const { layers } = manifest;
  const at = layers.findIndex(
    ({ digest }, index) => digest !== other.manifest.layers[index]?.digest,
  );
  return at < 0 ? layers.length : at;
}

async function* fileRows(
  before: LayeredImage,
  after: LayeredImage,
  context: Context,
): AsyncIterable<DiffRow> {
  const totals = { added: 0, removed: 0, changed: 0, addedBytes: 0, removedBytes: 0 };
  const layers = new ReadLayers(context);
  // Layers that both have are read only where the others do not decide what differs.
  const shared = sharedLayers(before, after);
  await layers.read(before, shared);
  await layers.read(after, shared);
  const isEnough = hideTheSame(layers.listsOf(before, shared), layers.listsOf(after, shared));
  if (!isEnough) await layers.read(before, 0);
  const old = layers.treeOf(before);
  const now = layers.treeOf(after);
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

/** The files of layers, each read once, although both images may have it. */
class ReadLayers {
  readonly #context: Context;
  readonly #contents = new Contents();
  readonly #budget = new LayerBudget();
  readonly #known = new Map<Digest, readonly TarFile[]>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Reads the layers of an image from one on. */
  async read(image: LayeredImage, from: number): Promise<void> {
    const missing = image.manifest.layers
      .slice(from)
      .filter(({ digest }) => !this.#known.has(digest));
    const lists = await listLayers(
      { ...image, manifest: { ...image.manifest, layers: missing } },
      {
        ...this.#context,
        budget: this.#budget,
        visitorOf: (layer) => this.#contents.visitor(layer),
      },
    );
    for (const [at, { digest }] of missing.entries()) this.#known.set(digest, lists[at] ?? []);
  }

  /** Lists the files of the layers from one on; a layer that was not read has none. */
  listsOf({ manifest }: LayeredImage, from: number): readonly (readonly TarFile[])[] {
    return manifest.layers.slice(from).map(({ digest }) => this.#known.get(digest) ?? []);
  }

  treeOf(image: LayeredImage): ComparedTree {
    return {
      tree: treeOf(this.listsOf(image, 0)),
      contentOf: (node) => this.#contents.get(image.manifest.layers[node.own.layer], node),
    };
  }
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
