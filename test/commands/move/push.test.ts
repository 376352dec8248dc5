import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, beforeEach, expect, test } from 'vitest';

import { systemClock } from '../../../src/clock.ts';
import { main } from '../../../src/main.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { fakeIo, type FakeIo } from '../../support/cli/io.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const INDEX = makeIndex();

let cwd: string;
let registry: FakeRegistry;

beforeAll(async () => {
  cwd = temporaryFolder('push');
  await INDEX.pushAll(
    await openLayout(join(cwd, 'app'), { create: true, clock: systemClock }),
    '1.4',
  );
});

beforeEach(async () => {
  registry = await startFakeRegistry();
});

test.each(['oci:app', 'oci:app:1.4', './app', './app:1.4'])(
  'push %s prints where the image is',
  async (source) => {
    const { status, io } = await run(['push', source, `${registry.host}/team/app:1.4`]);
    expect({ status, stdout: io.stdoutText() }).toEqual({
      status: 0,
      stdout: `${registry.host}/team/app:1.4@${INDEX.root.digest}\n`,
    });
    expect(await registry.place.open('team/app').resolve('1.4')).toMatchObject({
      digest: INDEX.root.digest,
    });
  },
);

test('push to several references sends a blob once, prints a line each and writes them to --digestfile', async () => {
  const names = [
    `${registry.host}/team/app:1.4`,
    `${registry.host}/team/app`,
    `${registry.host}/mirror/app:1`,
  ];
  const { status, io } = await run(['push', './app', ...names, '--digestfile', 'digests']);
  expect(status).toBe(0);
  const lines = ['team/app:1.4', 'team/app:latest', 'mirror/app:1']
    .map((name) => `${registry.host}/${name}@${INDEX.root.digest}\n`)
    .join('');
  expect(io.stdoutText()).toBe(lines);
  expect(readFileSync(join(cwd, 'digests'), 'utf8')).toBe(lines);
  const blobs = new Set(
    INDEX.images.flatMap(({ config, layers }) => [config, ...layers]).map(({ digest }) => digest),
  );
  expect(
    registry.requests.filter(
      ({ method, url, bytes }) => method !== 'GET' && url.includes('/blobs/uploads/') && bytes > 0,
    ),
  ).toHaveLength(blobs.size);
  expect(await registry.place.open('team/app').resolve('latest')).toMatchObject({
    digest: INDEX.root.digest,
  });
});

test('push --dry-run writes nothing', async () => {
  expect(
    (await run(['push', '--dry-run', 'oci:app', `${registry.host}/team/app:1.4`])).status,
  ).toBe(0);
  expect(registry.requests.filter(({ method }) => method !== 'HEAD' && method !== 'GET')).toEqual(
    [],
  );
});

test('push refuses to choose among several images', async () => {
  const layout = await openLayout(join(cwd, 'several'), { create: true, clock: systemClock });
  await makeImage().pushAll(layout, 'one');
  await makeImage({ seed: 7 }).pushAll(layout, 'two');
  const { status, io } = await run(['push', './several', `${registry.host}/team/app:1`]);
  expect(status).toBe(2);
  expect(io.stderrText()).toContain('"one", "two"');
});

test.each([
  ['a path alone', ['./app'], 'regi push ./app registry.example/team/app:1.0'],
  ['a layout as destination', ['./app', 'oci:other'], 'regi copy'],
])('push of %s exits 2 with a hint', async (_what, args, hint) => {
  const { status, io } = await run(['push', ...args]);
  expect({ status, stdout: io.stdoutText() }).toEqual({ status: 2, stdout: '' });
  expect(io.stderrText()).toContain(hint);
});

test.each([
  ['a reference', ['registry.example/app:1'], 'regi push oci:DIR registry.example/app:1'],
  [
    'two references',
    ['registry.example/app:1', 'registry.example/app:2'],
    'regi copy registry.example/app:1 registry.example/app:2',
  ],
])(
  'push of %s that the local store lacks exits 3 and shows what to type',
  async (_what, args, hint) => {
    const { status, io } = await run(['push', ...args]);
    expect({ status, stdout: io.stdoutText() }).toEqual({ status: 3, stdout: '' });
    expect(io.stderrText()).toContain(hint);
  },
);

async function run(argv: readonly string[]): Promise<{ status: number; io: FakeIo }> {
  const io = fakeIo({ cwd });
  return { status: await main(argv, io), io };
}
