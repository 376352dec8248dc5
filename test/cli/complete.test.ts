import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { complete, flagsOf } from '../../src/cli/complete.ts';
import { VALUE_KINDS } from '../../src/commands/complete/value.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import { main } from '../../src/main.ts';
import { openLayout } from '../../src/stores/layout/oci-layout.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { makeImage } from '../support/images/images.ts';
import { fakeIo } from '../support/cli/io.ts';
import { realClock } from '../support/clock.ts';
import { runMain } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const image = makeImage();
const home = temporaryFolder('home');
const cwd = temporaryFolder('cwd');
let registry: FakeRegistry;

beforeAll(async () => {
  registry = await startFakeRegistry();
  for (const tag of ['1.4', '1.5', 'latest'])
    await image.pushAll(registry.place.open('team/app'), tag);
  await image.pushAll(registry.place.open('team/web'), '1');
  await image.pushAll(
    await openLayout(join(cwd, 'layout'), { create: true, clock: realClock }),
    'v1',
  );
  mkdirSync(join(home, '.docker'));
  writeFileSync(
    join(home, '.docker', 'config.json'),
    JSON.stringify({ auths: { 'registry.example': { auth: 'dTpw' } } }),
  );
  writeFileSync(join(cwd, '.hidden'), '');
  writeFileSync(join(cwd, 'list.txt'), '');
  await runMain(['copy', `${registry.host}/team/app:1.4`, 'local:registry.example/team/app:1.4'], {
    home,
    cwd,
  });
});

async function candidates(...words: readonly string[]): Promise<readonly string[]> {
  const found = await complete(words, fakeIo({ home, cwd }), COMMANDS);
  return found.map(({ value }) => value);
}

describe('complete()', () => {
  test('complete() offers every command, word by word', async () => {
    const first = await candidates('');
    for (const { name } of COMMANDS) {
      const [word = '', ...rest] = name.split(' ');
      expect(first).toContain(word);
      if (rest.length > 0) expect(await candidates(word, '')).toContain(rest[0]);
      expect(await candidates('help', ...name.split(' ').slice(0, -1), '')).toContain(
        rest.at(-1) ?? word,
      );
    }
  });

  test.each(COMMANDS.map((spec) => [spec.name, spec] as const))(
    'complete() offers every flag of %s with its summary',
    async (name, spec) => {
      const found = await complete([...name.split(' '), '--'], fakeIo(), COMMANDS);
      expect(found.map(({ value }) => value)).toEqual(
        expect.arrayContaining(flagsOf(spec).map((option) => `--${option.name}`)),
      );
      expect(found.filter(({ note }) => !note)).toEqual([]);
    },
  );

  test('VALUE_KINDS has every placeholder', () => {
    const names = COMMANDS.flatMap(({ arguments: given, options }) => [
      ...given.map(({ name }) => name),
      ...options.flatMap(({ value }) => value ?? []),
    ]);
    const values = flagsOf(undefined).flatMap(({ value }) => value ?? []);
    expect(
      [...new Set([...names, ...values])].filter((name) => !VALUE_KINDS.has(name)),
      'add them to VALUE_KINDS',
    ).toEqual([]);
  });

  test.each<readonly [readonly string[], readonly string[]]>([
    [
      ['tags', 'list', '--sort', ''],
      ['name', 'semver', 'created'],
    ],
    [['tags', 'list', '--sort=s'], ['--sort=semver']],
    [['-q', 'tags', '--progress', 'plain', 'li'], ['list']],
    [['copy', '--platform', 'linux/arm64'], ['linux/arm64']],
    [['copy', '--', '--f'], []],
    [['history', 'one', ''], []],
    [['nonsense', ''], []],
    [['copy', '--from', 'li'], ['list.txt']],
    [
      ['copy', '--from', './l'],
      ['./layout/', './list.txt'],
    ],
    [['copy', '--from', '.h'], ['.hidden']],
    [['inspect', 'oci:lay'], ['oci:layout/']],
    [['inspect', 'oci:layout:'], ['oci:layout:v1']],
    [['tags', 'list', 'oci:lay'], ['oci:layout/']],
    [['inspect', 'oci:nowhere/'], []],
    [['inspect', 'arch'], ['archive:']],
    [['copy', 'regi'], ['registry.example/']],
    [['logout', 'r'], ['registry.example']],
    [['rmi', 'registry.example/t'], ['registry.example/team/app:1.4']],
    [['inspect', 'local:'], ['local:registry.example/team/app:1.4']],
  ])('complete(%j) offers %j', async (words, expected) => {
    expect(await candidates(...words)).toEqual(expected);
  });

  test('complete() offers images in the local store where a bare word means one', async () => {
    expect(await candidates('rmi', '')).toContain('registry.example/team/app:1.4');
    expect(await candidates('inspect', '')).not.toContain('registry.example/team/app:1.4');
  });

  test('complete() requests repositories from a registry, then tags', async () => {
    const { host } = registry;
    expect(await candidates('copy', `${host}/team/`)).toEqual([
      `${host}/team/app:`,
      `${host}/team/web:`,
    ]);
    expect(await candidates('ls', `${host}/team/`)).toEqual([
      `${host}/team/app`,
      `${host}/team/web`,
    ]);
    expect(await candidates('copy', `${host}/team/app:1`)).toEqual([
      `${host}/team/app:1.4`,
      `${host}/team/app:1.5`,
    ]);
    expect(await candidates('copy', `docker://${host}/team/app:l`)).toEqual([
      `docker://${host}/team/app:latest`,
    ]);
    expect(await candidates('copy', host)).toEqual([]);
  });

  test('complete() offers nothing if a registry does not respond in time', async () => {
    const slow = await startFakeRegistry();
    const gate = slow.hold({});
    const clock = { ...realClock, sleep: () => gate.reached };
    expect(
      await complete(['copy', `${slow.host}/team/`], fakeIo({ home, cwd, clock }), COMMANDS),
    ).toEqual([]);
    gate.release();
  });

  test('complete() offers and prints nothing if a registry fails', async () => {
    const odd = await startFakeRegistry();
    odd.fault({ match: {}, times: 99, action: { kind: 'respond', status: 500, body: 'no' } });
    const io = fakeIo({ home, cwd });
    const status = await main(['__complete', 'copy', `${odd.host}/team/`], io);
    expect([status, io.stdoutText(), io.stderrText(), odd.requests.length]).toEqual([0, '', '', 1]);
  });
});
