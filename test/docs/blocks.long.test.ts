import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';

import type { Place } from '../../src/store.ts';
import { makeIndex } from '../support/images/images.ts';
import { runProgram } from '../support/programs/run-program.ts';
import { type FakeRegistry, startFakeRegistry } from '../support/registries/fake-registry.ts';
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

/** Compiled code, shared by the many starts of regi. */
const CACHE = temporaryFolder('cache');

interface Block {
  readonly line: number;
  readonly script: string;
}

/**
 * The shell blocks of a page, also those inside a list. The README's own set-up is `bash`: it would
 * run these tests again.
 */
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

/**
 * Files that a page shows: a block without a language whose first line is a comment with the name.
 */
function filesOf(page: string): readonly (readonly [name: string, text: string])[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```\n# (?<name>\S+)\n(?<text>.*?)^```$/gms)].map(({ groups }) => [
    groups?.['name'] ?? '',
    groups?.['text'] ?? '',
  ]);
}

/**
 * Every `….example` of a page is one of two registries; the first has mirrors of Docker Hub and
 * Quay.
 */
describe.each(PAGES.filter((page) => blocksOf(page).length > 0))('%s', (page) => {
  let registry: FakeRegistry;
  let backup: FakeRegistry;
  let home: string;
  let cwd: string;
  let PATH: string;

  beforeAll(async () => {
    [registry, backup] = [await startFakeRegistry(), await startFakeRegistry()];
    [home, cwd, PATH] = [temporaryFolder('home'), temporaryFolder('cwd'), pathWithRegi()];
    const mirrored = { mirrors: [{ location: registry.host, insecure: true }] };
    mkdirSync(join(home, '.config', 'regi'), { recursive: true });
    mkdirSync(join(cwd, 'stick'));
    for (const [name, text] of filesOf(page)) writeFileSync(join(cwd, name), named(text));
    writeFileSync(
      join(home, '.config', 'regi', 'config.yaml'),
      JSON.stringify({ hosts: { 'docker.io': mirrored, 'quay.io': mirrored } }),
    );
    await fill(registry.place);
  });

  const named = (text: string): string =>
    text
      .replaceAll('registry.example', registry.host)
      .replaceAll(/\b(?:backup|prod)\.example\b|\bregistry\.local:5000\b/g, backup.host)
      .replaceAll('/media/stick', join(cwd, 'stick'));

  // In their order: a page tells one story.
  test.each(blocksOf(page))('the block at line $line runs', async ({ script }) => {
    const env = { PATH, HOME: home, XDG_CACHE_HOME: CACHE, LC_ALL: 'C.UTF-8' };
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

/** Puts the images that the pages name into the first registry. */
async function fill(place: Place): Promise<void> {
  const NAMES = [
    'library/debian:12',
    'library/nginx:1.27',
    'prometheus/prometheus:v3.1.0',
    ...['1.2', '1.4', '1.5', 'latest'].map((tag) => `team/app:${tag}`),
  ];
  for (const [seed, name] of NAMES.entries()) {
    const [repository = '', tag] = name.split(':');
    const image = makeIndex({ seed: 10 * seed + 1 });
    const store = place.open(repository);
    await image.pushAll(store, tag);
    if (name !== 'team/app:latest') continue;
    for (const [at, machine] of ['amd64', 'arm64'].entries())
      await store.tag(image.images[at]?.root ?? image.root, `2.0-${machine}`);
  }
}
