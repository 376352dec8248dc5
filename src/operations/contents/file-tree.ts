import { posix } from 'node:path';

import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { quote } from '../../quote.ts';
import { nameText, UNDESCRIBED, type TarFile } from '../../tar/tar-file.ts';

/** A file of a layer, with its position. */
export interface LayerFile {
  /** Number of the layer, from 0 for the base. */
  readonly layer: number;
  /** Position among the files of the layer. */
  readonly index: number;
  readonly file: TarFile;
}

export interface FolderNode {
  readonly kind: 'folder';
  /** Its entry in the topmost layer that has one; undefined if layers only have files in it. */
  own: LayerFile | undefined;
  /** The topmost layer that has it, or a file in it. */
  layer: number;
  readonly children: Map<string, TreeNode>;
  /** Length of its path. */
  readonly pathBytes: number;
}

/** Any file but a folder. Hard links are nodes with the same `own`. */
export interface LeafNode {
  readonly kind: 'leaf';
  readonly own: LayerFile;
  /** The layer that has the name; for a hard link it may be above the layer of the content. */
  readonly layer: number;
}

export type TreeNode = FolderNode | LeafNode;

/** A node and its real path; empty for the root. */
export interface FoundNode {
  readonly path: string;
  readonly node: TreeNode;
}

/** A folder without an entry in any layer, which exists because it contains files. */
export const UNDESCRIBED_FOLDER: TarFile = {
  ...UNDESCRIBED,
  type: 'folder',
  name: '',
  size: 0,
  mode: 0o755,
};

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const AUFS = '.wh..wh.';

/** The meaning of an entry in a layer. */
export type LayerEntry =
  /** A name relative to the image's root, without "." and ".."; empty for the root itself. */
  | { readonly kind: 'file'; readonly path: string }
  /** Removes that name of the layers below. */
  | { readonly kind: 'whiteout'; readonly path: string }
  /** Removes the content of that folder in the layers below. */
  | { readonly kind: 'opaque'; readonly path: string }
  /** Internal data of AUFS. */
  | { readonly kind: 'ignored' };

/**
 * Parses a name in a layer. A name never leads out of the image: ".." at the root is the root, as
 * in a container.
 *
 * @throws {RegiError} INVALID_ARCHIVE on a name that is longer than Linux allows.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
 */
