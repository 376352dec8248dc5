import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { StepSummary } from '../../../src/cli/progress/step-summary.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { fakeIo } from '../../support/cli/io.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { makeImage } from '../../support/images/images.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

test('--summary appends a Markdown table of the images, also of those that failed', async () => {
  const image = makeImage();
  const place = createMemoryPlace();
  await image.pushAll(place.open('team/app'), '1');
  const { host } = await startFakeRegistry({ place });
  const file = join(temporaryFolder('summary'), 'summary.md');
  writeFileSync(file, '# Before\n\n');
  const list = `${host}/team/app:1 ${host}/mirror/app:1\n${host}/team/gone:1 ${host}/mirror/gone:1\n`;
  const { status } = await runMain(['copy', '--from', '-', '-k', '--summary'], {
    stdin: list,
    env: { GITHUB_STEP_SUMMARY: file },
  });
  expect(status).toBe(8);
  const text = readFileSync(file, 'utf8').replaceAll(host, 'HOST');
  expect(text).toContain('# Before\n\n| Image | Result | Digest |\n|---|---|---|\n');
  expect(text).toContain(`| \`HOST/mirror/app:1\` | copied | \`${image.root.digest}\` |\n`);
  expect(text).toContain('| `HOST/mirror/gone:1` | failed |  |\n');
  expect(text).toMatch(/\n\n2 images: .*1 failed.*\n\n$/);
});

describe('--summary has a row for each image that is moved', () => {
  const image = makeImage({ seed: 2 });
  const cwd = temporaryFolder('moved');
  const run = async (argv: readonly string[]): Promise<string> => {
    const file = join(temporaryFolder('summary'), 'summary.md');
    const { status, stderr } = await runMain([...argv, '--summary'], {
      cwd,
      env: { GITHUB_STEP_SUMMARY: file, REGI_DATA: join(cwd, 'data') },
    });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    return readFileSync(file, 'utf8').replaceAll(host, 'HOST');
  };
  let host: string;

  beforeAll(async () => {
    const place = createMemoryPlace();
    await image.pushAll(place.open('team/app'), '1');
    ({ host } = await startFakeRegistry({ place }));
    writeFileSync(
      join(cwd, 'mirror.yaml'),
      `version: 1\nimages:\n  - from: ${host}/team/app\n    to: ${host}/synced/app\n    tags: ['*']\n`,
    );
  });

  test.each([
    ['pull', ['pull', 'HOST/team/app:1'], 'local:HOST/team/app:1', 'copied'],
    ['pull -o', ['pull', 'HOST/team/app:1', '-o', 'one.tar'], 'HOST/team/app:1', 'copied'],
    ['push', ['push', 'archive:one.tar', 'HOST/pushed/app:1'], 'HOST/pushed/app:1', 'copied'],
    ['export', ['export', 'HOST/team/app:1', '-o', 'two.tar'], 'HOST/team/app:1', 'copied'],
    ['import', ['import', 'two.tar', 'HOST/in'], 'HOST/in/team/app:1', 'copied'],
    ['sync', ['sync', 'mirror.yaml', '--state', 'state'], 'HOST/synced/app:1', 'copied'],
    [
      'copy --dry-run',
      ['copy', '--dry-run', 'HOST/team/app:1', 'HOST/dry/app:1'],
      'HOST/dry/app:1',
      'would be copied',
    ],
  ] as const)('%s', async (_name, argv, name, result) => {
    const text = await run(argv.map((word) => word.replace('HOST', host)));
    expect(text).toContain(`| \`${name}\` | ${result} | \`${image.root.digest}\` |\n`);
  });
});

test('--summary is refused outside of a job, before anything is copied', async () => {
  const { status, stderr } = await runMain(['copy', 'a.example/a', 'b.example/b', '--summary']);
  expect(status).toBe(2);
  expect(stderr).toBe(
    'regi: Cannot use --summary: GITHUB_STEP_SUMMARY is not set\n' +
      '  use it in a job of GitHub Actions, or set GITHUB_STEP_SUMMARY to a file\n',
  );
});

test('StepSummary keeps Markdown of a name in its cell', async () => {
  const file = join(temporaryFolder('summary'), 'summary.md');
  const summary = new StepSummary(fakeIo({ env: { GITHUB_STEP_SUMMARY: file } }));
  summary.add({ kind: 'failed', image: 'a`|b\n# c', error: new Error('x') });
  await summary.write();
  expect(readFileSync(file, 'utf8')).toContain('| `a  b\\n# c` | failed |  |\n');
});
