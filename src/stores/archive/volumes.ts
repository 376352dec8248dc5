import { open, readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

import { guarded, ifPresent } from '../../disk/errno.ts';
import { fileOf, type OpenFile } from '../../disk/random-access.ts';
import { RegiError } from '../../errors.ts';
import { quotePath } from '../../quote.ts';
import type { FilePart } from '../../store.ts';

/** An open archive. */
export interface ArchiveFile extends OpenFile {
  /** The number of its files, when there are several. */
  readonly volumes?: number | undefined;
  /** Returns the parts of files that hold a range; absent where the archive was unpacked. */
  readonly partsOf?: ((offset: number, size: number) => readonly FilePart[]) | undefined;
}

/** The names of volumes have no larger number. */
export const MAX_VOLUMES = 999;

/** Returns the name of one of several files: `images.tar.001` for the first. */
export function volumeName(path: string, number: number): string {
  return `${path}.${String(number).padStart(3, '0')}`;
}

/** Returns the names of the files that an archive of `size` bytes is written to. */
export function volumeNames(
  path: string,
  size: number,
  volumeBytes: number | undefined,
): readonly string[] {
  if (volumeBytes === undefined) return [path];
  return Array.from({ length: Math.ceil(size / volumeBytes) }, (_, at) => volumeName(path, at + 1));
}

/** Returns the name of an unfinished volume. */
export function unfinishedName(
  path: string,
  number: number,
  volumeBytes: number | undefined,
): string {
  return volumeBytes === undefined ? `${path}.part` : volumeName(`${path}.part`, number);
}

/** Lists the numbers of existing volumes in order, with the gaps between them. */
export async function volumesThere(path: string): Promise<readonly number[]> {
  const names = await ifPresent('read', dirname(path), readdir(dirname(path)));
  const own = basename(path);
  return (names ?? [])
    .filter((name) => name.startsWith(`${own}.`) && /^\d{3}$/.test(name.slice(own.length + 1)))
    .map((name) => Number(name.slice(own.length + 1)))
    .filter((number) => number > 0)
    .toSorted((a, b) => a - b);
}

/**
 * Opens an archive of several files; undefined when there are none. `path` is the name without a
 * number, or that of any of them.
 *
 * @throws {RegiError} NOT_FOUND when a file before the last is missing, INVALID_ARCHIVE when one is
 *   smaller than the others.
 */
export async function openVolumes(path: string): Promise<ArchiveFile | undefined> {
  const own = await volumesThere(path);
  const base = own.length > 0 ? path : /^(?<base>.+)\.\d{3}$/.exec(path)?.groups?.['base'];
  if (base === undefined) return undefined;
  const numbers = base === path ? own : await volumesThere(base);
  // A single file may have a number for its own reasons.
  if (base !== path && numbers[0] !== 1) return undefined;
  const missing = numbers.findIndex((number, at) => number !== at + 1);
  if (missing >= 0)
    throw incomplete(
      base,
      'NOT_FOUND',
      `expected ${quotePath(basename(volumeName(base, missing + 1)))}, found none`,
    );
  return openAll(base, numbers);
}

interface Volume {
  readonly path: string;
  readonly file: OpenFile;
  readonly start: number;
}

async function openAll(base: string, numbers: readonly number[]): Promise<ArchiveFile> {
  const volumes: Volume[] = [];
  const close = async (): Promise<void> =>
    void (await Promise.all(volumes.map(({ file }) => file.close())));
  try {
    let start = 0;
    for (const number of numbers) {
      const path = volumeName(base, number);
      const handle = await guarded('open', path, open(path, 'r'));
      const { size } = await guarded('read', path, handle.stat());
      volumes.push({ path, file: fileOf(handle, path, size), start });
      start += size;
    }
    const [first, ...others] = volumes.map(({ file }) => file.size);
    const cut = others.slice(0, -1).findIndex((size) => size !== first);
    if (cut >= 0)
      throw incomplete(
        base,
        'INVALID_ARCHIVE',
        `expected ${first} bytes in ${quotePath(basename(volumeName(base, cut + 2)))}, found ${others[cut]}`,
      );
    const read = (buffer: Uint8Array, position: number): Promise<number> =>
      readVolumes(volumes, buffer, position);
    const partsOf: ArchiveFile['partsOf'] = (offset, size) =>
      volumes.flatMap((volume) => {
        const from = Math.max(offset, volume.start);
        const to = Math.min(offset + size, volume.start + volume.file.size);
        return from < to
          ? [{ path: volume.path, offset: from - volume.start, size: to - from }]
          : [];
      });
    return { size: start, volumes: volumes.length, partsOf, read, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readVolumes(
  volumes: readonly Volume[],
  buffer: Uint8Array,
  position: number,
): Promise<number> {
  let used = 0;
  for (const { file, start } of volumes) {
    const at = position + used - start;
    if (at < 0 || at >= file.size || used === buffer.byteLength) continue;
    const wanted = Math.min(buffer.byteLength - used, file.size - at);
    const read = await file.read(buffer.subarray(used, used + wanted), at);
    used += read;
    if (read < wanted) break;
  }
  return used;
}

function incomplete(
  path: string,
  code: 'NOT_FOUND' | 'INVALID_ARCHIVE',
  problem: string,
): RegiError {
  return new RegiError(code, `Cannot open the archive ${quotePath(path)}: ${problem}`, {
    hint: 'copy all its files FILE.001, FILE.002, … here, whole',
  });
}
