import { createHash } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import { systemClock, type Clock } from '../clock.ts';
import { KeyedLock } from '../concurrency/keyed-lock.ts';
import { RegiError } from '../errors.ts';
import { tryParseJson } from '../json.ts';
import { quote, quotePath } from '../quote.ts';
import type { CallOptions } from '../store.ts';
import { errnoOf, guarded } from './errno.ts';
import {
  parseIdentity,
  type ProcessIdentity,
  type Processes,
  systemProcesses,
} from './processes.ts';
import { readRegular } from './regular-file.ts';
import { TempFiles } from './temp-files.ts';

export interface LockOptions extends CallOptions {
  /** The system's when absent. */
  readonly clock?: Clock | undefined;
  readonly processes?: Processes | undefined;
  /** Called once, when another process holds the lock for longer than a moment. */
  readonly onWait?: ((message: string) => void) | undefined;
  /**
   * Takes over a lock that one holder has kept for so long, for work that takes milliseconds: its
   * process may be of another container, where nothing shows that it was killed.
   */
  readonly staleMs?: number | undefined;
}

const WAIT_MS = 10_000;
/**
 * Two processes that write at once wait for each other all the time, which is not worth a message.
 */
const NOTICE_MS = 500;
/** The pauses between two looks grow: most holders keep a lock for one small write. */
const FIRST_POLL_MS = 1;
const LAST_POLL_MS = 50;

/** A lock file holds a few short facts. */
const LOCK_BYTES = 4096;

/** Tasks of this process take turns here, and need not poll for each other. */
const queues = new KeyedLock();

/**
 * Runs `work` while the lock file `path` is held: one task at a time over all processes of all
 * machines that see the file.
 *
 * The file is created exclusively, with pid, host and start of its process. A lock whose process is
 * gone is taken over.
 *
 * @throws {RegiError} LOCKED when the holder keeps it for 10 seconds.
 */
export function withLock<T>(
  path: string,
  options: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  return queues.run(path, () => new Lock(path, options).run(work));
}

interface HeldLock {
  readonly text: string;
  /** Undefined when regi has not written the whole file. */
  readonly holder: ProcessIdentity | undefined;
}

class Lock {
  readonly #path: string;
  readonly #options: LockOptions;
  readonly #clock: Clock;
  readonly #processes: Processes;
  readonly #temps: TempFiles;

  constructor(path: string, options: LockOptions) {
    const { clock = systemClock, processes = systemProcesses } = options;
    this.#path = path;
    this.#options = options;
    this.#clock = clock;
    this.#processes = processes;
    this.#temps = new TempFiles(dirname(path), processes);
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const own = `${JSON.stringify(await this.#processes.self())}\n`;
    await this.#acquire(own);
    try {
      return await work();
    } finally {
      // A stale lock may have been taken from this process.
      const isOwn =
        this.#options.staleMs === undefined || (await readLock(this.#path))?.text === own;
      if (isOwn) await guarded('remove', this.#path, rm(this.#path, { force: true }));
    }
  }

  async #acquire(own: string): Promise<void> {
    const { signal, onWait, staleMs = Number.POSITIVE_INFINITY } = this.#options;
    const began = this.#clock.now();
    let isNoted = false;
    let slept = 0;
    let last: { readonly text: string; readonly sinceMs: number } | undefined;
    for (let poll = FIRST_POLL_MS; ; poll = Math.min(poll * 2, LAST_POLL_MS)) {
      signal?.throwIfAborted();
      if (await this.#create(this.#path, own)) return;
      const held = await readLock(this.#path);
      // Released between the two looks.
      if (held === undefined) continue;
      // Each look takes time too, on a slow disk more than the pauses. A clock that is set back
      // must not make the wait longer.
      const waited = Math.max(slept, this.#clock.now() - began);
      if (last?.text !== held.text) last = { text: held.text, sinceMs: waited };
      const isStale = waited - last.sinceMs >= staleMs;
      if ((isStale || (await this.#isGone(held))) && (await this.#break(held, own))) continue;
      if (waited >= WAIT_MS) throw lockedError(this.#path, held);
      if (!isNoted && waited >= NOTICE_MS) {
        isNoted = true;
        onWait?.(`Waiting for ${describe(held)}, which holds ${quotePath(this.#path)}`);
      }
      const pause = Math.min(poll, WAIT_MS - waited);
      await this.#clock.sleep(pause, signal);
      slept += pause;
    }
  }

  async #isGone({ holder }: HeldLock): Promise<boolean> {
    return holder !== undefined && (await this.#processes.isGone(holder));
  }

  /**
   * Removes a lock that its holder has left. The remover first creates a guard file that is named
   * for that very lock, and looks again: otherwise the slower of two could remove the lock that the
   * faster has just taken.
   */
  async #break(held: HeldLock, own: string): Promise<boolean> {
    const name = createHash('sha256').update(held.text).digest('hex').slice(0, 16);
    const guard = `${this.#path}.${name}`;
    if (!(await this.#create(guard, own))) {
      const other = await readLock(guard);
      if (other !== undefined && (await this.#isGone(other))) await rm(guard, { force: true });
      return false;
    }
    try {
      if ((await readLock(this.#path))?.text === held.text)
        await guarded('remove', this.#path, rm(this.#path, { force: true }));
      return true;
    } finally {
      await rm(guard, { force: true });
    }
  }

  /**
   * Creates a file whole in one step, by a link to a finished one, so that no process reads half of
   * it. False when it exists.
   */
  async #create(path: string, text: string): Promise<boolean> {
    const temp = await this.#temps.next();
    try {
      await guarded('lock', path, writeFile(temp, text, { flag: 'wx' }));
      return await createdBy(path, link(temp, path));
    } catch (error) {
      if (!LINKLESS.has(errnoOf(error) ?? '')) throw error;
      return await createdBy(path, writeFile(path, text, { flag: 'wx' }));
    } finally {
      await rm(temp, { force: true });
    }
  }
}

/** Errors of file systems without hard links: FAT, some network shares. */
const LINKLESS: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EMLINK',
]);

async function createdBy(path: string, creating: Promise<void>): Promise<boolean> {
  try {
    await guarded('lock', path, creating);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function readLock(path: string): Promise<HeldLock | undefined> {
  const bytes = await readRegular(path, LOCK_BYTES);
  if (bytes === undefined) return undefined;
  const text = new TextDecoder().decode(bytes);
  return { text, holder: parseIdentity(tryParseJson(text)) };
}

function lockedError(path: string, held: HeldLock): RegiError {
  return new RegiError(
    'LOCKED',
    `Cannot lock ${quotePath(path)}: expected it free within ${WAIT_MS / 1000} seconds, found it held by ${describe(held)}`,
    { hint: 'wait until that process has ended; when no regi runs there, remove the lock file' },
  );
}

function describe({ holder }: HeldLock): string {
  return holder === undefined
    ? 'an unknown process'
    : `process ${holder.pid} on ${quote(holder.host)}`;
}
