import { RegiError } from '../errors.ts';
import {
  insideRoot,
  type FileTree,
  type FoundNode,
  type TreeNode,
} from '../operations/contents/file-tree.ts';
import type { ImageManifest } from '../oci/manifest.ts';
import { quote } from '../quote.ts';
import { nameOf, nameText, type TarFileType } from '../tar/tar-file.ts';

/** A file in an image. The names are those of `--json`, and so part of the interface. */
export interface FileReport {
  /** Absolute path in the image. */
  readonly path: string;
  /** A hard link has the type of its target. */
  readonly type: Exclude<TarFileType, 'hardlink'>;
  /** Four octal digits. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** In UTC. Undefined for a folder that no layer describes. */
  readonly modified: string | undefined;
  /** Target of a symbolic link. */
  readonly link: string | undefined;
  /** `major:minor`. */
  readonly device: string | undefined;
  /** Digest of its layer; undefined for a folder that no layer describes. */
  readonly layer: string | undefined;
}

/** Describes a file for `--json` and lists. */
export function fileReport(
  path: string,
  node: TreeNode,
  { layers }: Pick<ImageManifest, 'layers'>,
): FileReport {
  const shown = `/${nameText(path)}`;
  if (node.own === undefined)
    return {
      path: shown,
      type: 'folder',
      mode: '0755',
      uid: 0,
      gid: 0,
      size: 0,
      modified: undefined,
      link: undefined,
      device: undefined,
      layer: undefined,
    };
  const { file, layer } = node.own;
  const type = file.type === 'hardlink' ? 'file' : file.type;
  return {
    path: shown,
    type,
    mode: file.mode.toString(8).padStart(4, '0'),
    uid: file.uid,
    gid: file.gid,
    size: file.size,
    modified: dateOf(file.mtime),
    link: type === 'symlink' ? nameText(file.link) : undefined,
    device: type === 'character' || type === 'block' ? `${file.major}:${file.minor}` : undefined,
    layer: layers[layer]?.digest,
  };
}

/**
 * Finds a path in an image, as typed. Symbolic links are followed inside the image.
 *
 * @throws {RegiError} NOT_FOUND with a hint that names the nearest existing folder.
 */
export function findFile(tree: FileTree, typed: string, image: string): FoundNode {
  const path = nameOf(insideRoot(typed));
  const found = tree.find(path, { last: true });
  if (found !== undefined) return found;
  const link = tree.find(path, { last: false });
  if (link?.node.kind === 'leaf') {
    throw fileNotFound(
      typed,
      image,
      `"/${nameText(link.path)}" is a link to ${JSON.stringify(nameText(link.node.own.file.link))}, which is not in the image`,
    );
  }
  throw fileNotFound(
    typed,
    image,
    `list the existing files: regi files ${image} ${nearestFolder(tree, path)}`,
  );
}

function fileNotFound(path: string, image: string, hint: string): RegiError {
  return new RegiError('NOT_FOUND', `Cannot find ${quote(path)} in ${quote(image)}`, { hint });
}

/** Returns the longest existing folder of a path. */
function nearestFolder(tree: FileTree, path: string): string {
  let folder = path;
  while (folder !== '') {
    folder = folder.slice(0, Math.max(folder.lastIndexOf('/'), 0));
    if (tree.find(folder, { last: true })?.node.kind === 'folder') break;
  }
  return `/${nameText(folder)}`;
}

function dateOf(seconds: number): string | undefined {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
