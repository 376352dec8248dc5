import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import { systemClock, type Clock } from '../clock.ts';
import { RegiError } from '../errors.ts';

/** A file of the user's configuration that somebody else keeps locked. */
export class ConfigLockedError extends RegiError {
  constructor(shown: string, lock: string) {
    super(
      'LOCKED',
      `Cannot change "${shown}": expected it free within ${WAIT_MS / 1000} s, found it locked all the time`,
      {
        hint: `wait until the other programs are done; when none runs: rm ${lock}`,
      },
    );
  }
}

/** A change takes milliseconds. */
const POLL_MS = 20;
const WAIT_MS = 15_000;
/** Whoever holds the same lock for so long was killed: none of the waits for keychain and helpers is inside of it. */
const STALE_MS = 3_000;

/**
 * Runs `work` while nobody else who asks here changes the file: two logins at once would each write what it had read, and one would be lost.
 * docker and podman do not ask.
 *
 * @param shown names the file in messages.
 * @throws {ConfigLockedError} when others keep it.
 */
export async function withFileLock<T>(
  path: string,
  shown: string,
  work: () => Promise<T>,
  clock: Clock = systemClock,
): Promise<T> {
  const lock = `${path}.regi-lock`;
  const token = randomUUID();
  await mkdir(dirname(lock), { recursive: true, mode: 0o700 });
  await acquire(lock, shown, token, clock);
  try {
    return await work();
  } finally {
    if ((await readIfThere(lock)) === token) await rm(lock, { force: true });
  }
}

async function acquire(lock: string, shown: string, token: string, clock: Clock): Promise<void> {
  let holder: string | undefined;
  let since = 0;
  for (let waited = 0; !(await create(lock, token)); waited += POLL_MS) {
    const current = await readIfThere(lock);
    if (current !== holder) [holder, since] = [current, waited];
    if (current !== undefined && waited - since >= STALE_MS) {
      await rm(lock, { force: true });
      continue;
    }
    if (waited >= WAIT_MS) throw new ConfigLockedError(shown, lock);
    await clock.sleep(POLL_MS);
  }
}

async function create(lock: string, token: string): Promise<boolean> {
  try {
    await writeFile(lock, token, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function readIfThere(lock: string): Promise<string | undefined> {
  try {
    return await readFile(lock, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
