import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';

import { systemClock } from '../../src/clock.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import { main } from '../../src/main.ts';
import { encodedOf, parseDigest } from '../../src/oci/digest.ts';
import { createMemoryPlace } from '../../src/stores/memory.ts';
import { openLayout } from '../../src/stores/layout/oci-layout.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { fakeIo } from '../support/cli/io.ts';
import { makeArtifact, makeImage, makeIndex } from '../support/images/images.ts';
import { expectSchema, fitsSchema, hasSchema, rowsOf } from '../support/json-schema.ts';
import { makeLayered, member } from '../support/images/layered-image.ts';
import { runMain, type RunMainOptions } from '../support/cli/run-main.ts';
import { makeShowImage } from '../support/images/show-image.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));
const PAGE = readFileSync(join(DOCS, 'json.md'), 'utf8');

const INDEX = makeIndex({ attestations: true });
const { file, folder, symlink, whiteout } = member;
const BEFORE = makeLayered([[file('a', 'a'), folder('d'), file('d/x', 'x')]], {
  config: { Cmd: ['a'], Env: ['A=1'] },
});
const AFTER = makeLayered(
  [
    [file('a', 'b'), folder('d', 0o700), symlink('l', 'a')],
    [whiteout('d/x'), { name: 'n', typeflag: '3' }],
  ],
  { config: { User: 'me' } },
);

const COSIGN_KEY = new URL('../tables/trust/keys/p256.pub', import.meta.url);

let cwd: string;
let registry: FakeRegistry;
let app: string;

beforeAll(async () => {
  cwd = temporaryFolder('json');
  writeFileSync(join(cwd, 'file.json'), '{}');
  copyFileSync(COSIGN_KEY, join(cwd, 'cosign.pub'));
  const layout = await openLayout(join(cwd, 'app'), { create: true, clock: systemClock });
  await makeShowImage().pushTo(layout, 'show');
  await BEFORE.pushTo(layout, 'before');
  await AFTER.pushTo(layout, 'after');
  await BEFORE.pushTo(
    await openLayout(join(cwd, 'removed'), { create: true, clock: systemClock }),
    '1',
  );
  await BEFORE.pushTo(
    await openLayout(join(cwd, 'broken'), { create: true, clock: systemClock }),
    '1',
  );
  rmSync(
    join(cwd, 'broken', 'blobs', 'sha256', encodedOf(parseDigest(BEFORE.layers[0]?.digest ?? ''))),
  );
  const place = createMemoryPlace();
  const store = place.open('team/app');
  await INDEX.pushAll(store, '1');
  for (const name of ['edited/app', 'added/app']) await INDEX.pushAll(place.open(name), '1');
  const sbom = makeArtifact({ subject: INDEX.root, annotations: { 'org.example.note': 'yes' } });
  await sbom.pushAll(store, 'sbom');
  await makeArtifact({ subject: sbom.root, seed: 3 }).pushAll(store);
  await makeArtifact({ subject: INDEX.images[0]?.root, seed: 4, size: 10 }).pushAll(store);
  await makeImage({ seed: 9 }).pushAll(store, `sha256-${encodedOf(INDEX.root.digest)}.sig`);
  writeFileSync(join(cwd, 'index.json'), INDEX.nodes.get(INDEX.root.digest)?.bytes ?? '');
  registry = await startFakeRegistry({ place });
  app = `${registry.host}/team/app`;
});

/**
 * Every object of the command is what the schema of that name says, and all members that it may
 * have.
 */
async function expectAnswers(
  name: string,
  argv: readonly string[],
  options: RunMainOptions,
  expected = 0,
): Promise<readonly unknown[]> {
  const { status, stdout, stderr } = await runMain([...argv, '--json'], options);
  expect(status, stderr).toBe(expected);
  const rows = rowsOf(stdout);
  for (const row of rows) expectSchema(name, row);
  return rows;
}

/** A command line, and what has to be done before it in the same home. */
interface Case {
  readonly name: string;
  readonly argv: () => readonly string[];
  readonly before?: () => readonly (readonly string[])[];
  readonly stdin?: string | undefined;
  readonly status?: number;
}

const pullApp = (): readonly (readonly string[])[] => [['pull', `${app}:1`]];
const exportTo = (file: string) => (): readonly (readonly string[])[] => [
  ['export', `${app}:1`, '-o', file],
];
const pushAgain = (tag: string) => (): readonly (readonly string[])[] => [
  ['push', 'oci:app:after', `${registry.host}/deleted/${tag}:1`],
];
function mirrorFile(): string {
  const entry = `{ from: ${app}, to: ${registry.host}/synced/app, tags: ['1'] }`;
  writeFileSync(join(cwd, 'mirror.yaml'), `version: 1\nimages:\n  - ${entry}\n`);
  return 'mirror.yaml';
}
function skopeoFile(): string {
  writeFileSync(join(cwd, 'skopeo.yaml'), 'quay.io: { images: { team/app: [] } }');
  return 'skopeo.yaml';
}
function podFile(): string {
  const spec = { containers: [{ image: `${app}:1` }] };
  writeFileSync(join(cwd, 'pod.json'), JSON.stringify({ apiVersion: 'v1', kind: 'Pod', spec }));
  return 'pod.json';
}
const loginHere = (): readonly string[] => [
  'login',
  '-u',
  'me',
  '--password-stdin',
  '--authfile',
  'auth.json',
  registry.host,
];

