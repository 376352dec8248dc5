import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage } from '../../support/images/images.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runProgram, startProgram } from '../../support/programs/run-program.ts';
import { ROOT } from '../../support/root.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const BIN = join(ROOT, 'bin/regi.js');

describeReal('regi tags list in a pipe', [], () => {
  let registry: FakeRegistry;

  beforeAll(async () => {
    const place = createMemoryPlace();
    const store = place.open('team/app');
    const image = makeImage();
    await image.pushAll(store);
    for (let index = 0; index < 10_000; index += 1)
      await store.tag(image.root, `t${String(index).padStart(5, '0')}`);
    registry = await startFakeRegistry({ place });
  });

  test('tags list ends quietly when its reader has gone, and requests no further page', async () => {
    const second = registry.hold({ path: /last=t00999/ });
    const env = { PATH: process.env['PATH'] ?? '', HOME: temporaryFolder('home') };
    const running = startProgram(
      process.execPath,
      [BIN, 'tags', 'list', `${registry.host}/team/app`],
      { env },
    );
    await second.reached;
    await expect.poll(() => running.output.stdout, { timeout: 30_000 }).toContain('t00999\n');
    const { stdout } = running.process;
    await new Promise((resolve) => stdout.once('close', resolve).destroy());
    second.release();
    expect(await running.finished).toMatchObject({ status: 0, stderr: '' });
    expect(registry.requests.filter(({ url }) => url.includes('/tags/list')).length).toBe(2);
  });

  test('tags list | head -1 ends quietly', async () => {
    const script = `set -o pipefail; "${process.execPath}" "${BIN}" tags list ${registry.host}/team/app | head -1`;
    const env = { PATH: process.env['PATH'] ?? '', HOME: temporaryFolder('home') };
    expect(await runProgram('/bin/bash', ['-c', script], { env })).toMatchObject({
      status: 0,
      stdout: 't00000\n',
      stderr: '',
    });
  });
});
