import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { runMain } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Port 9 of the loopback address: nothing listens there. */
const GONE = '127.0.0.1:9';

let cwd: string;

beforeAll(() => {
  cwd = temporaryFolder('unreachable');
  const pods = Array.from(
    { length: 8 },
    (_, at) => `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ${GONE}/app${at}:1\n`,
  );
  writeFileSync(join(cwd, 'pods.yaml'), pods.join('---\n'));
});

describe('D11: a cause that many images share is one error', () => {
  test.each([
    ['refs check', ['check', 'pods.yaml'], 'pods.yaml:5:14: '],
    ['refs lock', ['lock', 'pods.yaml'], 'pods.yaml:5:14: '],
    ['refs rewrite --digests', ['rewrite', '--digests', '--to', 'm.example', 'pods.yaml'], ''],
  ])('of regi %s', async (_name, argv, place) => {
    const { status, stderr } = await runMain(['refs', ...argv, '--retry', '0'], { cwd });
    const hint = '  check host and port, and that the registry is running';
    const others = [1, 2, 3, 4, 5].map((at) => `${GONE}/app${at}:1`).join(', ');
    expect({ status, stderr: stderr.trimEnd().split('\n') }).toEqual({
      status: 5,
      stderr: [
        `regi: ${place}Cannot connect to "${GONE}": connection refused`,
        hint,
        `regi: and 7 more for the same reason: ${others}, …`,
        'regi: Cannot finish: 8 of 8 failed, all for one reason',
        hint,
      ],
    });
  });
});

test('refs check says that the files name no image', async () => {
  writeFileSync(join(cwd, 'values.yaml'), 'replicas: 3\n');
  const { status, stderr } = await runMain(['refs', 'check', 'values.yaml'], { cwd });
  expect([status, stderr]).toEqual([0, 'Found no images in these files\n']);
});