const CASES: readonly Case[] = [
  { name: 'inspect', argv: () => ['inspect', 'oci:app:show'] },
  { name: 'inspect', argv: () => ['inspect', `${app}:1`] },
  { name: 'inspect', argv: () => ['inspect', '--sizes', `${app}:1`] },
  { name: 'inspect', argv: () => ['inspect', `${app}:sbom`] },
  { name: 'history', argv: () => ['history', 'oci:app:show'] },
  { name: 'digest', argv: () => ['digest', `${app}:1`] },
  { name: 'tags list', argv: () => ['tags', 'list', '--digests', '--sort', 'created', app] },
  { name: 'tags list', argv: () => ['tags', 'list', '--long', app] },
  { name: 'repos list', argv: () => ['repos', 'list', registry.host] },
  { name: 'search', argv: () => ['search', `${registry.host}/app`] },
  { name: 'referrers', argv: () => ['referrers', `${app}:1`] },
  { name: 'files', argv: () => ['files', 'oci:app:after'] },
  { name: 'diff', argv: () => ['diff', 'oci:app:before', 'oci:app:after'] },
  { name: 'manifest get', argv: () => ['manifest', 'get', `${app}:1`] },
  { name: 'manifest get', argv: () => ['inspect', '--raw', `${app}:1`] },
  { name: 'config', argv: () => ['config', 'oci:app:show'] },
  { name: 'config', argv: () => ['inspect', '--config', 'oci:app:show'] },
  {
    name: 'blob get',
    argv: () => ['blob', 'get', `oci:app@${BEFORE.layers[0]?.digest}`, '-o', 'layer'],
  },
  { name: 'rootfs', argv: () => ['rootfs', 'oci:app:after', '-o', 'rootfs.tar'] },
  { name: 'copy', argv: () => ['copy', `${app}:1`, `${registry.host}/other/app:1`] },
  { name: 'copy', argv: () => ['copy', `${app}:1`, `${registry.host}/planned/app:1`, '--dry-run'] },
  { name: 'sync', argv: () => ['sync', mirrorFile(), '--all'] },
  { name: 'sync', argv: () => ['sync', '--from-skopeo', skopeoFile()] },
  { name: 'push', argv: () => ['push', 'oci:app:before', `${registry.host}/pushed/app:1`] },
  { name: 'tag', argv: () => ['tag', `${app}:1`, 'again'] },
  {
    name: 'attach',
    argv: () => [
      'attach',
      'file.json',
      '--to',
      `${app}:1`,
      '--type',
      'application/vnd.example.report',
    ],
  },
  { name: 'manifest put', argv: () => ['manifest', 'put', `${app}:put`, 'index.json'] },
  { name: 'blob put', argv: () => ['blob', 'put', app, 'file.json'] },
  { name: 'pull', argv: () => ['pull', `${app}:1`] },
  { name: 'pull', argv: () => ['pull', `${app}:1`, '-o', 'pulled/'] },
  { name: 'export', argv: () => ['export', `${app}:1`, '-o', 'exported.tar'] },
  {
    name: 'import',
    before: exportTo('app.tar'),
    argv: () => ['import', 'app.tar', `${registry.host}/imported`],
  },
  { name: 'import', before: exportTo('again.tar'), argv: () => ['import', 'again.tar'] },
  { name: 'verify', argv: () => ['verify', `${app}:1`] },
  { name: 'verify', argv: () => ['verify', 'oci:broken'], status: 7 },
  {
    name: 'verify',
    argv: () => ['verify', '--signatures', '--key', 'cosign.pub', `${app}:1`],
    status: 9,
  },
  { name: 'trust root', argv: () => ['trust', 'root'] },
  { name: 'refs find', argv: () => ['refs', 'find', podFile()] },
  { name: 'refs lock', argv: () => ['refs', 'lock', '--sizes', podFile()] },
  { name: 'refs rewrite', argv: () => ['refs', 'rewrite', '--to', 'm.test', podFile()] },
  { name: 'refs check', argv: () => ['refs', 'check', podFile()] },
  { name: 'images', before: pullApp, argv: () => ['images'] },
  { name: 'images', argv: () => ['images', './app'] },
  { name: 'rmi', before: pullApp, argv: () => ['rmi', `${app}:1`] },
  { name: 'prune', before: pullApp, argv: () => ['prune'] },
  { name: 'prune', argv: () => ['prune', '--journal', '--dry-run'] },
  { name: 'tags delete', argv: () => ['tags', 'delete', '--dry-run', `${app}:1`] },
  {
    name: 'delete',
    before: pushAgain('image'),
    argv: () => ['delete', '--dry-run', '--match', '*', `${registry.host}/deleted/image`],
  },
  {
    name: 'tags delete',
    before: pushAgain('tag'),
    argv: () => ['tags', 'delete', `${registry.host}/deleted/tag:1`],
  },
  {
    name: 'delete',
    before: pushAgain('image'),
    argv: () => ['delete', '--yes', `${registry.host}/deleted/image@${AFTER.root.digest}`],
  },
  { name: 'delete', argv: () => ['delete', '--yes', `oci:removed@${BEFORE.root.digest}`] },
  {
    name: 'index create',
    argv: () => ['index', 'create', `${registry.host}/made/app:1`, 'oci:app:before'],
  },
  {
    name: 'index add',
    argv: () => ['index', 'add', `${registry.host}/added/app:1`, 'oci:app:before', '--replace'],
  },
  {
    name: 'index remove',
    argv: () => [
      'index',
      'remove',
      `${registry.host}/edited/app:1`,
      `${INDEX.images[0]?.root.digest}`,
    ],
  },
  { name: 'login', argv: loginHere, stdin: 'secret' },
  {
    name: 'logout',
    before: () => [loginHere()],
    stdin: 'secret',
    argv: () => ['logout', '--authfile', 'auth.json', registry.host],
  },
  { name: 'logout', argv: () => ['logout', 'registry.example'] },
  {
    name: 'auth list',
    before: () => [loginHere()],
    stdin: 'secret',
    argv: () => ['auth', 'list', '--authfile', 'auth.json'],
  },
  {
    name: 'auth get',
    before: () => [loginHere()],
    stdin: 'secret',
    argv: () => ['auth', 'get', '--authfile', 'auth.json', registry.host],
  },
  { name: 'doctor', argv: () => ['doctor', registry.host] },
  { name: 'doctor', argv: () => ['doctor', `${registry.host}/team/app`, '--push'] },
  { name: 'completion', argv: () => ['completion', 'bash'] },
];

