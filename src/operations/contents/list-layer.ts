import { LimitExceededError } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { CallOptions, Source } from '../../store.ts';
import type { StreamedFile } from '../../tar/read-tar.ts';
import { nameOf, type TarFile } from '../../tar/tar-file.ts';
import { entryOf, FileTree, insideRoot } from './file-tree.ts';
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

/**
 * Called with each file as it streams by, and its position in the layer. Unread content is skipped.
 */
export type VisitFile = (streamed: StreamedFile, index: number) => Promise<void>;

export interface ListLayerOptions extends CallOptions {
  readonly budget: LayerBudget;
  readonly visit?: VisitFile | undefined;
}

/**
 * Reads a layer to its end and lists its files in their order. Verifies the bytes before it
 * resolves.
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

/**
 * True if no layer below the listed ones can change what a path means. It has to be a plain file,
 * and its layer and those above it have to list each folder before what is in it: such an entry
 * replaces any link of a lower layer, through which a name could lead elsewhere. Builders write
 * layers like that.
 *
 * @param layers the upper layers of an image, the lowest first.
 * @param path relative to the image's root.
 */
export function isCertain(layers: readonly (readonly TarFile[])[], path: string): boolean {
  const wanted = nameOf(insideRoot(path));
  const found = treeIfComplete(layers)?.find(wanted, { last: false });
  if (found?.node.kind !== 'leaf' || found.path !== wanted) return false;
  const { own, layer } = found.node;
  return own.file.type === 'file' && own.layer === layer && layers.slice(layer).every(listsFolders);
}

/**
 * True if two images that have the same layers below the listed ones differ in nothing that only
 * those lower layers know. Both lists name the same folders and the same other paths, so they hide
 * the same files and leave the same others visible. New builds of one image are mostly like that.
 *
 * @param one the upper layers of an image, the lowest first.
 * @param other those of the other image.
 */
export function hideTheSame(
  one: readonly (readonly TarFile[])[],
  other: readonly (readonly TarFile[])[],
): boolean {
  const [first, second] = [kindsOf(one), kindsOf(other)];
  if (first === undefined || second === undefined || first.size !== second.size) return false;
  for (const [path, kind] of first) if (second.get(path) !== kind) return false;
  return treeIfComplete(one) !== undefined && treeIfComplete(other) !== undefined;
}

/**
 * Maps each path to its kind. Undefined where an entry removes files, a path changes its kind, or
 * a folder is not listed before what is in it: then a link of a lower layer may lead elsewhere.
 */
function kindsOf(
  layers: readonly (readonly TarFile[])[],
): ReadonlyMap<string, 'folder' | 'leaf'> | undefined {
  const kinds = new Map<string, 'folder' | 'leaf'>();
  if (!layers.every(listsFolders)) return undefined;
  for (const { name, type } of layers.flat()) {
    const meant = entryOf(name);
    if (meant.kind !== 'file') return undefined;
    const kind = type === 'folder' ? 'folder' : 'leaf';
    if ((kinds.get(meant.path) ?? kind) !== kind) return undefined;
    kinds.set(meant.path, kind);
  }
  return kinds;
}

/** True if each entry comes after entries for the folders above it. */
function listsFolders(files: readonly TarFile[]): boolean {
  const folders = new Set(['']);
  return files.every(({ type, name }) => {
    const path = insideRoot(name);
    if (!folders.has(path.slice(0, Math.max(path.lastIndexOf('/'), 0)))) return false;
    if (type === 'folder') folders.add(path);
    return true;
  });
}

/** Returns undefined where entries need a layer below, such as hard links to its files. */
function treeIfComplete(layers: readonly (readonly TarFile[])[]): FileTree | undefined {
  try {
    return treeOf(layers);
  } catch (error) {
    if (error instanceof RegiError && error.code === 'INVALID_ARCHIVE') return undefined;
    throw error;
  }
}

function tooMuch(limit: string): LimitExceededError {
  return new LimitExceededError(`Cannot look into the image: expected at most ${limit}`, {
    hint: 'no honest image has more; do not trust this one',
  });
}
