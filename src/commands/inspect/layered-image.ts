import pLimit from 'p-limit';

import type { ParsedArguments } from '../../command.ts';
import { together } from '../../concurrency/together.ts';
import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ImageManifest } from '../../oci/manifest.ts';
import { LayerBudget, listLayer, type VisitFile } from '../../operations/contents/list-layer.ts';
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

/** Layers read at once: unpacking keeps a processor busy, and a registry sends several faster than one. */
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
}

/** Lists the files of each layer, from the base up. */
export async function listLayers(
  { source, manifest, announce }: LayeredImage,
  { signal, budget = new LayerBudget(), visitorOf }: ListLayersOptions,
): Promise<readonly (readonly TarFile[])[]> {
  const limit = pLimit(AT_ONCE);
  announce(manifest.layers);
  const tasks = manifest.layers.map(
    (layer, number) => (either: AbortSignal) =>
      limit(() => {
        either.throwIfAborted();
        const visit = visitorOf?.(layer, number);
        return listLayer(source, layer, { budget, signal: either, visit });
      }),
  );
  return together(tasks, signal);
}
