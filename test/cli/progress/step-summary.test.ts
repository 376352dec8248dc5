import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

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
