import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { insideRoot, type FileTree, type FoundNode } from '../../operations/contents/file-tree.ts';
import { treeOf } from '../../operations/contents/list-layer.ts';
import { printable } from '../../redact.ts';
import { fileReport, findFile, type FileReport } from '../../render/image-file.ts';
import { nameOf } from '../../tar/tar-file.ts';
import { withStores } from '../../targets/open-store.ts';
import { countOption, flag, positional } from '../arguments/arguments.ts';
import { listLayersFor, openLayered } from './layered-image.ts';

interface FileRow {
  readonly file: FileReport;
  readonly long: boolean;
}

const MAX_DEPTH = 9999;

/** `regi files`: lists the files of an image without unpacking it. */
export const filesCommand: CommandBody<FileRow> = {
  run: runFiles,
  text: ({ file, long }) => (long ? longLine(file) : `${printable(file.path)}\n`),
  json: ({ file }) => file,
};

async function* runFiles(args: ParsedArguments, context: Context): AsyncIterable<FileRow> {
  const typed = positional(args, 0, 'an image');
  const path = args.positionals[1] ?? '/';
  const depth = countOption(args, 'depth', MAX_DEPTH) ?? Number.POSITIVE_INFINITY;
  const long = flag(args, 'long');
  yield* withStores(context, {}, async function* (stores) {
    const image = await openLayered(typed, args, stores, context);
    const tree = treeOf(await listLayersFor(image, [path], { signal: context.signal }));
    const from = shownNode(tree, path, typed);
    const top = depthOf(from.path);
    for (const [place, node] of tree.walk(from)) {
      context.signal.throwIfAborted();
      // For a folder, its content is listed and not the folder itself.
      if (place === from.path && node.kind === 'folder') continue;
      if (depthOf(place) - top > depth) continue;
      yield { file: fileReport(place, node, image.manifest), long };
    }
  });
}

/** Follows a link to a folder, but shows a link to a file as a link, as `ls -l` does. */
function shownNode(tree: FileTree, path: string, typed: string): FoundNode {
  const found = findFile(tree, path, typed);
  return found.node.kind === 'folder'
    ? found
    : (tree.find(nameOf(insideRoot(path)), { last: false }) ?? found);
}

function depthOf(path: string): number {
  return path === '' ? 0 : path.split('/').length;
}

const TYPE_LETTERS = {
  file: '-',
  folder: 'd',
  symlink: 'l',
  character: 'c',
  block: 'b',
  fifo: 'p',
} as const satisfies Record<FileReport['type'], string>;

/** Formats a file as `tar -tv --numeric-owner` does, which is close to `ls -l`. */
function longLine({
  path,
  type,
  mode,
  uid,
  gid,
  size,
  modified,
  link,
  device,
}: FileReport): string {
  const what = device?.replace(':', ',') ?? String(size);
  const owner = `${uid}/${gid}`;
  const when = modified === undefined ? '' : modified.slice(0, 16).replace('T', ' ');
  return `${TYPE_LETTERS[type]}${modeText(mode)} ${owner} ${what.padStart(Math.max(18 - owner.length, 0))} ${when.padEnd(16)} ${printable(`${path}${link === undefined ? '' : ` -> ${link}`}`)}\n`;
}

const RIGHTS = ['---', '--x', '-w-', '-wx', 'r--', 'r-x', 'rw-', 'rwx'] as const;

/** Formats a mode: `rwxr-sr-t`. setuid, setgid and sticky take the place of the right to run. */
function modeText(mode: string): string {
  const [special = 0, ...classes] = mode.split('').map(Number);
  return classes
    .map((bits, index) => {
      const rights = RIGHTS[bits] ?? '';
      if (Math.floor(special / 2 ** (2 - index)) % 2 === 0) return rights;
      const letter = index === 2 ? 't' : 's';
      return rights.slice(0, 2) + (rights.endsWith('x') ? letter : letter.toUpperCase());
    })
    .join('');
}
