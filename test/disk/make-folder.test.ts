import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { systemClock } from '../../src/clock.ts';
import { makeFolder } from '../../src/disk/make-folder.ts';
import { openLayout } from '../../src/stores/layout/oci-layout.ts';
import { makeLayered, member } from '../support/images/layered-image.ts';
import { runMain } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('makeFolder()', () => {
  test('makes missing folders, and returns the topmost', async () => {
    const root = temporaryFolder('make');
    expect(await makeFolder(join(root, 'a', 'b', 'c'), { mode: 0o700 })).toBe(join(root, 'a'));
    expect((statSync(join(root, 'a', 'b', 'c')).mode % 0o1000).toString(8)).toBe('700');
    expect(await makeFolder(join(root, 'a', 'b', 'd'))).toBe(join(root, 'a', 'b', 'd'));
    expect(await makeFolder(join(root, 'a', 'b'))).toBeUndefined();
    expect(await makeFolder('/')).toBeUndefined();
  });

  test('makes one folder for several that ask at once', async () => {
    const path = join(temporaryFolder('make'), 'a', 'b', 'c');
    await Promise.all(Array.from({ length: 8 }, () => makeFolder(path)));
    expect(statSync(path).isDirectory()).toBe(true);
  });

  test('refuses a path through a file', async () => {
    const root = temporaryFolder('make');
    writeFileSync(join(root, 'file'), '');
    await expect(makeFolder(join(root, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeFolder(join(root, 'file', 'a', 'b'))).rejects.toMatchObject({
      code: 'ENOTDIR',
    });
  });
});

test.runIf(existsSync('/proc/self'))(
  'copy() into a place where no folder can be made ends, and says so',
  async () => {
    const from = temporaryFolder('layout');
    await makeLayered([[member.file('a', 'a')]]).pushTo(
      await openLayout(from, { create: true, clock: systemClock }),
      '1',
    );
    const { status, stderr } = await runMain(['copy', `oci:${from}:1`, 'oci:/proc/nowhere:1']);
    expect(status).toBe(1);
    expect(stderr).toContain('Cannot create "/proc/nowhere"');
  },
);
