import { posix } from 'node:path';

import { collect } from '../../bytes.ts';
import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { insideRoot, type FileTree, type LayerFile } from '../../operations/contents/file-tree.ts';
import { treeOf, type VisitFile } from '../../operations/contents/list-layer.ts';
import { readLayer } from '../../operations/contents/read-layer.ts';
import { quote } from '../../quote.ts';
import { findFile } from '../../render/image-file.ts';
import { nameOf } from '../../tar/tar-file.ts';
import { withStores } from '../../targets/open-store.ts';
import { positional } from '../arguments/arguments.ts';
import { listLayersFor, openLayered, type LayeredImage } from './layered-image.ts';

/** A piece of a file, valid until the next one is requested; text for a terminal. */
type Piece = Uint8Array | string;

/** Files of this total size are kept while the layers are listed, and not read again. Bytes. */
const KEPT_BYTES = 4 * 1024 * 1024;
/** Longer lines are broken on a terminal. Characters. */
const LONGEST_LINE = 64 * 1024;

/** `regi cat`: prints files of an image. */
export const catCommand: CommandBody<Piece> = { run: runCat, text: (piece) => piece };

async function* runCat(args: ParsedArguments, context: Context): AsyncIterable<Piece> {
  const typed = positional(args, 0, 'an image');
  const paths = args.positionals.slice(1);
  if (context.settings.json)
    throw new UsageError('Cannot show a file as JSON', {
      hint: 'drop --json; regi files --json describes files',
    });
  yield* withStores(context, {}, async function* (stores) {
    const { signal } = context;
    const image = await openLayered(typed, args, stores, context);
    const kept = new KeptFiles(paths);
    const visitorOf = (_: Descriptor, layer: number): VisitFile => kept.visitor(layer);
    const tree = treeOf(await listLayersFor(image, paths, { signal, visitorOf }));
    const files = paths.map((path) => contentOf(tree, path, typed));
    for (const [index, file] of files.entries()) {
      const known = kept.get(file);
      const content = known === undefined ? readFile(image, file, context) : [known];
      yield* context.io.stdout.isTTY ? asText(content, paths[index] ?? '') : content;
    }
  });
}

function contentOf(tree: FileTree, path: string, typed: string): LayerFile {
  const { node } = findFile(tree, path, typed);
  if (node.kind === 'folder')
    throw new RegiError('FAILED', `Cannot print ${quote(path)}: it is a folder`, {
      hint: `list it: regi files ${typed} ${path}`,
    });
  if (node.own.file.type !== 'file')
    throw new RegiError(
      'FAILED',
      `Cannot print ${quote(path)}: expected a file, found a device or pipe`,
      { hint: `see what it is: regi files -l ${typed} ${path}` },
    );
  return node.own;
}

/** Reads the layer again, to its end: the bytes are verified only then. */
async function* readFile(
  { source, manifest }: LayeredImage,
  wanted: LayerFile,
  { signal }: Context,
): AsyncGenerator<Uint8Array> {
  const layer = manifest.layers[wanted.layer];
  if (layer === undefined) return;
  let index = 0;
  for await (const { content } of readLayer(source, layer, { signal })) {
    if (index === wanted.index) yield* content;
    index += 1;
  }
}

/**
 * Keeps files with the base names of the wanted ones, from every layer and folder. Only the last
 * layer decides which of them a container sees, and where links lead; a link mostly has the name of
 * its file (`/etc/os-release`).
 */
class KeptFiles {
  readonly #names: ReadonlySet<string>;
  readonly #contents = new Map<string, Uint8Array>();
  #left = KEPT_BYTES;

  constructor(paths: readonly string[]) {
    this.#names = new Set(paths.map((path) => baseOf(nameOf(path))));
  }

  visitor(layer: number): VisitFile {
    return async ({ file, content }, index) => {
      if (file.type !== 'file' || file.size > this.#left || !this.#names.has(baseOf(file.name)))
        return;
      this.#left -= file.size;
      this.#contents.set(`${layer} ${index}`, await collect(content, file.size, file.name));
    };
  }

  get({ layer, index }: LayerFile): Uint8Array | undefined {
    return this.#contents.get(`${layer} ${index}`);
  }
}

function baseOf(name: string): string {
  return posix.basename(insideRoot(name));
}

/** Decodes a file for a terminal, which raw bytes could reconfigure. */
async function* asText(
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  path: string,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of content) {
    if (chunk.includes(0)) {
      throw new RegiError('FAILED', `Cannot show ${quote(path)} on a terminal: it is not text`, {
        hint: 'pipe it, or redirect it to a file: regi cat … > FILE',
      });
    }
    text += decoder.decode(chunk, { stream: true });
    // Whole lines only, because each piece of output ends a line.
    const newline = text.lastIndexOf('\n') + 1;
    const end = newline === 0 && text.length > LONGEST_LINE ? text.length : newline;
    if (end > 0) yield text.slice(0, end);
    text = text.slice(end);
  }
  text += decoder.decode();
  if (text !== '') yield text;
}
