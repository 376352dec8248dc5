import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { ConfigLockedError, withFileLock } from '../../src/disk/file-lock.ts';
import { instantClock } from '../support/clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function place() {
  const path = join(temporaryFolder(), 'config.json');
  return { path, lock: `${path}.regi-lock` };
}

test('withFileLock() holds the lock while the work runs, and no longer', async () => {
  const { path, lock } = place();
  expect(await withFileLock(path, 'x', async () => existsSync(lock))).toBe(true);
  expect(existsSync(lock)).toBe(false);
});

test('withFileLock() gives the lock back when the work fails', async () => {
  const { path, lock } = place();
  await expect(withFileLock(path, 'x', () => Promise.reject(new Error('broken')))).rejects.toThrow(
    'broken',
  );
  expect(existsSync(lock)).toBe(false);
});

test('withFileLock() takes over the lock of one that was killed', async () => {
  const { path, lock } = place();
  writeFileSync(lock, 'of a dead process');
  const clock = instantClock();
  expect(await withFileLock(path, 'x', async () => 'done', clock)).toBe('done');
  expect(clock.sleeps.reduce((sum, ms) => sum + ms, 0)).toBe(3000);
});

test('withFileLock() gives up where others take turns all the time', async () => {
  const { path, lock } = place();
  let turns = 0;
  const clock = {
    ...instantClock(),
    sleep: async () => writeFileSync(lock, `another ${(turns += 1)}`),
  };
  writeFileSync(lock, 'another');
  const waiting = withFileLock(path, '~/config.json', async () => 'done', clock);
  await expect(waiting).rejects.toBeInstanceOf(ConfigLockedError);
  await expect(waiting).rejects.toThrow('Cannot change "~/config.json"');
});

test('withFileLock() leaves a lock that was taken from it', async () => {
  const { path, lock } = place();
  await withFileLock(path, 'x', async () => {
    rmSync(lock);
    writeFileSync(lock, 'of the next one');
  });
  expect(readFileSync(lock, 'utf8')).toBe('of the next one');
});
