import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { treeOf } from '../../operations/contents/list-layer.ts';
import { mergedTar } from '../../operations/contents/merged-tar.ts';
import { ifPresent } from '../../disk/errno.ts';
import { UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import { withStores } from '../../targets/open-store.ts';
import { positional, value } from '../arguments/arguments.ts';
import { writeOutput } from '../output/write-output.ts';
import { listLayers, openLayered } from './layered-image.ts';

/** A piece of the tar, valid until the next one is requested; or the file that was written. */
type RootfsRow =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'file'; readonly file: RootfsFile };

interface RootfsFile {
  /** The digest of the image. */
  readonly digest: string;
  /** Bytes of the tar. */
  readonly size: number;
  /** As typed. */
  readonly path: string;
}

/** `regi rootfs`: writes the files of an image as one tar. */
export const rootfsCommand: CommandBody<RootfsRow> = {
  run: runRootfs,
  text: (row) => (row.kind === 'bytes' ? row.bytes : ''),
  json: (row) => (row.kind === 'file' ? row.file : undefined),
};

async function* runRootfs(args: ParsedArguments, context: Context): AsyncIterable<RootfsRow> {
  const typed = positional(args, 0, 'an image');
  const output = value(args, 'output');
  const path = output === '-' ? undefined : output;
  await refuseOutput(path, typed, context);
  const { signal } = context;
  yield* withStores(context, {}, async function* (stores) {
    const image = await openLayered(typed, args, stores, context);
    const { source, manifest, descriptor } = image;
    const tree = treeOf(await listLayers(image, context));
    const tar = mergedTar(source, manifest.layers, tree, { signal });
    if (path === undefined) {
      for await (const bytes of tar) yield { kind: 'bytes', bytes };
      return;
    }
    let size = 0;
    const measured = async function* (): AsyncGenerator<Uint8Array> {
      for await (const bytes of tar) {
        size += bytes.byteLength;
        yield bytes;
      }
    };
    await writeOutput(path, { [Symbol.asyncIterator]: measured }, context, 'rootfs.tar');
    yield { kind: 'file', file: { digest: descriptor.digest, size, path } };
  });
}

async function refuseOutput(
  path: string | undefined,
  image: string,
  { io, settings }: Context,
): Promise<void> {
  if (path !== undefined) {
    const file = resolve(io.cwd, path);
    const found = await ifPresent('write', file, stat(file));
    if (found?.isDirectory() !== true && !/[\\/]$/.test(path)) return;
    throw new UsageError(`Cannot write to ${quote(path)}: expected a file, found a folder`, {
      hint: `unpack the tar into it: regi rootfs ${image} | tar -x -C ${path}`,
    });
  }
  if (settings.json)
    throw new UsageError('Cannot show a tar as JSON', { hint: 'add -o FILE, or drop --json' });
  if (io.stdout.isTTY)
    throw new UsageError('Cannot show a tar on a terminal', {
      hint: `add -o FILE, or unpack it: regi rootfs ${image} | tar -x -C DIR`,
    });
}
