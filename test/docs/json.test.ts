import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';

import { systemClock } from '../../src/clock.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import { encodedOf } from '../../src/oci/digest.ts';
import { createMemoryPlace } from '../../src/stores/memory.ts';
import { openLayout } from '../../src/stores/oci-layout.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/fake-registry.ts';
import { makeArtifact, makeImage, makeIndex } from '../support/images.ts';
import { makeLayered, member } from '../support/layered-image.ts';
import { runMain } from '../support/run-main.ts';
import { makeShowImage } from '../support/show-image.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));
const PAGE = readFileSync(join(DOCS, 'json.md'), 'utf8');
const { $defs } = JSON.parse(readFileSync(join(DOCS, 'json.schema.json'), 'utf8')) as { readonly $defs: Readonly<Record<string, object>> };

const INDEX = makeIndex({ attestations: true });
const { file, folder, symlink, whiteout } = member;
const BEFORE = makeLayered([[file('a', 'a'), folder('d'), file('d/x', 'x')]], { config: { Cmd: ['a'], Env: ['A=1'] } });
const AFTER = makeLayered(
  [
    [file('a', 'b'), folder('d', 0o700), symlink('l', 'a')],
    [whiteout('d/x'), { name: 'n', typeflag: '3' }],
  ],
  { config: { User: 'me' } },
);

let cwd: string;
let registry: FakeRegistry;
let app: string;

beforeAll(async () => {
  cwd = temporaryFolder('json');
  writeFileSync(join(cwd, 'file.json'), '{}');
  const layout = await openLayout(join(cwd, 'app'), { create: true, clock: systemClock });
  await makeShowImage().pushTo(layout, 'show');
  await BEFORE.pushTo(layout, 'before');
  await AFTER.pushTo(layout, 'after');
  const place = createMemoryPlace();
  const store = place.open('team/app');
  await INDEX.pushAll(store, '1');
  const sbom = makeArtifact({ subject: INDEX.root, annotations: { 'org.example.note': 'yes' } });
  await sbom.pushAll(store, 'sbom');
  await makeArtifact({ subject: sbom.root, seed: 3 }).pushAll(store);
  await makeArtifact({ subject: INDEX.images[0]?.root, seed: 4, size: 10 }).pushAll(store);
  await makeImage({ seed: 9 }).pushAll(store, `sha256-${encodedOf(INDEX.root.digest)}.sig`);
  writeFileSync(join(cwd, 'index.json'), INDEX.nodes.get(INDEX.root.digest)?.bytes ?? '');
  registry = await startFakeRegistry({ place });
  app = `${registry.host}/team/app`;
});

/** Every object of the command is what the schema of that name says, and all members that it may have. */
async function expectAnswers(name: string, ...argv: readonly string[]): Promise<readonly unknown[]> {
  const { status, stdout, stderr } = await runMain([...argv, '--json'], { cwd });
  expect(status, stderr).toBe(0);
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  for (const row of rows) expect(schemaOf(name).safeParse(row), JSON.stringify(row)).toMatchObject({ success: true });
  expect(stdout).not.toContain('null');
  return rows;
}

function schemaOf(name: string): z.ZodType {
  const pointer = `#/$defs/${name}`;
  return z.fromJSONSchema({ $ref: pointer, $defs } as Parameters<typeof z.fromJSONSchema>[0]);
}

describe('docs/json.schema.json', () => {
  test.each([
    ['inspect', () => ['inspect', 'oci:app:show']],
    ['inspect', () => ['inspect', `${app}:1`]],
    ['inspect', () => ['inspect', `${app}:sbom`]],
    ['history', () => ['history', 'oci:app:show']],
    ['digest', () => ['digest', `${app}:1`]],
    ['tags list', () => ['tags', 'list', '--digests', '--sort', 'created', app]],
    ['repos list', () => ['repos', 'list', registry.host]],
    ['search', () => ['search', `${registry.host}/app`]],
    ['referrers', () => ['referrers', `${app}:1`]],
    ['files', () => ['files', 'oci:app:after']],
    ['diff', () => ['diff', 'oci:app:before', 'oci:app:after']],
    ['manifest get', () => ['manifest', 'get', `${app}:1`]],
    ['manifest get', () => ['inspect', '--raw', `${app}:1`]],
    ['config', () => ['config', 'oci:app:show']],
    ['config', () => ['inspect', '--config', 'oci:app:show']],
    ['blob get', () => ['blob', 'get', `oci:app@${BEFORE.layers[0]?.digest}`, '-o', 'layer']],
    ['rootfs', () => ['rootfs', 'oci:app:after', '-o', 'rootfs.tar']],
    ['copy', () => ['copy', `${app}:1`, `${registry.host}/other/app:1`]],
    ['push', () => ['push', 'oci:app:before', `${registry.host}/pushed/app:1`]],
    ['tag', () => ['tag', `${app}:1`, 'again']],
    ['attach', () => ['attach', 'file.json', '--to', `${app}:1`, '--type', 'application/vnd.example.report']],
    ['manifest put', () => ['manifest', 'put', `${app}:put`, 'index.json']],
    ['blob put', () => ['blob', 'put', app, 'file.json']],
  ] as const)('%s answers as the schema says', async (name, argv) => {
    expect((await expectAnswers(name, ...argv())).length).toBeGreaterThan(0);
  });

  test('errors are as the schema says', async () => {
    const { stderr } = await runMain(['digest', '--json', `${app}:gone`]);
    const line: unknown = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '');
    expect(schemaOf('error').safeParse(line)).toMatchObject({ success: true });
  });

  test('the schema refuses what a command does not say', () => {
    expect(schemaOf('digest').safeParse({ name: 'a', digest: 'sha256:0', mediaType: 'b', size: 1, more: true }).success).toBe(false);
    expect(schemaOf('digest').safeParse({ name: 'a', digest: 'latest', mediaType: 'b', size: 1 }).success).toBe(false);
  });

  test('the page names every command that the schema describes', () => {
    const commands = COMMANDS.map(({ name }) => name).filter((name) => name in $defs);
    expect(commands.length).toBeGreaterThan(15);
    for (const command of commands) expect(PAGE).toContain(`\`${command}\``);
  });
});
