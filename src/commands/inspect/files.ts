import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { insideRoot, type FileTree, type FoundNode } from '../../operations/contents/file-tree.ts';
import { treeOf } from '../../operations/contents/list-layer.ts';
import { parseCount } from '../../option-values.ts';
import { nameOf } from '../../tar/tar-file.ts';
import { printable } from '../../redact.ts';
import { flag, positional, value } from '../arguments/arguments.ts';
import { fileReport, findFile, type FileReport } from '../../render/image-file.ts';
import { listLayers, openLayered } from './layered-image.ts';
import { withStores } from '../../targets/open-store.ts';

interface FileRow {
  readonly file: FileReport;
  readonly long: boolean;
}

const MAX_DEPTH = 9999;

/** `regi files`: what is in an image, without unpacking it. */
export const filesCommand: CommandBody<FileRow> = {
  run: runFiles,
  text: ({ file, long }) => (long ? longLine(file) : `${printable(file.path)}\n`),
  json: ({ file }) => file,
};

async function* runFiles(args: ParsedArguments, context: Context): AsyncIterable<FileRow> {
  const typed = positional(args, 0, 'an image');
  const path = args.positionals[1] ?? '/';
  const depthText = value(args, 'depth');
  const depth =
    depthText === undefined
      ? Number.POSITIVE_INFINITY
      : parseCount('--depth', depthText, 1, MAX_DEPTH);
  const long = flag(args, 'long');
  yield* withStores(context, {}, async function* (stores) {
    const image = await openLayered(stores, typed, value(args, 'platform'), context);
    const tree = treeOf(await listLayers(image, context));
    const from = shownNode(tree, path, typed);
    const top = depthOf(from.path);
    for (const [place, node] of tree.walk(from)) {
      context.signal.throwIfAborted();
      // Of a folder what is in it is wanted.
      if (place === from.path && node.kind === 'folder') continue;
      if (depthOf(place) - top > depth) continue;
      yield { file: fileReport(place, node, image.manifest), long };
    }
  });
}

/** A link to a folder is that folder; one to a file is the link, as `ls -l` has it. */
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

/** As `tar -tv --numeric-owner` shows it, and so mostly as `ls -l`. */
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

/** `rwxr-sr-t`. */
function modeText(mode: string): string {
  const [special = 0, ...classes] = mode.split('').map(Number);
  return classes
    .map((bits, index) => {
      const [read, write, run] = [
        Math.floor(bits / 4) % 2 === 1,
        Math.floor(bits / 2) % 2 === 1,
        bits % 2 === 1,
      ];
      // setuid, setgid and sticky stand where the right to run stands.
      const isSpecial = Math.floor(special / 2 ** (2 - index)) % 2 === 1;
      const letter = index === 2 ? 't' : 's';
      const last = isSpecial ? (run ? letter : letter.toUpperCase()) : run ? 'x' : '-';
      return `${read ? 'r' : '-'}${write ? 'w' : '-'}${last}`;
    })
    .join('');
}
