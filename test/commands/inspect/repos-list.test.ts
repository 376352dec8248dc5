import { beforeAll, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { main } from '../../../src/main.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeBlob } from '../../support/images/images.ts';
import { fakeIo, type FakeIo, type FakeIoOptions } from '../../support/cli/io.ts';

let registry: FakeRegistry;

beforeAll(async () => {
  const place = createMemoryPlace();
  const { descriptor, bytes } = makeBlob(10);
  for (const name of ['other/app', 'team', 'team/app', 'team/web/front', 'teamwork/app'])
    await place.open(name).push(descriptor, bytesOf(bytes));
  registry = await startFakeRegistry({ place });
});

test('repos list prints one repository a line', async () => {
  const { status, io } = await run(['repos', 'list', registry.host]);
  expect({ status, stderr: io.stderrText() }).toEqual({ status: 0, stderr: '' });
  expect(io.stdoutText().trimEnd().split('\n').toSorted()).toEqual([
    'other/app',
    'team',
    'team/app',
    'team/web/front',
    'teamwork/app',
  ]);
});

test('repos list keeps to a namespace', async () => {
  const { io } = await run(['repos', 'list', `${registry.host}/team/`]);
  expect(io.stdoutText().trimEnd().split('\n').toSorted()).toEqual([
    'team',
    'team/app',
    'team/web/front',
  ]);
});

test('repos list --json has the name as it is written in a reference', async () => {
  const { io } = await run(['repos', 'list', `${registry.host}/other`, '--json']);
  expect(JSON.parse(io.stdoutText())).toEqual({
    repository: 'other/app',
    name: `${registry.host}/other/app`,
  });
});

test('repos list notes an empty registry', async () => {
  const { status, io } = await run(['repos', 'list', `${registry.host}/nobody`]);
  expect({ status, stdout: io.stdoutText() }).toEqual({ status: 0, stdout: '' });
  expect(io.stderrText()).toContain('holds no repository');
});

test.each([404, 405])(
  'repos list says that a registry which answers %d keeps no catalog',
  async (status) => {
    registry.fault({ match: { path: /_catalog/ }, action: { kind: 'respond', status } });
    const { status: exit, io } = await run(['repos', 'list', registry.host]);
    expect(exit).toBe(1);
    expect(io.stderrText()).toMatch(
      /^regi: Cannot list .* keeps no catalog \(status 40[45]\)\n {2}.*regi tags list .*\n$/,
    );
  },
);

test('repos list asks Docker Hub nothing, and says where to look', async () => {
  const { status, io } = await run(['repos', 'list', 'docker.io/library']);
  expect(status).toBe(1);
  expect(io.stderrText()).toContain('https://hub.docker.com');
});

test.each([
  ['https://registry.example/', 'registry.example'],
  ['somebody:secret@registry.example', 'registry.example'],
])('repos list refuses %s without printing a possible secret', async (text, wanted) => {
  const { status, io } = await run(['repos', 'list', text]);
  expect(status).toBe(2);
  expect(io.stderrText()).toContain(wanted);
  expect(io.stderrText()).not.toContain('secret');
});

async function run(
  argv: readonly string[],
  options: FakeIoOptions = {},
): Promise<{ status: number; io: FakeIo }> {
  const io = fakeIo(options);
  return { status: await main(argv, io), io };
}
