import { randomUUID } from 'node:crypto';
import {
  chown,
  type FileHandle,
  open,
  readlink,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { RegiError } from '../errors.ts';
import { withFileLock } from './file-lock.ts';

export interface ChangeOptions {
  /** Whether a mode that lets others read stays; for a change that brings no secret. A new file is for its owner alone, and a stricter mode always stays. */
  readonly keepsMode?: boolean | undefined;
}

/**
 * Changes a file of the user's configuration, one at a time: beside it, to the disk, and then in its place, so that a reader sees the old text
 * or the new one. A symbolic link stays and what it points at is written; the owner stays. A file that is a mount of its own is overwritten.
 *
 * @param shown names the file in messages.
 * @param change gives the new text, made of what is there now; undefined changes nothing.
 * @throws {UnwritableConfigError} when the system refuses.
 * @throws {ConfigLockedError} when another regi keeps the file.
 */
export async function changePrivateFile(
  path: string,
  shown: string,
  change: () => Promise<string | undefined>,
  options: ChangeOptions = {},
): Promise<void> {
  // Most of the time nothing is to be done, also where nothing can be.
  if ((await change()) === undefined) return;
  try {
    const target = await followLink(path);
    await withFileLock(target, shown, async () => {
      const text = await change();
      if (text !== undefined) await write(target, text, options);
    });
  } catch (cause) {
    const code =
      cause instanceof Error && !(cause instanceof RegiError) && 'code' in cause
        ? String(cause.code)
        : undefined;
    if (code === undefined) throw cause;
    throw new RegiError(
      'STORAGE_FAILED',
      `Cannot write "${shown}": ${PROBLEMS[code] ?? 'the system refused'} (${code})`,
      {
        hint: `check the owner, mode and free space of ${shown} and its folder`,
        cause,
      },
    );
  }
}

async function write(
  target: string,
  text: string,
  { keepsMode = false }: ChangeOptions,
): Promise<void> {
  const before = await ifThere(stat(target));
  // oxlint-disable-next-line no-bitwise -- a mode is bits
  const mode = before && before.mode & (keepsMode ? 0o777 : 0o600);
  const temporary = `${target}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      if (mode !== undefined) await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    // Of somebody else's file, only the superuser can leave the owner as it was; that is who needs it, under sudo.
    if (before !== undefined) await chown(temporary, before.uid, before.gid).catch(() => undefined);
    try {
      await rename(temporary, target);
    } catch (error) {
      if (mode === undefined || !isMount(error)) throw error;
      // The whole text lies beside it meanwhile, should the machine die.
      await overwriteFile(target, text, mode);
    }
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Whether a file could not be replaced because it is mounted by itself, as containers mount one file of their host. */
function isMount(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && (error.code === 'EBUSY' || error.code === 'EXDEV')
  );
}

const PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'the operation is not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the disk quota is used up',
  ELOOP: 'its links go round in a circle',
};

/** What a link points at, whether that exists or not. */
async function followLink(path: string): Promise<string> {
  const real = await ifThere(realpath(path));
  if (real !== undefined) return real;
  const pointed = await ifThere(readlink(path));
  return pointed === undefined ? path : resolve(dirname(path), pointed);
}

async function ifThere<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (
      error instanceof Error &&
      'code' in error &&
      (error.code === 'ENOENT' || error.code === 'EINVAL')
    )
      return undefined;
    throw error;
  }
}

/**
 * Writes a text over that of a file which cannot be replaced, because it is a mount of its own: a container's `config.json`. It is in one
 * write, and what the old text had more of is blanks until it is cut off, which JSON ignores: who reads meanwhile reads the one or the other.
 * A text that does not fit is taken back. Only a machine that dies in that moment leaves neither whole.
 *
 * @param mode of the file from before the text is in it.
 * @throws what the system says, with the old text in place.
 */
export async function overwriteFile(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.chmod(mode);
    const before = await file.readFile();
    try {
      await overwrite(file, Buffer.from(text), before.byteLength);
    } catch (error) {
      await overwrite(file, before, 0);
      throw error;
    }
  } finally {
    await file.close();
  }
}

async function overwrite(file: FileHandle, bytes: Buffer, sizeBefore: number): Promise<void> {
  const blanks = Buffer.alloc(Math.max(0, sizeBefore - bytes.byteLength), ' ');
  const all = Buffer.concat([bytes, blanks]);
  for (let written = 0; written < all.byteLength;) {
    written += (await file.write(all, written, all.byteLength - written, written)).bytesWritten;
  }
  await file.truncate(bytes.byteLength);
  await file.sync();
}
