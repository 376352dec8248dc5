import { lstat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What a file system lacks for files that are to have `wanted` bytes more. */
export interface Shortage {
  /** Bytes. */
  readonly wanted: number;
  /** Bytes. */
  readonly free: number;
}

/**
 * Whether files beside `path` that will have `size` bytes seem to find no room. Advice and no more: quotas are not seen, and some systems
 * make room when it is wanted.
 *
 * @param begun files that are part of it already.
 */
export async function shortageAt(
  path: string,
  size: number,
  begun: readonly string[],
): Promise<Shortage | undefined> {
  try {
    const { bavail, bsize, blocks } = await statfs(dirname(path));
    // Some network file systems do not say.
    if (blocks === 0) return undefined;
    const taken = await Promise.all(begun.map(async (name) => (await lstat(name)).blocks * 512));
    const wanted = size - taken.reduce((sum, bytes) => sum + bytes, 0);
    const free = bavail * bsize;
    return wanted > free ? { wanted, free } : undefined;
  } catch {
    // What cannot be asked is found out by writing.
    return undefined;
  }
}
