import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { createMemoryPlace } from '../../src/stores/memory.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/fake-registry.ts';
import { makeImage } from '../support/images.ts';
import { describeReal } from '../support/real-tools.ts';
import { runProgram } from '../support/run-program.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const BIN = join(import.meta.dirname, '../../bin/regi.js');

describeReal('regi tags list in a pipe', [], () => {
  let registry: FakeRegistry;

  beforeAll(async () => {
    const place = createMemoryPlace();
    const store = place.open('team/app');
    const image = makeImage();
    await image.pushAll(store);
    for (let index = 0; index < 10_000; index += 1) await store.tag(image.root, `t${String(index).padStart(5, '0')}`);
    registry = await startFakeRegistry({ place });
  });

  test('tags list | head -1 ends quietly, and the last page is never asked for', async () => {
    const script = `set -o pipefail; "${process.execPath}" "${BIN}" tags list ${registry.host}/team/app | head -1`;
    const env = { PATH: process.env['PATH'] ?? '', HOME: temporaryFolder('home') };
    expect(await runProgram('/bin/bash', ['-c', script], { env })).toMatchObject({ status: 0, stdout: 't00000\n', stderr: '' });
    expect(registry.requests.some(({ url }) => url.includes('last=t08999'))).toBe(false);
  });
});
