import { open } from 'node:fs/promises';
import { resolve } from 'node:path';

import { LimitExceededError } from '../bytes.ts';
import type { Context } from '../context.ts';
import { ifPresent } from '../disk/errno.ts';
import type { Digest } from '../oci/digest.ts';
import { repositoryName } from '../oci/reference.ts';
import { layersCarriedBy } from '../operations/archive/carried-layers.ts';
import { quote } from '../quote.ts';
import { mergeCarried, parseBlobList, type CarriedBlob } from '../tar/carried-blobs.ts';
import type { Stores } from './opened-store.ts';

/** A list has about 150 bytes a layer. */
const LIST_BYTES = 256 * 1024 * 1024;
const BRACE = '{'.charCodeAt(0);

/**
 * Reads the layers that earlier archives carried. Each path is such an archive, or the list that
 * `--write-list` wrote for it. Returns undefined without paths.
 */
export async function readEarlierLayers(
  paths: readonly string[],
  stores: Stores,
  context: Context,
): Promise<ReadonlyMap<Digest, CarriedBlob> | undefined> {
  if (paths.length === 0) return undefined;
  const lists: (readonly CarriedBlob[])[] = [];
  for (const path of paths)
    lists.push(
      (await readList(resolve(context.io.cwd, path), path)) ??
        (await readArchive(path, stores, context)),
    );
  return mergeCarried(lists);
}

/** Returns undefined for a file that is no list. */
async function readList(path: string, typed: string): Promise<readonly CarriedBlob[] | undefined> {
  const file = await ifPresent('open', path, open(path, 'r'));
  if (file === undefined) return undefined;
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(1), 0, 1, 0);
    // A tar of images starts with a file name, which is never "{".
    if (bytesRead === 0 || buffer[0] !== BRACE) return undefined;
    const { size } = await file.stat();
    const name = `the list ${quote(typed)}`;
    if (size > LIST_BYTES)
      throw new LimitExceededError(
        `Cannot read ${name}: expected at most ${LIST_BYTES} bytes, found ${size}`,
      );
    return parseBlobList('carried', new Uint8Array(await file.readFile()), name);
  } finally {
    await file.close();
  }
}

async function readArchive(
  path: string,
  stores: Stores,
  context: Context,
): Promise<readonly CarriedBlob[]> {
  const { store, images, omitted } = await stores.openImages({ kind: 'archive', path });
  const carried = images.map(({ root, repository }) => ({
    root,
    repository: repository === undefined ? undefined : repositoryName(repository),
  }));
  // The layers that it leaves out were present wherever it was imported.
  return [...(await layersCarriedBy(store, carried, context)), ...omitted];
}
