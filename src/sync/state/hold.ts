import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Clock } from '../../clock.ts';
import { guarded } from '../../disk/errno.ts';
import { withLock } from '../../disk/lock.ts';
import { makeFolder } from '../../disk/make-folder.ts';
import { parseIdentity, systemProcesses } from '../../disk/processes.ts';
import { readRegular } from '../../disk/regular-file.ts';
import { RegiError } from '../../errors.ts';
import { tryParseJson } from '../../json.ts';
import { quotePath } from '../../quote.ts';
import type { CallOptions } from '../../store.ts';

export interface HoldOptions extends CallOptions {
  readonly clock: Clock;
  /** `1/4`; a whole run where absent. */
  readonly shard: string | undefined;
  readonly onWait: (message: string) => void;
}

const WHOLE = 'whole.lock';
const SUFFIX = '.lock';
const LOCK_BYTES = 4096;

/**
 * Holds one file of `regi sync` for one run: a whole run excludes every shard of its file, and a
 * shard excludes the same shard and a whole run. A dead holder's lock is taken over.
 *
 * @param file the absolute path, or another text that names what is synced.
 * @returns the function that ends it.
 * @throws {RegiError} LOCKED while another run holds it; STORAGE_FAILED where the folder cannot be
 *   written.
 */
export async function holdFile(
  folder: string,
  file: string,
  { shard, ...options }: HoldOptions,
): Promise<() => Promise<void>> {
  const name = createHash('sha256').update(file).digest('hex').slice(0, 32);
  const locks = join(folder, 'locks', name);
  await guarded('create', locks, makeFolder(locks));
  const own = shard === undefined ? WHOLE : `${shard.replace('/', '-of-')}${SUFFIX}`;
  const inProgress = (path: string): RegiError =>
    new RegiError('LOCKED', `Cannot sync ${file}: another run of it is in progress`, {
      hint: `wait until it has ended; its lock is ${quotePath(path)}`,
    });
  // A run takes minutes: there is no use in waiting for its end.
  if (await isHeld(join(locks, own))) throw inProgress(join(locks, own));
  const release = await hold(join(locks, own), options);
  try {
    for (const other of await readdir(locks)) {
      const excludes = shard === undefined ? other.endsWith(SUFFIX) : other === WHOLE;
      if (other !== own && excludes && (await isHeld(join(locks, other))))
        throw inProgress(join(locks, other));
    }
  } catch (error) {
    await release();
    throw error;
  }
  return release;
}

function hold(path: string, options: Omit<HoldOptions, 'shard'>): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const ended: Promise<void> = withLock(
      path,
      options,
      () =>
        new Promise<void>((end) => {
          resolve(async () => {
            end();
            await ended;
          });
        }),
    );
    ended.catch(reject);
  });
}

async function isHeld(path: string): Promise<boolean> {
  const bytes = await readRegular(path, LOCK_BYTES);
  if (bytes === undefined) return false;
  const holder = parseIdentity(tryParseJson(bytes));
  return holder === undefined || !(await systemProcesses.isGone(holder));
}
