import { LimitExceededError } from '../../bytes.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { CallOptions, Source } from '../../store.ts';
import type { StreamedFile } from '../../tar/read-tar.ts';
import type { TarFile } from '../../tar/tar-file.ts';
import { FileTree } from './file-tree.ts';
import { readLayer } from './read-layer.ts';

/** A common limit for the layers of one command: all their entries stay in memory. */
export class LayerBudget {
  #entries = 0;
  #bytes = 0;

  /** @throws {LimitExceededError} when there are more entries than any real image has. */
  take({ name, link, records }: TarFile): void {
    this.#entries += 1;
    this.#bytes += name.length + link.length;
    for (const [key, value] of records) this.#bytes += key.length + value.length;
    if (this.#entries > LIMITS.layerEntries) throw tooMuch(`${LIMITS.layerEntries} files`);
    if (this.#bytes > LIMITS.layerNamesBytes)
      throw tooMuch(`${LIMITS.layerNamesBytes} bytes of names and attributes`);
  }
}

/** Called with each file as it streams by, and its position in the layer. Unread content is skipped. */
export type VisitFile = (streamed: StreamedFile, index: number) => Promise<void>;

export interface ListLayerOptions extends CallOptions {
  readonly budget: LayerBudget;
  readonly visit?: VisitFile | undefined;
}

/**
 * Reads a layer to its end and lists its files in their order. Verifies the bytes before it resolves.
 *
 * @throws what `readLayer()` throws.
 */
export async function listLayer(
  source: Source,
  layer: Descriptor,
  { budget, visit, signal }: ListLayerOptions,
): Promise<readonly TarFile[]> {
  const files: TarFile[] = [];
  for await (const streamed of readLayer(source, layer, { signal })) {
    budget.take(streamed.file);
    await visit?.(streamed, files.length);
    files.push(streamed.file);
  }
  return files;
}

/**
 * Builds the files of an image from the lists of its layers, from the base up.
 *
 * @throws {RegiError} INVALID_ARCHIVE when no runtime could unpack them on each other.
 */
export function treeOf(layers: readonly (readonly TarFile[])[]): FileTree {
  const tree = new FileTree();
  for (const [layer, files] of layers.entries())
    for (const [index, file] of files.entries()) tree.add({ layer, index, file });
  return tree;
}

function tooMuch(limit: string): LimitExceededError {
  return new LimitExceededError(`Cannot look into the image: expected at most ${limit}`, {
    hint: 'no honest image has more; do not trust this one',
  });
}
