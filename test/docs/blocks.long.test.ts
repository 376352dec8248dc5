import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';

import { openLayout } from '../../src/stores/layout/oci-layout.ts';
import { makeIndex } from '../support/images/images.ts';
import { realClock } from '../support/clock.ts';
import { runRegi } from '../support/cli/regi.ts';
import { runProgram } from '../support/programs/run-program.ts';
import { startServe, type Served } from '../support/registries/serve.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { pathWithRegi } from '../support/cli/terminal.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Pages of `docs/commands` are made from the commands themselves. */
const PAGES = [
  'README.md',
  ...['docs', 'docs/recipes', 'docs/registries'].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).flatMap((name) =>
      name.endsWith('.md') ? [`${folder}/${name}`] : [],
    ),
  ),
];

interface Block {
  readonly line: number;
  readonly script: string;
}

/** The shell blocks of a page, also those inside a list. The README's own set-up is `bash`: it would run these tests again. */
function blocksOf(page: string): readonly Block[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^(?<indent> *)```sh\n(?<script>.*?)^ *```$/gms)].map(
    ({ groups, index }) => ({
      line: text.slice(0, index).split('\n').length,
      script: (groups?.['script'] ?? '').replaceAll(
        new RegExp(`^${groups?.['indent'] ?? ''}`, 'gm'),
        '',
      ),
    }),
  );
}

/** Files that a page shows: a block without a language whose first line is a comment with the name. */
function filesOf(page: string): readonly (readonly [name: string, text: string])[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```\n# (?<name>\S+)\n(?<text>.*?)^```$/gms)].map(({ groups }) => [
    groups?.['name'] ?? '',
    groups?.['text'] ?? '',
  ]);
}

/** Every `….example` of a page is one of two registries; the first has mirrors of Docker Hub and Quay. */
describe.each(PAGES.filter((page) => blocksOf(page).length > 0))('%s', (page) => {
  let registry: Served;
  let backup: Served;
  let home: string;
  let cwd: string;
  let PATH: string;

  beforeAll(async () => {
    [registry, backup] = await Promise.all([startServe(['--memory']), startServe(['--memory'])]);
    [home, cwd, PATH] = [temporaryFolder('home'), temporaryFolder('cwd'), pathWithRegi()];
    const mirrored = { mirrors: [{ location: registry.host, insecure: true }] };
    mkdirSync(join(home, '.config', 'regi'), { recursive: true });
    mkdirSync(join(cwd, 'stick'));
    for (const [name, text] of filesOf(page)) writeFileSync(join(cwd, name), named(text));
    writeFileSync(
      join(home, '.config', 'regi', 'config.yaml'),
      JSON.stringify({ hosts: { 'docker.io': mirrored, 'quay.io': mirrored } }),
    );
    await fill(registry.host);
  });

  const named = (text: string): string =>
    text
      .replaceAll('registry.example', registry.host)
      .replaceAll(/\b(?:backup|prod)\.example\b|\bregistry\.local:5000\b/g, backup.host)
      .replaceAll('/media/stick', join(cwd, 'stick'));

  // In their order: a page tells one story.
  test.each(blocksOf(page))('the block at line $line runs', async ({ script }) => {
    const env = { PATH, HOME: home, LC_ALL: 'C.UTF-8' };
    const { status, stdout, stderr } = await runProgram(
      '/bin/bash',
      ['-euo', 'pipefail', '-c', named(script)],
      { env, cwd },
    );
    expect(status, `${named(script)}\n${stdout}${stderr}`).toBe(0);
  });
});

test('every page of docs is in the list, and some have blocks', () => {
  expect(PAGES.flatMap(blocksOf).length).toBeGreaterThan(15);
});

/** What the pages speak of. */
async function fill(host: string): Promise<void> {
  const folder = temporaryFolder('layout');
  const layout = await openLayout(folder, { create: true, clock: realClock });
  const NAMES = [
    'library/debian:12',
    'library/nginx:1.27',
    'prometheus/prometheus:v3.1.0',
    ...['1.2', '1.4', '1.5', 'latest'].map((tag) => `team/app:${tag}`),
  ];
  const copies: string[] = [];
  for (const [seed, name] of NAMES.entries()) {
    const image = makeIndex({ seed: 10 * seed + 1 });
    await image.pushAll(layout, `seed${seed}`);
    copies.push(`oci:${folder}:seed${seed} ${host}/${name}`);
    if (name !== 'team/app:latest') continue;
    for (const [at, machine] of ['amd64', 'arm64'].entries())
      copies.push(`oci:${folder}@${image.images[at]?.root.digest} ${host}/team/app:2.0-${machine}`);
  }
  const { status, stderr } = await runRegi(['copy', '--from', '-'], { input: copies.join('\n') });
  expect(status, stderr).toBe(0);
}
