import { open, readdir, type FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

import { RegiError } from '../../errors.ts';
import type { ArchiveFile } from './file.ts';
import { guarded, ifPresent } from '../../disk/errno.ts';

/** More than the names of volumes count. */
export const MAX_VOLUMES = 999;

/** An archive in several files of which one is missing or cut. */
class MissingVolumeError extends RegiError {
  readonly path: string;

  constructor(path: string, code: 'NOT_FOUND' | 'INVALID_ARCHIVE', problem: string) {
    super(code, `Cannot open the archive ${JSON.stringify(path)}: ${problem}`, {
      hint: 'copy all its files FILE.001, FILE.002, … here, whole',
    });
    this.path = path;
  }
}

/** `images.tar.001` for the first: what is written in several files. */
export function volumeName(path: string, number: number): string {
  return `${path}.${String(number).padStart(3, '0')}`;
}

/** The files that an archive of `size` bytes is written to. */
export function volumeNames(
  path: string,
  size: number,
  volumeBytes: number | undefined,
): readonly string[] {
  if (volumeBytes === undefined) return [path];
  return Array.from({ length: Math.ceil(size / volumeBytes) }, (_, at) => volumeName(path, at + 1));
}

/** The volumes that are there, by their numbers, whatever is missing between them. */
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
 * Opens an archive that is in several files. `path` is the name without a number, or that of any of them.
 *
 * @throws {MissingVolumeError} when the first or one between them is missing, or is not as large as the others. Undefined when there are none.
 */
export async function openVolumes(path: string): Promise<ArchiveFile | undefined> {
  const own = await volumesThere(path);
  const base = own.length > 0 ? path : /^(?<base>.+)\.\d{3}$/.exec(path)?.groups?.['base'];
  if (base === undefined) return undefined;
  const numbers = base === path ? own : await volumesThere(base);
  // A single file may have a number for its own reasons.
  if (base !== path && numbers[0] !== 1) return undefined;
  for (const [at, number] of numbers.entries()) {
    const wanted = at + 1;
    if (number !== wanted)
      throw new MissingVolumeError(
        base,
        'NOT_FOUND',
        `expected ${JSON.stringify(basename(volumeName(base, wanted)))}, found none`,
      );
  }
  return openAll(base, numbers);
}

interface Volume {
  readonly handle: FileHandle;
  readonly path: string;
  readonly start: number;
  readonly size: number;
}

async function openAll(base: string, numbers: readonly number[]): Promise<ArchiveFile> {
  const volumes: Volume[] = [];
  const close = async (): Promise<void> =>
    void (await Promise.all(volumes.map(({ handle }) => handle.close())));
  try {
    let start = 0;
    for (const number of numbers) {
      const path = volumeName(base, number);
      const handle = await guarded('open', path, open(path, 'r'));
      const { size } = await guarded('read', path, handle.stat());
      volumes.push({ handle, path, start, size });
      start += size;
    }
    const [first] = volumes;
    const cut = volumes.slice(0, -1).find(({ size }) => size !== first?.size);
    if (cut !== undefined) {
      throw new MissingVolumeError(
        base,
        'INVALID_ARCHIVE',
        `expected ${first?.size} bytes in ${JSON.stringify(basename(cut.path))}, found ${cut.size}`,
      );
    }
    return {
      size: start,
      volumes: volumes.length,
      read: (buffer, position) => readVolumes(volumes, buffer, position),
      close,
    };
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
  for (const { handle, path, start, size } of volumes) {
    while (used < buffer.byteLength && position + used >= start && position + used < start + size) {
      const at = position + used - start;
      const wanted = Math.min(buffer.byteLength - used, size - at);
      const { bytesRead } = await guarded('read', path, handle.read(buffer, used, wanted, at));
      if (bytesRead === 0) return used;
      used += bytesRead;
    }
  }
  return used;
}

/** The folder entry of a volume that is not finished. */
export function unfinishedName(
  path: string,
  number: number,
  volumeBytes: number | undefined,
): string {
  return volumeBytes === undefined ? `${path}.part` : volumeName(`${path}.part`, number);
}
