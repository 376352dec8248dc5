import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { systemClock } from '../../../src/clock.ts';
import { main } from '../../../src/main.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { bytesOf } from '../../../src/bytes.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeBlob } from '../../support/images/images.ts';
import { fakeIo, type FakeIo, type FakeIoOptions } from '../../support/cli/io.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const BLOB = makeBlob(3_000_000);
const OTHER = makeBlob(3_000_000, 2);

let cwd: string;
let registry: FakeRegistry;
let blob: string;

beforeAll(async () => {
  cwd = temporaryFolder('blob');
  const place = createMemoryPlace();
  await place.open('team/app').push(BLOB.descriptor, bytesOf(BLOB.bytes));
  registry = await startFakeRegistry({ place });
  blob = `${registry.host}/team/app@${BLOB.descriptor.digest}`;
});

test('blob get prints the bytes of a blob of a registry', async () => {
  const { status, io } = await run(['blob', 'get', blob]);
  expect({ status, stderr: io.stderrText() }).toEqual({ status: 0, stderr: '' });
  expect(Buffer.compare(io.stdoutBytes(), BLOB.bytes)).toBe(0);
});

test('blob get prints the bytes of a blob of a layout', async () => {
  const layout = await openLayout(join(cwd, 'app'), { create: true, clock: systemClock });
  await layout.push(BLOB.descriptor, bytesOf(BLOB.bytes));
  const { io } = await run(['blob', 'get', `oci:app@${BLOB.descriptor.digest}`]);
  expect(Buffer.compare(io.stdoutBytes(), BLOB.bytes)).toBe(0);
});

test('blob get exits 7 and says so when the bytes are others', async () => {
  registry.fault({
    match: { method: 'GET', path: /\/blobs\// },
    action: { kind: 'corrupt', at: 2_000_000 },
  });
  const { status, io } = await run(['blob', 'get', blob]);
  expect(status).toBe(7);
  expect(io.stderrText()).toContain(BLOB.descriptor.digest);
});

test('blob get -o keeps a file only if its content is verified', async () => {
  const good = await run(['blob', 'get', blob, '-o', 'layer']);
  expect(good.status).toBe(0);
  expect(good.io.stdoutText()).toBe('');
  expect(digestOf(readFileSync(join(cwd, 'layer')))).toBe(BLOB.descriptor.digest);

  registry.fault({
    match: { method: 'GET', path: /\/blobs\// },
    action: { kind: 'corrupt', at: 2_000_000 },
  });
  expect((await run(['blob', 'get', blob, '-o', 'bad'])).status).toBe(7);
  expect(existsSync(join(cwd, 'bad'))).toBe(false);
  expect(readdirSync(cwd).filter((name) => name.includes('tmp'))).toEqual([]);
});

test('blob get -o --json prints the written file', async () => {
  const { io } = await run(['blob', 'get', blob, '-o', 'told', '--json']);
  expect(JSON.parse(io.stdoutText())).toEqual({
    digest: BLOB.descriptor.digest,
    size: BLOB.descriptor.size,
    path: 'told',
  });
});

test.each([
  ['a name without digest', () => [`${registry.host}/team/app:1`], {}, 2],
  ['a terminal', () => [blob], { isTTY: true }, 2],
  ['--json without a file', () => [blob, '--json'], {}, 2],
  ['a folder', () => [blob, '-o', '.'], {}, 2],
  ['a device', () => [blob, '-o', '/dev/null'], {}, 2],
  ['a folder that is not there', () => [blob, '-o', 'nowhere/layer'], {}, 2],
  [
    'a blob that is not there',
    () => [`${registry.host}/team/app@${OTHER.descriptor.digest}`],
    {},
    3,
  ],
] as const)('blob get refuses %s and prints nothing', async (_what, args, options, wanted) => {
  const { status, io } = await run(['blob', 'get', ...args()], options);
  expect({ status, stdout: io.stdoutText() }).toEqual({ status: wanted, stdout: '' });
});

async function run(
  argv: readonly string[],
  options: FakeIoOptions = {},
): Promise<{ status: number; io: FakeIo }> {
  const io = fakeIo({ cwd, ...options });
  return { status: await main(argv, io), io };
}
