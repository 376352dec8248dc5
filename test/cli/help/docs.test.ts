import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import { commandTable, docPages } from '../../../src/cli/help/docs.ts';
import { manPage } from '../../../src/cli/help/man-page.ts';
import { COMMANDS } from '../../../src/commands/index.ts';
import { expectGolden } from '../../support/golden.ts';

const FOLDER = 'docs/commands';

describe('docs/commands', () => {
  test.each(docPages(COMMANDS))(
    '$file matches the command definitions (`npm run docs` rewrites it)',
    ({ file, text }) => {
      expectGolden(`${FOLDER}/${file}`, text);
    },
  );

  test('has no page of a removed command', () => {
    const files = readdirSync(fileURLToPath(new URL(`../../../${FOLDER}`, import.meta.url)));
    expect(files.sort()).toEqual(
      docPages(COMMANDS)
        .map(({ file }) => file)
        .sort(),
    );
  });
});

test('README.md lists every command (`npm run docs` rewrites the table)', () => {
  const text = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8');
  const section = /(<!-- commands: .*? -->\n).*?(<!-- \/commands -->)/s;
  expect(text).toMatch(section);
  expectGolden('README.md', text.replace(section, `$1\n${commandTable(COMMANDS)}\n\n$2`));
});

test('docs/man/regi.1 matches the command definitions (`npm run docs` rewrites it)', () => {
  expectGolden('docs/man/regi.1', manPage(COMMANDS));
});

describe('COMMANDS', () => {
  test.each(COMMANDS.map((spec) => [spec.name, spec] as const))(
    '%s follows the style of help texts',
    (_name, spec) => {
      expect(spec.summary).toMatch(/^[A-Z][^.]*$/);
      expect(spec.description).toMatch(/\.$/);
      expect(spec.examples).not.toEqual({});
      for (const [summary, command] of Object.entries(spec.examples)) {
        expect(command).toMatch(/^regi /);
        expect(summary).toMatch(/^[A-Z][^.]*$/);
      }
      for (const { summary } of [...spec.options, ...spec.arguments])
        expect(summary).toMatch(/^[^A-Z].*[^.]$|^[A-Z]{2,}/);
    },
  );

  test('names and aliases are unique', () => {
    const names = COMMANDS.flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]);
    expect(new Set(names).size).toBe(names.length);
  });

  test('no command redefines a global flag', async () => {
    const { GLOBAL_OPTIONS } = await import('../../../src/cli/parse/global-options.ts');
    const taken = new Set<string>(GLOBAL_OPTIONS.map(({ name }) => name));
    expect(
      COMMANDS.flatMap(({ options }) => options.map(({ name }) => name)).filter((name) =>
        taken.has(name),
      ),
    ).toEqual([]);
  });
});
