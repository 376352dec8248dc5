import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, expect, test } from 'vitest';

import { systemClock } from '../../src/clock.ts';
import { openLayout } from '../../src/stores/layout/oci-layout.ts';
import { systemProcesses } from '../../src/disk/processes.ts';
import { makeImage } from '../support/images/images.ts';
import { readIndexJson } from '../support/images/layout-folder.ts';
import { runMain, type MainResult } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let cwd: string;
let folder: string;
let lock: string;

beforeEach(async () => {
  cwd = temporaryFolder('locked');
  folder = join(cwd, 'images');
  lock = join(folder, '.regi.lock');
  const layout = await openLayout(folder, { create: true, clock: systemClock });
  await makeImage().pushAll(layout, 'registry.example/app:1');
});

function run(...argv: readonly string[]): Promise<MainResult> {
  return runMain(argv, { cwd, env: { REGI_DATA: folder } });
}

test.each([
  ['copy into a layout', ['copy', 'oci:images', 'oci:images:other']],
  ['tag in the local store', ['tag', 'local:registry.example/app:1', 'registry.example/app:2']],
  ['rmi', ['rmi', 'registry.example/app:1']],
  ['prune', ['prune']],
])('%s waits 10 seconds for the lock, names who holds it, and exits 1', async (_what, argv) => {
  const holder = await systemProcesses.self();
  writeFileSync(lock, JSON.stringify(holder));
  const before = readIndexJson(folder);
  const { status, stdout, stderr, sleeps } = await run(...argv);
  expect([status, stdout, readIndexJson(folder)]).toEqual([1, '', before]);
  expect(stderr).toContain(
    `Waiting for process ${holder.pid} on ${JSON.stringify(holder.host)}, which holds`,
  );
  expect(stderr).toMatch(
    /^regi: .*Cannot lock .+: expected it free within 10 seconds, found it held by process \d+ on ".+"\n {2}wait until/m,
  );
  expect(sleeps.reduce((sum, ms) => sum + ms, 0)).toBe(10_000);
});

test('the lock of a process that is gone is taken over at once', async () => {
  writeFileSync(lock, JSON.stringify({ ...(await systemProcesses.self()), pid: 4_194_305 }));
  expect(await run('rmi', 'registry.example/app:1')).toMatchObject({ status: 0, sleeps: [] });
  expect(existsSync(lock)).toBe(false);
});

test.each([
  ['images', ['images']],
  ['verify', ['verify', 'oci:images', 'local:']],
  ['inspect', ['inspect', 'oci:images']],
])('%s only reads, and does not wait for the lock', async (_what, argv) => {
  writeFileSync(lock, JSON.stringify(await systemProcesses.self()));
  expect(await run(...argv)).toMatchObject({ status: 0, sleeps: [] });
});
