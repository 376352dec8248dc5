import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import { complete } from '../../src/cli/complete.ts';
import { docPages } from '../../src/cli/help/docs.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import { fakeIo } from '../support/cli/io.ts';
import { runMain } from '../support/cli/run-main.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What regi has to be able to do, by the names that people type. An alias counts. */
const PROMISED = [
  ['copy', 'cp', 'pull', 'push', 'tag', 'export', 'save', 'import', 'load', 'rootfs', 'sync'],
  [
    'inspect',
    'history',
    'digest',
    'tags list',
    'ls',
    'repos list',
    'manifest get',
    'manifest put',
    'config',
    'blob get',
    'blob put',
  ],
  ['search', 'referrers', 'files', 'cat', 'diff', 'verify', 'doctor'],
  [
    'login',
    'logout',
    'auth list',
    'auth get',
    'tags delete',
    'delete',
    'attach',
    'index create',
    'index add',
    'index remove',
  ],
  [
    'images',
    'rmi',
    'prune',
    'image ls',
    'image tag',
    'image push',
    'image rm',
    'serve',
    'completion',
  ],
].flat();

const NAMES = COMMANDS.flatMap(({ name, aliases = [] }) => [name, ...aliases]);

test('every documented command exists', () => {
  expect(PROMISED.filter((name) => !NAMES.includes(name))).toEqual([]);
});

describe.each(COMMANDS.map((spec) => [spec.name, spec] as const))('regi %s', (name, spec) => {
  const file = name.replaceAll(' ', '-');

  test('has help with an example', async () => {
    const { status, stdout } = await runMain([...name.split(' '), '--help']);
    expect({ status, examples: stdout.includes('\nExamples:\n  # ') }).toEqual({
      status: 0,
      examples: true,
    });
  });

  test('has a page, and its help a golden text', () => {
    expect(docPages(COMMANDS).map((page) => page.file)).toContain(`${file}.md`);
    for (const path of [`docs/commands/${file}.md`, `test/golden/cli/help/${file}.txt`])
      expect(existsSync(join(ROOT, path)), path).toBe(true);
  });

  test('is completed, by each of its names', async () => {
    for (const each of [name, ...(spec.aliases ?? [])]) {
      const words = each.split(' ');
      const found = await complete(
        [...words.slice(0, -1), words.at(-1)?.slice(0, 1) ?? ''],
        fakeIo(),
        COMMANDS,
      );
      expect(found.map(({ value }) => value)).toContain(words.at(-1));
    }
  });
});
