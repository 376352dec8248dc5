import type { Digest } from '../../oci/digest.ts';
import {
  joined,
  UNDESCRIBED_FOLDER,
  type FileTree,
  type LeafNode,
  type TreeNode,
} from './file-tree.ts';

/** One side of a comparison. */
export interface ComparedTree {
  readonly tree: FileTree;
  /** The digest of the content of a file. Equal digests mean equal contents. */
  readonly contentOf: (node: LeafNode) => Digest | undefined;
}

/** A difference between two files of one path. */
export type FileDifference = 'type' | 'content' | 'mode' | 'owner' | 'link' | 'device';

export type FileChange =
  | { readonly change: 'added'; readonly path: string; readonly after: TreeNode }
  | { readonly change: 'removed'; readonly path: string; readonly before: TreeNode }
  | {
      readonly change: 'changed';
      readonly path: string;
      readonly before: TreeNode;
      readonly after: TreeNode;
      readonly differs: readonly FileDifference[];
    };

/**
 * Compares the files of two images by path. The content of a folder that only one of them has is
 * reported file by file.
 *
 * Times are ignored, because every build gives new ones to unchanged files.
 */
export function* diffTrees(before: ComparedTree, after: ComparedTree): Generator<FileChange> {
  yield* compare('', before.tree.root, after.tree.root, before, after);
}

interface Pending {
  readonly path: string;
  readonly before: TreeNode | undefined;
  readonly after: TreeNode | undefined;
}

function* compare(
  root: string,
  first: TreeNode,
  second: TreeNode,
  before: ComparedTree,
  after: ComparedTree,
): Generator<FileChange> {
  // Not recursive: folders may nest as deep as names are long.
  const left: Pending[] = [{ path: root, before: first, after: second }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const change = changeOf(next, before, after);
    if (change !== undefined && next.path !== '') yield change;
    left.push(...childrenOf(next));
  }
}

/** Sorted by bytes, the last first. */
function childrenOf({ path, before, after }: Pending): readonly Pending[] {
  const [old, now] = [before, after].map((node) =>
    node?.kind === 'folder' ? node.children : NO_CHILDREN,
  );
  const names = [
    ...new Set([...(old ?? NO_CHILDREN).keys(), ...(now ?? NO_CHILDREN).keys()]),
  ].toSorted((a, b) => (a < b ? 1 : -1));
  return names.map((name) => ({
    path: joined(path, name),
    before: old?.get(name),
    after: now?.get(name),
  }));
}

const NO_CHILDREN: ReadonlyMap<string, TreeNode> = new Map();

function changeOf(
  { path, before: old, after: now }: Pending,
  before: ComparedTree,
  after: ComparedTree,
): FileChange | undefined {
  if (old === undefined)
    return now === undefined ? undefined : { change: 'added', path, after: now };
  if (now === undefined) return { change: 'removed', path, before: old };
  const differs = differencesOf(old, now, before, after);
  return differs.length === 0
    ? undefined
    : { change: 'changed', path, before: old, after: now, differs };
}

function differencesOf(
  old: TreeNode,
  now: TreeNode,
  before: ComparedTree,
  after: ComparedTree,
): readonly FileDifference[] {
  const [a, b] = [old.own?.file, now.own?.file];
  if (a === b) return [];
  const [first, second] = [a ?? UNDESCRIBED_FOLDER, b ?? UNDESCRIBED_FOLDER];
  if (first.type !== second.type) return ['type'];
  const found: FileDifference[] = [];
  if (
    old.kind === 'leaf' &&
    now.kind === 'leaf' &&
    old.own.file.type === 'file' &&
    !sameContent(old, now, before, after)
  )
    found.push('content');
  // Permissions of a link mean nothing, and tools write any value.
  if (first.type !== 'symlink' && first.mode !== second.mode) found.push('mode');
  if (first.uid !== second.uid || first.gid !== second.gid) found.push('owner');
  if (a?.link !== b?.link) found.push('link');
  if (a?.major !== b?.major || a?.minor !== b?.minor) found.push('device');
  return found;
}

function sameContent(
  old: LeafNode,
  now: LeafNode,
  before: ComparedTree,
  after: ComparedTree,
): boolean {
  return old.own.file.size === now.own.file.size && before.contentOf(old) === after.contentOf(now);
}
