import { open } from 'node:fs/promises';
import { resolve } from 'node:path';

import { LimitExceededError } from '../../bytes.ts';
import type { Context } from '../../context.ts';
import type { Digest } from '../../oci/digest.ts';
import { layersCarriedBy } from '../../operations/archive/carried-layers.ts';
import { ifPresent } from '../../disk/errno.ts';
import { mergeCarried, parseBlobList, type CarriedBlob } from '../../tar/carried-blobs.ts';
import { openArchiveAt } from '../../targets/open-path.ts';

/** A list has some 150 bytes a layer. */
const LIST_BYTES = 256 * 1024 * 1024;
const BRACE = '{'.charCodeAt(0);

/**
 * The layers that whoever imported earlier archives has: each path is such an archive, or the list that `--write-list` wrote of it.
 * Undefined without paths.
 */
export async function readEarlierLayers(
  paths: readonly string[],
  context: Context,
): Promise<ReadonlyMap<Digest, CarriedBlob> | undefined> {
  if (paths.length === 0) return undefined;
  const lists: (readonly CarriedBlob[])[] = [];
  for (const path of paths)
    lists.push(
      (await readList(resolve(context.io.cwd, path), path)) ?? (await readArchive(path, context)),
    );
  return mergeCarried(lists);
}

/** Undefined when it is no list. */
async function readList(path: string, typed: string): Promise<readonly CarriedBlob[] | undefined> {
  const file = await ifPresent('open', path, open(path, 'r'));
  if (file === undefined) return undefined;
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(1), 0, 1, 0);
    // No tar of images begins so.
    if (bytesRead === 0 || buffer[0] !== BRACE) return undefined;
    const { size } = await file.stat();
    if (size > LIST_BYTES)
      throw new LimitExceededError(
        `Cannot read the list "${typed}": expected at most ${LIST_BYTES} bytes, found ${size}`,
      );
    return parseBlobList('carried', new Uint8Array(await file.readFile()), `the list "${typed}"`);
  } finally {
    await file.close();
  }
}

async function readArchive(path: string, context: Context): Promise<readonly CarriedBlob[]> {
  const archive = await openArchiveAt({ kind: 'archive', path }, context);
  try {
    const images = (await archive.images()).map(({ root, repository }) => ({
      root,
      repository: repository === undefined ? undefined : `${repository.domain}/${repository.path}`,
    }));
    // It can have been imported only where what it leaves out was there.
    return [...(await layersCarriedBy(archive.open(''), images, context)), ...archive.omitted];
  } finally {
    await archive.close();
  }
}
