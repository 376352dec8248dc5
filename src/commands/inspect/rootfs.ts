import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { ifPresent } from '../../disk/errno.ts';
import { UsageError } from '../../errors.ts';
import { treeOf } from '../../operations/contents/list-layer.ts';
import { mergedTar } from '../../operations/contents/merged-tar.ts';
import { quote } from '../../quote.ts';
import { withStores } from '../../targets/open-store.ts';
import { positional } from '../arguments/arguments.ts';
import {
  contentCommand,
  contentPath,
  contentRows,
  type ContentRow,
} from '../output/write-output.ts';
import { listLayers, openLayered } from './layered-image.ts';

/** `regi rootfs`: writes the files of an image as one tar. */
export const rootfsCommand = contentCommand(runRootfs);

async function* runRootfs(args: ParsedArguments, context: Context): AsyncIterable<ContentRow> {
  const typed = positional(args, 0, 'an image');
  const unpack = `regi rootfs ${typed} | tar -x -C`;
  const path = contentPath(args, 'a tar', `unpack it: ${unpack} DIR`, context);
  if (path !== undefined) await refuseFolder(path, unpack, context);
  const { signal } = context;
  yield* withStores(context, {}, async function* (stores) {
    const image = await openLayered(typed, args, stores, context);
    const { source, manifest, descriptor } = image;
    const tree = treeOf(await listLayers(image, context));
    const tar = mergedTar(source, manifest.layers, tree, { signal });
    yield* contentRows(tar, descriptor.digest, path, context, 'rootfs.tar');
  });
}

async function refuseFolder(path: string, unpack: string, { io }: Context): Promise<void> {
  const file = resolve(io.cwd, path);
  const found = await ifPresent('write', file, stat(file));
  if (found?.isDirectory() === true || /[\\/]$/.test(path))
    throw new UsageError(`Cannot write to ${quote(path)}: expected a file, found a folder`, {
      hint: `unpack the tar into it: ${unpack} ${path}`,
    });
}