export function entryOf(name: string): LayerEntry {
  if (name.length > LIMITS.pathBytes) throw tooLong(name.length);
  const path = insideRoot(name);
  const slash = path.lastIndexOf('/');
  const [folder, base] = [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
  if (base === OPAQUE) return { kind: 'opaque', path: folder };
  if (path.split('/').some((part) => part.startsWith(AUFS))) return { kind: 'ignored' };
  if (!base.startsWith(WHITEOUT)) return { kind: 'file', path };
  const gone = base.slice(WHITEOUT.length);
  return gone === '' || gone === '.' || gone === '..'
    ? { kind: 'ignored' }
    : { kind: 'whiteout', path: joined(folder, gone) };
}

/** Returns the path from the root of the image, without "." and ".."; empty for the root. */
export function insideRoot(name: string): string {
  return posix.normalize(`/${name}`).replace(/^\/+|\/+$/g, '');
}

export function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/**
 * The files of an image as a container sees them, merged as a runtime unpacks the layers, without
 * their content.
 */
export class FileTree {
  readonly root: FolderNode = {
    kind: 'folder',
    own: undefined,
    layer: 0,
    children: new Map(),
    pathBytes: 0,
  };

  /** Adds a file of a layer. Layers come from the base up, and their files in their order. */
  add(entry: LayerFile): void {
    const meant = entryOf(entry.file.name);
    switch (meant.kind) {
      case 'ignored':
        return;
      case 'opaque': {
        const folder = this.#walk(meant.path, { last: true });
        if (folder?.kind === 'folder') removeBelow(folder, entry.layer);
        return;
      }
      case 'whiteout': {
        const { parent, name } = this.#place(meant.path);
        const gone = parent?.children.get(name);
        if (parent === undefined || gone === undefined) return;
        if (gone.layer < entry.layer) parent.children.delete(name);
        else if (gone.kind === 'folder') removeBelow(gone, entry.layer);
        return;
      }
      case 'file':
        this.#addFile(meant.path, entry);
        return;
      default:
        return meant satisfies never;
    }
  }

  /**
   * Finds the node at a path, as a container would; undefined if there is none. Follows symbolic
   * links, but never out of the image.
   *
   * @param last true to follow a link at the end too.
   */
  find(path: string, { last }: { readonly last: boolean }): FoundNode | undefined {
    const names: string[] = [];
    const node = this.#walk(path, { last, names });
    return node === undefined ? undefined : { path: names.join('/'), node };
  }

  /** Yields every path below a folder, parents before children, sorted by bytes. */
  *walk(
    from: FoundNode = { path: '', node: this.root },
  ): Generator<readonly [path: string, node: TreeNode]> {
    const left: (readonly [string, TreeNode])[] = [[from.path, from.node]];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      yield next;
      const [path, node] = next;
      if (node.kind !== 'folder') continue;
      const names = [...node.children].toSorted(([a], [b]) => (a < b ? 1 : -1));
      for (const [name, child] of names) left.push([joined(path, name), child]);
    }
  }

  #addFile(path: string, entry: LayerFile): void {
    const { layer, file } = entry;
    if (path === '') {
      if (file.type !== 'folder') throw invalid(file, 'expected a folder as the root');
      this.root.own = entry;
      return;
    }
    const parent = this.#makeFolder(path.slice(0, Math.max(path.lastIndexOf('/'), 0)), layer);
    const name = path.slice(path.lastIndexOf('/') + 1);
    pathBytesIn(parent, name);
    if (file.link.length > LIMITS.pathBytes) throw tooLong(file.link.length);
    if (file.type === 'hardlink') {
      const target = this.#walk(insideRoot(file.link), { last: false });
      if (target?.kind !== 'leaf')
        throw invalid(file, `expected a link to a file, found ${quote(nameText(file.link))}`);
      parent.children.set(name, { kind: 'leaf', own: target.own, layer });
      return;
    }
    if (file.type !== 'folder') {
      parent.children.set(name, { kind: 'leaf', own: entry, layer });
      return;
    }
    const there = parent.children.get(name);
    if (there?.kind === 'folder') {
      there.own = entry;
      there.layer = layer;
    } else makeChild(parent, name, layer).own = entry;
  }

  /**
   * Finds or creates the folder of a path, through symbolic links, as a runtime writes through
   * them.
   */
  #makeFolder(path: string, layer: number): FolderNode {
    const found = this.#walk(path, { last: true, make: layer });
    if (found?.kind === 'folder') return found;
    throw new RegiError(
      'INVALID_ARCHIVE',
      `Cannot read the layer: expected a folder ${quote(nameText(path))}, found something else`,
      { hint: 'no runtime can unpack this image; build it again' },
    );
  }

  #place(path: string): { readonly parent: FolderNode | undefined; readonly name: string } {
    const slash = path.lastIndexOf('/');
    const parent = this.#walk(path.slice(0, Math.max(slash, 0)), { last: true });
    return { parent: parent?.kind === 'folder' ? parent : undefined, name: path.slice(slash + 1) };
  }

  /** @param names receives the names on the way to the node. */
  #walk(path: string, { last, make, names = [] }: WalkOptions): TreeNode | undefined {
    const trail: FolderNode[] = [this.root];
    const left = partsOf(path).reverse();
    let links = 0;
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const folder = trail.at(-1) ?? this.root;
      if (make !== undefined) folder.layer = make;
      if (name === '.') continue;
      if (name === '..') {
        if (trail.length > 1) trail.pop();
        names.pop();
        continue;
      }
      const child =
        folder.children.get(name) ??
        (make === undefined ? undefined : makeChild(folder, name, make));
      if (child === undefined) return undefined;
      if (child.kind === 'folder') {
        trail.push(child);
        names.push(name);
        continue;
      }
      if (child.own.file.type !== 'symlink' || (left.length === 0 && !last)) {
        names.push(name);
        return left.length === 0 ? child : undefined;
      }
      links += 1;
      if (links > LIMITS.symlinks) return undefined;
      const { link } = child.own.file;
      if (link.startsWith('/')) trail.length = 1;
      if (link.startsWith('/')) names.length = 0;
      left.push(...partsOf(link).reverse());
    }
    const found = trail.at(-1);
    if (found !== undefined && make !== undefined) found.layer = make;
    return found;
  }
}

interface WalkOptions {
  readonly last: boolean;
  readonly make?: number | undefined;
  readonly names?: string[] | undefined;
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

function makeChild(folder: FolderNode, name: string, layer: number): FolderNode {
  const child: FolderNode = {
    kind: 'folder',
    own: undefined,
    layer,
    children: new Map(),
    pathBytes: pathBytesIn(folder, name),
  };
  folder.children.set(name, child);
  return child;
}

/**
 * Bounds the length of a path: chained links turn short names into paths of any length.
 *
 * @throws {RegiError} INVALID_ARCHIVE when no system could open the path.
 */
function pathBytesIn(folder: FolderNode, name: string): number {
  const bytes = folder.pathBytes + 1 + name.length;
  if (bytes > LIMITS.pathBytes) throw tooLong(bytes);
  return bytes;
}

function tooLong(bytes: number): RegiError {
  return new RegiError(
    'INVALID_ARCHIVE',
    `Cannot read the layer: expected names of at most ${LIMITS.pathBytes} bytes, found ${bytes}`,
    { hint: 'no system has such names; do not trust this image' },
  );
}

/** Removes the content of a folder that comes from lower layers, and keeps that of this layer. */
function removeBelow(folder: FolderNode, layer: number): void {
  for (const [name, child] of folder.children) {
    if (child.layer < layer) folder.children.delete(name);
    else if (child.kind === 'folder') removeBelow(child, layer);
  }
}

function invalid({ name }: TarFile, problem: string): RegiError {
  return new RegiError(
    'INVALID_ARCHIVE',
    `Cannot read ${quote(nameText(name))} of the layer: ${problem}`,
    {
      hint: 'no runtime can unpack this image; build it again',
    },
  );
}
