import { dirname } from 'node:path';
import zlib, { createGzip, type Gzip } from 'node:zlib';

import { together } from '../../concurrency/together.ts';
import { writeAtomically } from '../../disk/atomic-write.ts';
import { systemProcesses } from '../../disk/processes.ts';
import { TempFiles } from '../../disk/temp-files.ts';
import { UsageError } from '../../errors.ts';
import { quotePath } from '../../quote.ts';
import type { CallOptions } from '../../store.ts';
import type { WriteArchive } from '../../tar/archive-target.ts';

export type Packing = 'gzip' | 'zstd';

/** Node has zstd from 22.15 on; the types are those of the oldest supported Node. */
const { createZstdCompress } = zlib as { readonly createZstdCompress?: () => Gzip };

/**
 * Returns how an archive of that name is packed; undefined for a plain tar.
 *
 * @throws {UsageError} for a name that promises what cannot be written here.
 */
export function packingOf(path: string): Packing | undefined {
  if (/\.(?:tar\.gz|tgz)$/.test(path)) return 'gzip';
  const [, other] = /\.(?:tar\.|t)(zst|xz|bz2|lz4|lzma)$/.exec(path) ?? [];
  if (other === undefined) return undefined;
  if (other === 'zst' && createZstdCompress !== undefined) return 'zstd';
  const program = { zst: 'zstd', bz2: 'bzip2' }[other] ?? other;
  const needs = other === 'zst' ? 'Node 22.15 or later' : 'a name that ends in .tar or .tar.gz';
  throw new UsageError(`Cannot pack ${quotePath(path)} by ${program}: expected ${needs}`, {
    hint: `pack the output: regi export REF… -o - | ${program} > ${path}`,
  });
}

/**
 * Writes a packed archive at an absolute path, in order. It appears when it is complete; an
 * interrupted one begins again.
 *
 * @throws {StorageError} when the disk refuses.
 */
export function packedArchiveAt(
  path: string,
  packing: Packing,
  { signal = new AbortController().signal }: CallOptions = {},
): WriteArchive {
  return async (_plan, work) => {
    const packer = packing === 'zstd' && createZstdCompress ? createZstdCompress() : createGzip();
    const temps = new TempFiles(dirname(path), systemProcesses);
    const content = { [Symbol.asyncIterator]: () => chunksOf(packer) };
    await together(
      [
        async (either) => writeAtomically(path, await temps.next(), content, { signal: either }),
        async (either) => {
          const stop = (): void => void packer.destroy();
          either.addEventListener('abort', stop, { once: true });
          try {
            await work({ kind: 'stream', write: (chunk) => pack(packer, chunk) });
            packer.end();
          } catch (error) {
            packer.destroy();
            throw error;
          } finally {
            either.removeEventListener('abort', stop);
          }
        },
      ],
      signal,
    );
  };
}

async function* chunksOf(packer: Gzip): AsyncGenerator<Uint8Array> {
  for await (const chunk of packer) yield chunk as Uint8Array;
}

/**
 * @throws {Error} when the packer is closed, because the file cannot be written: that failure is
 *   the one that is reported.
 */
async function pack(packer: Gzip, chunk: Uint8Array): Promise<void> {
  if (packer.destroyed) throw new Error('The packer was closed before the end of the archive');
  // A chunk is borrowed, and the packer keeps its input.
  if (packer.write(new Uint8Array(chunk))) return;
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      packer.off('drain', settle).off('close', settle);
      resolve();
    };
    packer.once('drain', settle).once('close', settle);
  });
}