/** What answers with the bytes of files, and refuses `--json`. */
const WITHOUT_JSON: ReadonlySet<string> = new Set(['cat']);

describe('docs/json.schema.json', () => {
  test.each(CASES)(
    '$name answers as the schema says',
    async ({ name, argv, before, stdin, status }) => {
      const options = { cwd, home: temporaryFolder('home'), ...(stdin !== undefined && { stdin }) };
      for (const earlier of before?.() ?? [])
        expect(await runMain(earlier, options), earlier.join(' ')).toMatchObject({ status: 0 });
      expect((await expectAnswers(name, argv(), options, status)).length).toBeGreaterThan(0);
    },
  );

  test('serve says where it listens as the schema says', async () => {
    const stopping = new AbortController();
    const io = fakeIo({ cwd, home: temporaryFolder('home'), signal: stopping.signal });
    const ended = main(['serve', '--memory', '--listen', '127.0.0.1:0', '--json'], io);
    await expect.poll(() => io.stdoutText(), { timeout: 30_000 }).toContain('\n');
    stopping.abort(new Error('stop'));
    expect(await ended).toBe(0);
    expectSchema('serve', rowsOf(io.stdoutText())[0]);
  });

  test('every command has a schema, a line on the page and a test of what it says', () => {
    const names = COMMANDS.map(({ name }) => name).filter((name) => !WITHOUT_JSON.has(name));
    const tested = new Set([...CASES.map(({ name }) => name), 'serve']);
    expect(names.filter((name) => !hasSchema(name))).toEqual([]);
    expect(names.filter((name) => !tested.has(name))).toEqual([]);
    expect(names.filter((name) => !PAGE.includes(`\`${name}\``))).toEqual([]);
  });

  test.each([...WITHOUT_JSON])('%s refuses --json', async (name) => {
    const { status, stderr } = await runMain([name, 'oci:app:after', 'a', '--json'], { cwd });
    expect(status).toBe(2);
    expectSchema('error', rowsOf(stderr).at(-1));
  });

  test('errors are as the schema says', async () => {
    const { stderr } = await runMain(['digest', '--json', `${app}:gone`]);
    expectSchema('error', rowsOf(stderr).at(-1));
  });

  test('warnings are as the schema says', async () => {
    const { stderr } = await runMain([
      'copy',
      '--json',
      `${app}:1`,
      `${registry.host}/bare/app:1`,
      '--platform',
      'linux/amd64',
    ]);
    const warnings = rowsOf(stderr);
    expect(warnings.length).toBeGreaterThan(0);
    for (const row of warnings) expectSchema('warning', row);
  });

  test('the schema refuses what a command does not say', () => {
    expect(
      fitsSchema('digest', { name: 'a', digest: 'sha256:0', mediaType: 'b', size: 1, more: true }),
    ).toBe(false);
    expect(fitsSchema('digest', { name: 'a', digest: 'latest', mediaType: 'b', size: 1 })).toBe(
      false,
    );
  });
});
