import { lstat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A lack of free space for files that will grow by `wanted` bytes. */
export interface Shortage {
  /** Bytes. */
  readonly wanted: number;
  /** Bytes. */
  readonly free: number;
}

/**
 * Returns the lack of space for files beside `path` that will have `size` bytes; undefined when
 * there seems to be enough. A mere warning: quotas are not seen, and some systems make room on
 * demand.
 *
 * @param begun existing files that are part of `size`.
 */
export async function shortageAt(
  path: string,
  size: number,
  begun: readonly string[],
): Promise<Shortage | undefined> {
  try {
    const { bavail, bsize, blocks } = await statfs(dirname(path));
    // Some network file systems report nothing.
    if (blocks === 0) return undefined;
    const taken = await Promise.all(begun.map(async (name) => (await lstat(name)).blocks * 512));
    const wanted = size - taken.reduce((sum, bytes) => sum + bytes, 0);
    const free = bavail * bsize;
    return wanted > free ? { wanted, free } : undefined;
  } catch {
    // Writing will tell.
    return undefined;
  }
}
