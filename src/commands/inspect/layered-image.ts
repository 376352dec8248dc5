import pLimit from 'p-limit';

import type { ParsedArguments } from '../../command.ts';
import { together } from '../../concurrency/together.ts';
import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ImageManifest } from '../../oci/manifest.ts';
import {
  isCertain,
  LayerBudget,
  listLayer,
  type VisitFile,
} from '../../operations/contents/list-layer.ts';
import { readImage } from '../../operations/copy/resolve-image.ts';
import type { Source } from '../../store.ts';
import type { TarFile } from '../../tar/tar-file.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { parseSourceLocation } from '../../targets/path.ts';
import { platformChoice } from '../arguments/arguments.ts';
import { countedSource, HERE } from '../output/counted-bytes.ts';

/** An image whose layers are read. */
export interface LayeredImage {
  /** As it was typed, for hints. */
  readonly typed: string;
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  /** Reading it is shown as progress. */
  readonly source: Source;
  /** Announces layers that are about to be read. */
  readonly announce: (layers: readonly Descriptor[]) => void;
}

/**
 * Layers read at once: unpacking keeps a processor busy, and a registry sends several faster than
 * one.
 */
const AT_ONCE = 4;

/**
 * Opens the image of a location. From an index it takes `--platform`, else this machine's platform.
 *
 * @throws {PlatformNotFoundError} when the index lacks that platform.
 */
export async function openLayered(
  typed: string,
  args: ParsedArguments,
  stores: Stores,
  context: Context,
): Promise<LayeredImage> {
  const { signal, onEvent } = context;
  const location = await parseSourceLocation(typed, context.io);
  const { store, reference } = await stores.open(location, 'source', { orLocal: true });
  const image = await readImage(store, reference, platformChoice(args, context), { signal });
  const announce = (layers: readonly Descriptor[]): void => {
    for (const target of layers) onEvent({ kind: 'found', target, to: HERE });
  };
  return { typed, ...image, source: countedSource(store, context), announce };
}

export interface ListLayersOptions {
  readonly signal: AbortSignal;
  readonly budget?: LayerBudget | undefined;
  /** Returns the visitor of a layer's files, called as they stream by. */
  readonly visitorOf?: ((layer: Descriptor, number: number) => VisitFile) | undefined;
  /** The first layer, and the one after the last; all when absent. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

/**
 * Layers that are listed before more are requested, from the top: what is looked for was mostly
 * changed last.
 */
const FIRST_LAYERS = [1, 3];

/**
 * Lists layers from the top down until all paths are certain, and returns the lists from the lowest
 * listed layer up. The layers below are empty lists.
 *
 * @param paths relative to the image's root.
 */
export async function listLayersFor(
  image: LayeredImage,
  paths: readonly string[],
  options: ListLayersOptions,
): Promise<readonly (readonly TarFile[])[]> {
  const { layers } = image.manifest;
  const budget = options.budget ?? new LayerBudget();
  let lists: readonly (readonly TarFile[])[] = [];
  for (const count of [...FIRST_LAYERS, layers.length]) {
    const to = layers.length - lists.length;
    const from = Math.max(to - count, 0);
    const more = await listLayers(image, { ...options, budget, from, to });
    lists = [...more, ...lists];
    if (from === 0 || paths.every((path) => isCertain(lists, path))) break;
  }
  const unread = layers.slice(lists.length).map((): readonly TarFile[] => []);
  return [...unread, ...lists];
}

/** Lists the files of each layer, from the base up. */
export async function listLayers(
  { source, manifest, announce }: LayeredImage,
  { signal, budget = new LayerBudget(), visitorOf, from = 0, to }: ListLayersOptions,
): Promise<readonly (readonly TarFile[])[]> {
  const limit = pLimit(AT_ONCE);
  const layers = manifest.layers.slice(from, to);
  announce(layers);
  const tasks = layers.map(
    (layer, at) => (either: AbortSignal) =>
      limit(() => {
        either.throwIfAborted();
        const visit = visitorOf?.(layer, from + at);
        return listLayer(source, layer, { budget, signal: either, visit });
      }),
  );
  return together(tasks, signal);
}
