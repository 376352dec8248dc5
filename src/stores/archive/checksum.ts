import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';

import type { CallOptions } from '../../store.ts';
import { volumesThere, volumeName } from './volumes.ts';
import { replaceFile } from '../../disk/atomic-write.ts';
import { guarded } from '../../disk/errno.ts';

const READ_BYTES = 1024 * 1024;

export interface ChecksumOptions extends CallOptions {
  /** The archive is in several files. */
  readonly isSplit: boolean;
}

/**
 * Writes `path.sha256` beside an archive, a line for each of its files, as `sha256sum` does: `sha256sum -c FILE.sha256` checks it.
 *
 * @returns the path of what was written.
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
  const hash = createHash('sha256');
  const stream = createReadStream(path, {
    highWaterMark: READ_BYTES,
    ...(signal !== undefined && { signal }),
  });
  await guarded(
    'read',
    path,
    (async () => {
      for await (const chunk of stream) hash.update(chunk as Uint8Array);
    })(),
  );
  return hash.digest('hex');
}
