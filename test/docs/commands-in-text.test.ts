import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import { findCommand } from '../../src/cli/parse/find-command.ts';
import { parseArguments } from '../../src/cli/parse/parse-arguments.ts';
import { COMMANDS } from '../../src/commands/index.ts';

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

/** What stands in `code` and begins with regi, up to where a shell would take over. */
function commandsOf(page: string): readonly string[] {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/^ *```.*?^ *```$/gms, '');
  return [
    ...new Set(
      [...text.matchAll(/`regi (?<words>[^`]+)`/g)].map(
        ({ groups }) => (groups?.['words'] ?? '').split(/\s[|<>&#]/)[0] ?? '',
      ),
    ),
  ];
}

/** Words as a shell makes them. */
function split(text: string): readonly string[] {
  return [...text.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replaceAll(/['"]/g, ''),
  );
}

describe.each(PAGES.map((page) => [page, commandsOf(page)] as const))('%s', (_page, commands) => {
  test.each(commands.map((command) => [command]))(
    '`regi %s` is a command with flags that it has',
    (command) => {
      const words = split(command).filter((word) => !/^(?:…|\.\.\.)$/.test(word));
      if (words[0] === '--version' || words[1] === 'COMMAND') return;
      const request = findCommand(words, COMMANDS);
      if (request.kind !== 'run') return;
      // A command that is only named has none of its arguments.
      if (request.words.length === 0) return;
      parseArguments(request.spec, request.words);
      expect(request.spec.name).not.toBe('');
    },
  );

  test('names commands only', () => {
    expect(commands.every((command) => command !== '')).toBe(true);
  });
});
