import { type FileHandle, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { replaceFile } from './atomic-write.ts';
import { errnoOf, guarded, StorageError, unlessErrno } from './errno.ts';
import { withLock } from './lock.ts';
import { makeFolder } from './make-folder.ts';
import { systemProcesses } from './processes.ts';
import { writeAt } from './random-access.ts';
import { TempFiles } from './temp-files.ts';

export interface ChangeOptions {
  /**
   * Keeps a mode that lets others read, for a change that adds no secret. A new file is for its
   * owner alone, and a stricter mode always stays.
   */
  readonly keepsMode?: boolean | undefined;
}

/** A change takes milliseconds: no wait for a keychain or helper is inside it. */
const STALE_MS = 3_000;

/**
 * Changes a configuration file of the user, one process at a time. docker and podman do not take
 * the lock.
 *
 * Readers see the old text or the new one. A symbolic link stays, and its target is written; the
 * owner stays. A file that is a mount of its own is overwritten.
 *
 * @param shown names the file in messages.
 * @param change returns the new text, made of the current one; undefined changes nothing.
 * @throws {StorageError} when the system refuses.
 * @throws {RegiError} LOCKED when another regi keeps the file.
 */
export async function changePrivateFile(
  path: string,
  shown: string,
  change: () => Promise<string | undefined>,
  options: ChangeOptions = {},
): Promise<void> {
  // Most of the time nothing changes, even where nothing could be written.
  if ((await change()) === undefined) return;
  try {
    const target = await guarded('write', path, followLink(path));
    await guarded('write', path, makeFolder(dirname(target), { mode: 0o700 }));
    await withLock(`${target}.regi-lock`, { staleMs: STALE_MS }, async () => {
      const text = await change();
      if (text === undefined) return;
      // A killed process leaves a file with secrets.
      await new TempFiles(dirname(target), systemProcesses).sweep();
      await write(target, text, options);
    });
  } catch (error) {
    throw error instanceof StorageError
      ? new StorageError('write', shown, error.errno, error)
      : error;
  }
}

async function write(
  target: string,
  text: string,
  { keepsMode = false }: ChangeOptions,
): Promise<void> {
  const before = await unlessErrno(['ENOENT'], guarded('read', target, stat(target)));
  // oxlint-disable-next-line no-bitwise -- a mode is bits
  const mode = before && before.mode & (keepsMode ? 0o777 : 0o600);
  await replaceFile(target, Buffer.from(text), {
    mode: 0o600,
    async finish(file) {
      if (before === undefined || mode === undefined) return;
      await file.chmod(mode);
      // Only the superuser can keep another owner, and needs to, under sudo.
      await file.chown(before.uid, before.gid).catch(() => undefined);
    },
    async replace(temp, path) {
      try {
        await rename(temp, path);
      } catch (error) {
        if (mode === undefined || !MOUNT.has(errnoOf(error) ?? '')) throw error;
        // The whole text lies beside the file meanwhile, should the machine die.
        await overwriteFile(path, text, mode);
        await rm(temp, { force: true });
      }
    },
  });
}

/**
 * Errors of a rename over a file that is a mount of its own, as containers mount one file of their
 * host.
 */
const MOUNT: ReadonlySet<string> = new Set(['EBUSY', 'EXDEV']);

/** Returns the target of a link, whether it exists or not. */
async function followLink(path: string): Promise<string> {
  const real = await unlessErrno(['ENOENT'], realpath(path));
  if (real !== undefined) return real;
  const pointed = await unlessErrno(['ENOENT', 'EINVAL'], readlink(path));
  return pointed === undefined ? path : resolve(dirname(path), pointed);
}

/**
 * Overwrites the text of a file that cannot be replaced, because it is a mount of its own: a
 * container's `config.json`. The new text is one write, padded with blanks to the old size, which
 * JSON ignores, until the file is cut: readers see one text or the other. When the new text does
 * not fit, the old one is restored. Only a machine that dies at that moment leaves neither whole.
 *
 * @param mode of the file before the text is in it.
 * @throws the system error, with the old text in place.
 */
export async function overwriteFile(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.chmod(mode);
    const before = await file.readFile();
    try {
      await overwrite(file, path, Buffer.from(text), before.byteLength);
    } catch (error) {
      await overwrite(file, path, before, 0);
      throw error;
    }
  } finally {
    await file.close();
  }
}

async function overwrite(
  file: FileHandle,
  path: string,
  bytes: Buffer,
  sizeBefore: number,
): Promise<void> {
  const blanks = Buffer.alloc(Math.max(0, sizeBefore - bytes.byteLength), ' ');
  await writeAt(file, path, Buffer.concat([bytes, blanks]), 0);
  await file.truncate(bytes.byteLength);
  await file.sync();
}
