import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';

import { replaceFile } from '../../disk/atomic-write.ts';
import { guarded } from '../../disk/errno.ts';
import { chunksOf, fileOf } from '../../disk/random-access.ts';
import type { CallOptions } from '../../store.ts';
import { volumeName, volumesThere } from './volumes.ts';

export interface ChecksumOptions extends CallOptions {
  /** The archive is in several files. */
  readonly isSplit: boolean;
}

/**
 * Writes `path.sha256` beside an archive, with a line for each of its files, in the format of
 * `sha256sum`: `sha256sum -c FILE.sha256` checks it.
 *
 * @returns the path of the new file.
 */
export async function writeChecksums(
  path: string,
  { isSplit, signal }: ChecksumOptions,
): Promise<string> {
  const files = isSplit
    ? (await volumesThere(path)).map((number) => volumeName(path, number))
    : [path];
  const lines: string[] = [];
  for (const file of files) lines.push(`${await hashFile(file, { signal })}  ${basename(file)}\n`);
  const target = `${path}.sha256`;
  await replaceFile(target, new TextEncoder().encode(lines.join('')), { signal });
  return target;
}

async function hashFile(path: string, { signal }: CallOptions): Promise<string> {
  const file = await guarded('read', path, open(path, 'r'));
  try {
    const { size } = await guarded('read', path, file.stat());
    const hash = createHash('sha256');
    for await (const chunk of chunksOf(fileOf(file, path, size), { signal })) hash.update(chunk);
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}
