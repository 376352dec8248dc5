import { link, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';

import type { Clock } from '../clock.ts';
import { RegiError } from '../errors.ts';
import type { ProcessIdentity, Processes } from './processes.ts';
import { readRegular } from './regular-file.ts';
import { guarded, StorageError } from './errno.ts';
import type { TempFiles } from './temp-files.ts';

/** The lock of a layout or archive is held by another process and was not given back in time. */
class LockedError extends RegiError {
  readonly path: string;
  readonly holder: ProcessIdentity | undefined;

  constructor(path: string, holder: ProcessIdentity | undefined) {
    super(
      'LOCKED',
      `Cannot lock ${JSON.stringify(path)}: expected it free within ${WAIT_MS / 1000} seconds, found it held by ${describe(holder)}`,
      {
        hint: 'wait until that process has ended; when no regi runs there, remove the lock file',
      },
    );
    this.path = path;
    this.holder = holder;
  }
}

export interface LockOptions {
  readonly clock: Clock;
  readonly processes: Processes;
  readonly temps: TempFiles;
  readonly signal?: AbortSignal | undefined;
  /** Told once, when the lock is held by another and is waited for. */
  readonly onWait?: ((message: string) => void) | undefined;
}

const WAIT_MS = 10_000;
/** Two that write at once wait for each other all the time, and nobody needs to be told. */
const TELL_MS = 500;
/** Looked at again after this, and ever more rarely: most hold it for the time of one small write. */
const FIRST_POLL_MS = 1;
const LAST_POLL_MS = 50;

/** A lock file holds a few short facts. */
const LOCK_BYTES = 4096;

/** Those of this process that wait for a lock, in order: they need not poll for each other. */
const queues = new Map<string, Promise<void>>();

/**
 * Runs `work` while the lock file `path` is held, one at a time over all processes of all machines that see the file.
 *
 * The file is created exclusively, with pid, host and start of its process. One whose process is gone is taken over.
 *
 * @throws {LockedError} when the holder keeps it for 10 seconds.
 */
export async function withLock<T>(
  path: string,
  options: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const before = queues.get(path) ?? Promise.resolve();
  const run = before.then(() => lockAndRun(path, options, work));
  const settled = run.then(
    () => undefined,
    () => undefined,
  );
  queues.set(path, settled);
  try {
    return await run;
  } finally {
    if (queues.get(path) === settled) queues.delete(path);
  }
}

async function lockAndRun<T>(
  path: string,
  options: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  await acquire(path, options);
  try {
    return await work();
  } finally {
    await guarded('remove', path, rm(path, { force: true }));
  }
}

async function acquire(path: string, options: LockOptions): Promise<void> {
  const { clock, processes, signal, onWait } = options;
  const own = await processes.self();
  const began = clock.now();
  let told = false;
  let slept = 0;
  for (let poll = FIRST_POLL_MS; ; poll = Math.min(poll * 2, LAST_POLL_MS)) {
    signal?.throwIfAborted();
    if (await createExclusively(path, own, options)) return;
    const held = await readLock(path);
    // It was given back between the two looks.
    if (held === undefined) continue;
    if (
      held.holder !== undefined &&
      (await processes.isGone(held.holder)) &&
      (await breakLock(path, held, own, options))
    )
      continue;
    // Each look takes time too, and on a slow disk more than the pauses. A clock that is set back must not make the wait longer.
    const waited = Math.max(slept, clock.now() - began);
    if (waited >= WAIT_MS) throw new LockedError(path, held.holder);
    if (!told && waited >= TELL_MS) {
      told = true;
      onWait?.(`Waiting for ${describe(held.holder)}, which holds ${JSON.stringify(path)}`);
    }
    const pause = Math.min(poll, WAIT_MS - waited);
    await clock.sleep(pause, signal);
    slept += pause;
  }
}

interface HeldLock {
  readonly text: string;
  /** Undefined when the file is not one that regi has written whole. */
  readonly holder: ProcessIdentity | undefined;
}

async function readLock(path: string): Promise<HeldLock | undefined> {
  const bytes = await readRegular(path, LOCK_BYTES);
  if (bytes === undefined) return undefined;
  const text = new TextDecoder().decode(bytes);
  return { text, holder: parseHolder(text) };
}

/**
 * Removes a lock whose process is gone. Whoever does so first holds a guard file that is named for that very lock, and looks
 * again: else the slower of two could remove the lock that the faster has just taken.
 */
async function breakLock(
  path: string,
  held: HeldLock,
  own: ProcessIdentity,
  options: LockOptions,
): Promise<boolean> {
  const guard = `${path}.${createHash('sha256').update(held.text).digest('hex').slice(0, 16)}`;
  if (!(await createExclusively(guard, own, options))) {
    const breaker = await readLock(guard);
    if (breaker?.holder !== undefined && (await options.processes.isGone(breaker.holder)))
      await rm(guard, { force: true });
    return false;
  }
  try {
    if ((await readLock(path))?.text === held.text)
      await guarded('remove', path, rm(path, { force: true }));
    return true;
  } finally {
    await rm(guard, { force: true });
  }
}

/** Creates the file whole in one step, by a link to a finished one, so that no reader ever meets it half written. */
async function createExclusively(
  path: string,
  own: ProcessIdentity,
  { temps }: LockOptions,
): Promise<boolean> {
  const temp = await temps.next();
  const text = `${JSON.stringify(own)}\n`;
  try {
    await guarded('lock', path, writeFile(temp, text, { flag: 'wx' }));
    await guarded('lock', path, link(temp, path));
    return true;
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.errno === 'EEXIST') return false;
    if (!LINKLESS.has(error.errno)) throw error;
    return await createInPlace(path, text);
  } finally {
    await rm(temp, { force: true });
  }
}

/** What file systems without hard links answer: FAT, some network shares. */
const LINKLESS: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EMLINK',
]);

async function createInPlace(path: string, text: string): Promise<boolean> {
  try {
    await guarded('lock', path, writeFile(path, text, { flag: 'wx' }));
    return true;
  } catch (error) {
    if (error instanceof StorageError && error.errno === 'EEXIST') return false;
    throw error;
  }
}

function parseHolder(text: string): ProcessIdentity | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid, host, space, started } = value as Record<string, unknown>;
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
  if (typeof host !== 'string' || typeof space !== 'string' || typeof started !== 'string')
    return undefined;
  return { pid, host, space, started };
}

function describe(holder: ProcessIdentity | undefined): string {
  return holder === undefined
    ? 'a process that has not said its name'
    : `process ${holder.pid} on ${JSON.stringify(holder.host)}`;
}
