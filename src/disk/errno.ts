import { devNull } from 'node:os';
import { dirname, join } from 'node:path';

import { RegiError } from '../errors.ts';
import { quotePath } from '../quote.ts';

/**
 * Stands for the home folder of a user who has none. Nothing exists below it, and even root can
 * create nothing there. An empty path would mean the working directory, whose files may be another
 * person's.
 */
export const NO_HOME = join(devNull, 'no-home');

/** True for a path in a home folder that does not exist. */
export function isWithoutHome(path: string): boolean {
  return path.startsWith(NO_HOME);
}

/** A system call on a path that failed. */
export class StorageError extends RegiError {
  /** Such as `ENOSPC`. */
  readonly errno: string;

  /** @param action the words after "Cannot": `write`, `read`. */
  constructor(action: string, path: string, errno: string, cause: unknown) {
    if (isWithoutHome(path)) {
      super('STORAGE_FAILED', `Cannot ${action} files of the user: there is no home folder`, {
        hint: 'set HOME to a folder of yours',
        cause,
      });
      this.errno = errno;
      return;
    }
    const { found, hint } =
      errno === 'ENOENT' && action === 'write' ? noFolder(path) : (PROBLEMS[errno] ?? UNKNOWN);
    super('STORAGE_FAILED', `Cannot ${action} ${quotePath(path)}: ${found} (${errno})`, {
      hint,
      cause,
    });
    this.errno = errno;
  }
}

interface Problem {
  readonly found: string;
  readonly hint: string;
}

/** A file that is written need not exist; its folder has to. */
function noFolder(path: string): Problem {
  const folder = quotePath(dirname(path));
  return { found: `there is no folder ${folder}`, hint: `make it first: mkdir -p ${folder}` };
}

const FULL_HINT = 'free some space there, or choose another folder, and run the command again';
const PERMISSION_HINT = 'check the owner and mode of the path, or choose another folder';
const UNKNOWN: Problem = { found: 'the system refused', hint: 'check the path and the disk' };

const PROBLEMS: Readonly<Record<string, Problem>> = {
  ENOSPC: { found: 'no space is left on the device', hint: FULL_HINT },
  EDQUOT: { found: 'the disk quota is used up', hint: FULL_HINT },
  EACCES: { found: 'permission denied', hint: PERMISSION_HINT },
  EPERM: { found: 'the operation is not permitted', hint: PERMISSION_HINT },
  EROFS: {
    found: 'the file system is read-only',
    hint: 'choose a folder on a writable file system',
  },
  ENOENT: { found: 'there is no such path', hint: 'check the path' },
  ENOTDIR: { found: 'a part of the path is not a folder', hint: 'check the path' },
  EISDIR: { found: 'it is a folder', hint: 'check the path' },
  ELOOP: { found: 'its links go round in a circle', hint: 'check the path' },
  EEXIST: {
    found: 'a file of that name is in the way',
    hint: 'choose another name, or move the file away',
  },
  ENAMETOOLONG: { found: 'the name is too long', hint: 'choose a shorter path' },
  EFBIG: {
    found: 'the file system holds no file of that size',
    hint: 'choose a folder on another file system',
  },
  EMFILE: {
    found: 'too many files are open',
    hint: 'raise the limit (ulimit -n), or lower --concurrency',
  },
  ENFILE: {
    found: 'too many files are open on this machine',
    hint: 'close other programs, or lower --concurrency',
  },
  EIO: { found: 'the device failed', hint: 'check the disk' },
};

/**
 * Waits for one operation on `path`, and replaces a system error by one that says what failed.
 *
 * @param action the words after "Cannot": `write`, `read`.
 * @throws {StorageError} in place of a system error.
 */
export async function guarded<T>(action: string, path: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    const errno = errnoOf(error);
    throw errno === undefined || error instanceof RegiError
      ? error
      : new StorageError(action, path, errno, error);
  }
}

/** The same, but undefined when nothing exists at `path`. */
export async function ifPresent<T>(
  action: string,
  path: string,
  operation: Promise<T>,
): Promise<T | undefined> {
  const absent = isWithoutHome(path) ? ['ENOENT', 'ENOTDIR'] : ['ENOENT'];
  return guarded(action, path, unlessErrno(absent, operation));
}

/** Waits for one operation; undefined when it fails with one of these system errors. */
export async function unlessErrno<T>(
  errnos: readonly string[],
  operation: Promise<T>,
): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (errnos.includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/**
 * The system's name of an error, such as `ENOENT`, also of the system error behind a
 * `StorageError`; undefined for other errors.
 */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof StorageError) return error.errno;
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
