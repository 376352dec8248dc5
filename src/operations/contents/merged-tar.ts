import type { Descriptor } from '../../oci/descriptor.ts';
import type { Bytes, CallOptions, Source } from '../../store.ts';
import { BLOCK_BYTES, encodeFileHeader, paddingOf } from '../../tar/header.ts';
import type { TarFile } from '../../tar/tar-file.ts';
import { UNDESCRIBED_FOLDER, type FileTree, type FolderNode } from './file-tree.ts';
import { readLayer } from './read-layer.ts';

/**
 * Writes the files of an image as one tar, as a container sees them. Reads the layers again, from
 * the base up; stores nothing.
 *
 * A file with several names is written under the first; the others are hard links to it. Folders
 * come after all files, so that a read-only mode and the time of a folder are set when it is full.
 * The root is omitted, so that unpacking changes no existing folder.
 *
 * @param tree built from the same layers.
 * @throws what `readLayer()` throws, while iterating.
 */
export async function* mergedTar(
  source: Source,
  layers: readonly Descriptor[],
  tree: FileTree,
  options: CallOptions = {},
): AsyncGenerator<Uint8Array> {
  const { files, folders } = plan(tree, layers.length);
  for (const [number, layer] of layers.entries()) {
    const wanted = files[number] ?? new Map<number, readonly string[]>();
    // A layer without visible files need not be read again.
    if (wanted.size === 0) continue;
    let index = 0;
    for await (const { file, content } of readLayer(source, layer, options)) {
      const names = wanted.get(index);
      if (names !== undefined) yield* entries(file, content, names);
      index += 1;
    }
  }
  for (const { path, node } of folders)
    yield encodeFileHeader({ ...(node.own?.file ?? UNDESCRIBED_FOLDER), name: `${path}/` });
  yield new Uint8Array(2 * BLOCK_BYTES);
}

async function* entries(
  file: TarFile,
  content: Bytes,
  [first = '', ...others]: readonly string[],
): AsyncGenerator<Uint8Array> {
  yield encodeFileHeader({ ...file, name: first });
  if (file.size > 0) yield* content;
  const padding = paddingOf(file.size);
  if (padding > 0) yield new Uint8Array(padding);
  for (const name of others)
    yield encodeFileHeader({ ...file, type: 'hardlink', name, link: first, size: 0 });
}

interface Plan {
  /** For each layer, its visible files by their position in it, with their names. */
  readonly files: readonly ReadonlyMap<number, readonly string[]>[];
  readonly folders: readonly { readonly path: string; readonly node: FolderNode }[];
}

function plan(tree: FileTree, layers: number): Plan {
  const files = Array.from({ length: layers }, () => new Map<number, string[]>());
  const folders: { readonly path: string; readonly node: FolderNode }[] = [];
  for (const [path, node] of tree.walk()) {
    if (node.kind === 'folder') {
      if (path !== '') folders.push({ path, node });
      continue;
    }
    const { layer, index } = node.own;
    const names = files[layer]?.get(index);
    if (names === undefined) files[layer]?.set(index, [path]);
    else names.push(path);
  }
  return { files, folders };
}
