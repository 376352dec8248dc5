import pLimit from 'p-limit';

import type { Context } from '../../context.ts';
import { type Descriptor, InvalidManifestError } from '../../oci/descriptor.ts';
import type { ImageManifest } from '../../oci/manifest.ts';
import { parsePlatform } from '../../oci/platform.ts';
import { LayerBudget, listLayer, type VisitFile } from '../../operations/contents/list-layer.ts';
import { imageForHost, readForHost } from '../../operations/copy/resolve-image.ts';
import { readManifest } from '../../operations/copy/read-manifest.ts';
import { together } from '../../concurrency/together.ts';
import type { Source } from '../../store.ts';
import type { TarFile } from '../../tar/tar-file.ts';
import { countedSource, HERE } from '../output/counted-bytes.ts';
import { parseLocation } from '../../targets/location.ts';
import type { Stores } from '../../targets/open-store.ts';

/** An image whose layers are read. */
export interface LayeredImage {
  /** As it was typed, for hints. */
  readonly typed: string;
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  /** Reading it is shown as progress. */
  readonly source: Source;
  /** Shows that layers are going to be read. */
  readonly announce: (layers: readonly Descriptor[]) => void;
}

/** Layers read at once: unpacking keeps a processor busy, and a registry sends several faster than one. */
const AT_ONCE = 4;

/**
 * Opens the image of a location; of an index that of `platform`, else this machine's.
 *
 * @param typed the location.
 * @param platform as typed.
 * @throws what `parseLocation` and opening throw.
 * @throws {PlatformNotFoundError} when the index has no such platform.
 */
export async function openLayered(
  stores: Stores,
  typed: string,
  platform: string | undefined,
  context: Context,
): Promise<LayeredImage> {
  const { io, signal } = context;
  const { store, reference } = await stores.open(parseLocation(typed), 'source');
  const choice = {
    platform: platform === undefined ? undefined : parsePlatform(platform, io.host),
    host: io.host,
  };
  const found = await readForHost(store, reference, choice, { signal });
  const descriptor = imageForHost(found, io.host);
  const { manifest } =
    descriptor === found.root.descriptor
      ? found.root
      : await readManifest(store, descriptor, { signal });
  if (manifest.kind === 'index')
    throw new InvalidManifestError(
      `Cannot look into ${descriptor.digest}: expected an image, found an index in the index`,
    );
  const announce = (layers: readonly Descriptor[]): void => {
    for (const target of layers) context.onEvent({ kind: 'found', target, to: HERE });
  };
  return { typed, descriptor, manifest, source: countedSource(store, context), announce };
}

export interface ListLayersOptions {
  readonly signal: AbortSignal;
  readonly budget?: LayerBudget | undefined;
  /** What sees the files of a layer as they stream by. */
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
        return listLayer(source, layer, {
          budget,
          signal: either,
          visit: visitorOf?.(layer, number),
        });
      }),
  );
  return together(tasks, signal);
}
