import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { COMMANDS } from '../../../src/commands/index.ts';
import { SIGNERS } from '../../../src/commands/specs/shared.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { makeImage } from '../../support/images/images.ts';
import { makeSigner } from '../../support/images/signatures.ts';
import { makeSigstore } from '../../support/trust/sigstore.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Every way in which a command that takes flags of trust does its work. HOST is a registry. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  copy: [
    'HOST/app:1 HOST/to:1',
    'HOST/app:1 archive:out.tar',
    'HOST/app:1 oci:dir:1',
    '--all-tags HOST/app HOST/to',
    '--tags 1 HOST/app HOST/to',
    '--from list HOST',
    '--format oci HOST/app:1 HOST/to:1',
    '--dry-run HOST/app:1 HOST/to:1',
    '--force HOST/app:1 HOST/app:1',
  ],
  pull: [
    'HOST/app:1',
    '--all-tags HOST/app',
    '--all-platforms HOST/app:1',
    '-o out.tar HOST/app:1',
    '-o out/ HOST/app:1',
  ],
  push: ['HOST/app:1', '--all-tags HOST/app', 'oci:images:1 HOST/to:1', 'oci:images HOST/'],
  tag: ['HOST/app:1 HOST/app:2', 'HOST/app:1 local:new:1', 'local:HOST/app:1 :2'],
  export: ['HOST/app:1 -o out.tar', '--all-tags HOST/app -o out.tar', '--from list -o out.tar'],
  import: ['oci:images HOST', '--dry-run oci:images HOST', 'oci:images local:'],
  verify: ['--signatures HOST/app:1', 'HOST/app:1'],
  referrers: ['HOST/app:1'],
  'refs check': ['pod.yaml'],
  serve: ['--read-only --listen 127.0.0.1:0 oci:images'],
};

/** Flags with a value that cannot be used. A command that ignores one fails with another message. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  key: ['--key', 'missing'],
  verify: ['--verify', 'missing'],
  identity: ['--identity', 'a', '--issuer', 'b', '--trusted-root', 'missing'],
  issuer: ['--issuer', 'b'],
  'trusted-root': ['--trusted-root', 'missing'],
  policy: ['--policy', 'containers', '--policy-file', 'missing'],
  'policy-file': ['--policy-file', 'missing'],
};

let registry: FakeRegistry;
const cwd = temporaryFolder('flags');

beforeAll(async () => {
  registry = await startFakeRegistry();
  await makeImage({ seed: 1 }).pushAll(registry.place.open('app'), '1');
  writeFileSync(join(cwd, 'list'), `${registry.host}/app:1\n`);
  writeFileSync(join(cwd, 'pod.yaml'), `image: ${registry.host}/app:1\n`);
  const made = await runMain(['copy', `${registry.host}/app:1`, 'oci:images:1'], { cwd });
  expect(made, made.stderr).toMatchObject({ status: 0 });
});

const guarded = COMMANDS.filter(({ options }) => options.some(({ name }) => name === 'key'));

test.each([
  ['--trusted-root root.json', 'no policy of the file needs one'],
  ['--policy-file policy.json', 'expected --policy containers beside it'],
])('sync refuses %s, which it would ignore', async (flags, text) => {
  writeFileSync(join(cwd, 'root.json'), JSON.stringify(makeSigstore().root));
  writeFileSync(join(cwd, 'cosign.pub'), makeSigner().pem);
  writeFileSync(
    join(cwd, 'mirror.yaml'),
    'version: 1\nimages: [{ from: a.example/x, to: b.example/x, verify: ours }]\n' +
      'policies: { ours: { key: cosign.pub } }\n',
  );
  const argv = ['sync', 'mirror.yaml', ...flags.split(' ')];
  const { status, stderr } = await runMain(argv, { cwd });
  expect([status, stderr]).toEqual([2, expect.stringContaining(text)]);
});

test('every command with flags of trust is in the table, and every such flag', () => {
  expect(Object.keys(LINES).toSorted()).toEqual(guarded.map(({ name }) => name).toSorted());
  expect(Object.keys(WAYS).toSorted()).toEqual(SIGNERS.map(({ name }) => name).toSorted());
});

describe.each(Object.keys(WAYS))('--%s that cannot be used', (way) => {
  test.each(
    guarded.flatMap(({ name, aliases = [] }) =>
      (LINES[name] ?? []).flatMap((line, at) =>
        // The words after an alias are parsed alike.
        (at === 0 ? [name, ...aliases] : [name]).map((typed) => `${typed} ${line}`),
      ),
    ),
  )('ends %s before anything is written', async (line) => {
    const before = registry.requests.length;
    const words = line.replaceAll('HOST', registry.host).split(' ');
    const { status, stdout, stderr } = await runMain([...words, ...(WAYS[way] ?? [])], { cwd });
    expect({ status, stdout }, stderr).toEqual({ status: 2, stdout: '' });
    const written = registry.requests.slice(before);
    expect(written.filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);
  });
});
