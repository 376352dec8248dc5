import { RegiError } from '../errors.ts';
import {
  insideRoot,
  type FileTree,
  type FoundNode,
  type TreeNode,
} from '../operations/contents/file-tree.ts';
import type { ImageManifest } from '../oci/manifest.ts';
import { nameOf, nameText, type TarFileType } from '../tar/tar-file.ts';

/** A file of an image as lists show it. Names are those of `--json`, and so are API. */
export interface FileReport {
  /** From the root of the image, with "/" before it. */
  readonly path: string;
  /** A hard link is what it links to. */
  readonly type: Exclude<TarFileType, 'hardlink'>;
  /** Four octal digits. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content. */
  readonly size: number;
  /** In UTC. Undefined for a folder that no layer describes. */
  readonly modified: string | undefined;
  /** What a symbolic link names. */
  readonly link: string | undefined;
  /** `major:minor`. */
  readonly device: string | undefined;
  /** The layer in which it is; undefined for a folder that no layer describes. */
  readonly layer: string | undefined;
}

/** No such file in the image. */
class FileNotFoundError extends RegiError {
  readonly path: string;

  constructor(path: string, image: string, hint: string) {
    super('NOT_FOUND', `Cannot find ${JSON.stringify(path)} in "${image}"`, { hint });
    this.path = path;
  }
}

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
 * Finds what a person typed as a path of an image. Symbolic links on the way, and at the end, lead on inside the image.
 *
 * @throws {FileNotFoundError} whose hint names what is there of the way.
 */
export function findFile(tree: FileTree, typed: string, image: string): FoundNode {
  const path = nameOf(insideRoot(typed));
  const found = tree.find(path, { last: true });
  if (found !== undefined) return found;
  const link = tree.find(path, { last: false });
  if (link?.node.kind === 'leaf') {
    throw new FileNotFoundError(
      typed,
      image,
      `"/${nameText(link.path)}" is a link to ${JSON.stringify(nameText(link.node.own.file.link))}, which is not in the image`,
    );
  }
  throw new FileNotFoundError(
    typed,
    image,
    `look what is there: regi files ${image} ${nearestFolder(tree, path)}`,
  );
}

/** What is there of a path. */
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
