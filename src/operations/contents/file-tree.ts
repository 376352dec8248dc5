import { posix } from 'node:path';

import { RegiError, type RegiErrorOptions } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { quote } from '../../quote.ts';
import { nameText, type TarFile } from '../../tar/tar-file.ts';

/** A file of a layer, by the place where the layer has it. */
export interface LayerFile {
  /** From the base up, from 0. */
  readonly layer: number;
  /** Among the files of the layer. */
  readonly index: number;
  readonly file: TarFile;
}

export interface FolderNode {
  readonly kind: 'folder';
  /** What the topmost layer says of it; undefined when every layer only has files in it. */
  own: LayerFile | undefined;
  /** The topmost layer that has it, or something in it. */
  layer: number;
  readonly children: Map<string, TreeNode>;
  /** Length of its path. */
  readonly pathBytes: number;
}

/** Anything but a folder. Hard links are nodes with the same `own`. */
export interface LeafNode {
  readonly kind: 'leaf';
  readonly own: LayerFile;
  /** The layer that has the name; of a hard link it may be above that of the content. */
  readonly layer: number;
}

export type TreeNode = FolderNode | LeafNode;

/** A node, and the path at which it really is; empty for the root. */
export interface FoundNode {
  readonly path: string;
  readonly node: TreeNode;
}

/** A layer that no runtime could unpack on the layers below it. */
class InvalidLayerError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('INVALID_ARCHIVE', message, options);
  }
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const AUFS = '.wh..wh.';

/** What a file of a layer means. */
export type LayerEntry =
  /** A name relative to the image's root, without "." and ".."; empty for the root itself. */
  | { readonly kind: 'file'; readonly path: string }
  /** Whatever has that name in the layers below is gone. */
  | { readonly kind: 'whiteout'; readonly path: string }
  /** Whatever the layers below have in that folder is gone. */
  | { readonly kind: 'opaque'; readonly path: string }
  /** What AUFS kept for itself. */
  | { readonly kind: 'ignored' };

/**
 * Says what a name in a layer means. A name never leads out of the image: ".." at the root is the root, as in a container.
 *
 * @throws {InvalidLayerError} on a name that is longer than Linux allows.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
 */
function entryOf(name: string): LayerEntry {
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

/** The path from the root of the image, "." and ".." worked out; empty for the root. */
export function insideRoot(name: string): string {
  return posix.normalize(`/${name}`).replace(/^\/+|\/+$/g, '');
}

export function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** The files of an image as a container sees them, put together as a runtime unpacks the layers, without their content. */
export class FileTree {
  readonly root: FolderNode = {
    kind: 'folder',
    own: undefined,
    layer: 0,
    children: new Map(),
    pathBytes: 0,
  };

  /** Puts one more file of a layer on top. Layers come from the base up, and their files in their order. */
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
   * What has that path in a container; undefined when nothing has. Symbolic links on the way are followed, inside the image only.
   *
   * @param last whether a link at the end is followed too.
   */
  find(path: string, { last }: { readonly last: boolean }): FoundNode | undefined {
    const names: string[] = [];
    const node = this.#walk(path, { last, names });
    return node === undefined ? undefined : { path: names.join('/'), node };
  }

  /** Every path from a folder on, folders before what is in them, sorted by bytes. */
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
        throw invalid(
          file,
          `expected a link to a file, found ${quote(nameText(file.link))}, which is none`,
        );
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

  /** The folder of that path, made where it is not there; through symbolic links, as a runtime writes through them. */
  #makeFolder(path: string, layer: number): FolderNode {
    const found = this.#walk(path, { last: true, make: layer });
    if (found?.kind === 'folder') return found;
    throw new InvalidLayerError(
      `Cannot read the layer: expected a folder ${quote(nameText(path))}, found something else`,
      {
        hint: 'no runtime can unpack this image; build it again',
      },
    );
  }

  #place(path: string): { readonly parent: FolderNode | undefined; readonly name: string } {
    const slash = path.lastIndexOf('/');
    const parent = this.#walk(path.slice(0, Math.max(slash, 0)), { last: true });
    return { parent: parent?.kind === 'folder' ? parent : undefined, name: path.slice(slash + 1) };
  }

  /** @param names takes the names on the way to what is found. */
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
 * Where links lead from one to the next, short names make paths that are as long as they like.
 *
 * @throws {InvalidLayerError} when the path is longer than anything can open.
 */
function pathBytesIn(folder: FolderNode, name: string): number {
  const bytes = folder.pathBytes + 1 + name.length;
  if (bytes > LIMITS.pathBytes) throw tooLong(bytes);
  return bytes;
}

function tooLong(bytes: number): InvalidLayerError {
  return new InvalidLayerError(
    `Cannot read the layer: expected names of at most ${LIMITS.pathBytes} bytes, found ${bytes}`,
    {
      hint: 'no system has such names; do not trust this image',
    },
  );
}

/** Removes what the layers below have in a folder, and keeps what this layer has put there. */
function removeBelow(folder: FolderNode, layer: number): void {
  for (const [name, child] of folder.children) {
    if (child.layer < layer) folder.children.delete(name);
    else if (child.kind === 'folder') removeBelow(child, layer);
  }
}

function invalid({ name }: TarFile, problem: string): InvalidLayerError {
  return new InvalidLayerError(`Cannot read ${quote(nameText(name))} of the layer: ${problem}`, {
    hint: 'no runtime can unpack this image; build it again',
  });
}
