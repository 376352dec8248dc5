import { describe, expect, test } from 'vitest';

import { findCommand } from '../../../src/cli/parse/find-command.ts';
import { FOREIGN_COMMANDS, foreignCommandHint } from '../../../src/cli/parse/foreign-tools.ts';
import { COMMANDS as ALL } from '../../../src/commands/index.ts';
import { UsageError } from '../../../src/errors.ts';
import { ECHO } from '../../support/cli/fake-command.ts';

const COPY = { ...ECHO, name: 'copy' };
const TAGS_LIST = { ...ECHO, name: 'tags list', aliases: ['ls'] };
const TAGS_DELETE = { ...ECHO, name: 'tags delete' };
const COMMANDS = [COPY, TAGS_LIST, TAGS_DELETE];

test('no existing command has a hint for a foreign one', () => {
  const names = new Set(ALL.flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]));
  expect(FOREIGN_COMMANDS.filter((words) => names.has(words))).toEqual([]);
});

test('hints name only existing commands', () => {
  const named = FOREIGN_COMMANDS.flatMap((words) => [
    ...(foreignCommandHint(words) ?? '').matchAll(
      /regi ([a-z]+(?: (?:get|put|list|delete|create|add)\b)?)/g,
    ),
  ]).map(([, name]) => name);
  const names = new Set(['moves', 'does', ...ALL.map(({ name }) => name)]);
  expect(named.filter((name) => !names.has(name ?? ''))).toEqual([]);
});

describe('findCommand()', () => {
  test.each([
    [['copy', 'a', 'b'], COPY, 'copy', ['a', 'b']],
    [['tags', 'list', 'list'], TAGS_LIST, 'tags list', ['list']],
    [['ls', 'repo', '-q'], TAGS_LIST, 'ls', ['repo', '-q']],
    [
      ['--json', '--timeout', '5', 'tags', '-q', 'delete', 'x'],
      TAGS_DELETE,
      'tags delete',
      ['--json', '--timeout', '5', '-q', 'x'],
    ],
    [['copy', '--', 'list'], COPY, 'copy', ['--', 'list']],
  ])(
    'findCommand() finds the command of %j and keeps the other words',
    (argv, spec, typed, words) => {
      expect(findCommand(argv, COMMANDS)).toEqual({ kind: 'run', spec, typed, words });
    },
  );

  test.each([
    [[], ''],
    [['help'], ''],
    [['help', 'help'], ''],
    [['--help'], ''],
    [['tags'], 'tags'],
    [['help', 'tags'], 'tags'],
    [['tags', '-h'], 'tags'],
  ])('gives an overview for %j', (argv, prefix) => {
    expect(findCommand(argv, COMMANDS)).toEqual({ kind: 'overview', prefix });
  });

  test('gives the help of a command', () => {
    expect(findCommand(['help', 'tags', 'list'], COMMANDS)).toEqual({
      kind: 'help',
      spec: TAGS_LIST,
    });
  });

  test('findCommand() finds a command whose name begins those of others, and still hints at theirs', () => {
    expect(findCommand(['manifest', 'debian'], ALL)).toMatchObject({
      kind: 'run',
      spec: { name: 'manifest get' },
      words: ['debian'],
    });
    expect(findCommand(['manifest'], ALL)).toEqual({ kind: 'overview', prefix: 'manifest' });
    expect(() => findCommand(['manifest', 'create', 'x', 'y'], ALL)).toThrow(
      expect.objectContaining({ hint: 'type: regi index create REF IMAGE…' }),
    );
  });

  test.each([
    [['--versoin'], 'Cannot use "--versoin"', 'did you mean --version?'],
    [['cpoy'], 'Cannot find command "cpoy"', 'did you mean `regi copy`?'],
    [['tags', 'lsit', 'x'], 'Cannot find command "tags lsit"', 'did you mean `regi tags list`?'],
    [['frobnicate'], 'Cannot find command "frobnicate"', '`regi help` lists the commands'],
    [['help', 'nothing'], 'Cannot find command "nothing"', '`regi help` lists the commands'],
    [['run', 'x'], 'Cannot find command "run"', 'cannot run them'],
    [['COPY', 'a', 'b'], 'Cannot find command "COPY"', 'did you mean `regi copy`?'],
    [['artifact', 'put', 'x'], 'Cannot find command "artifact"', 'regi attach FILE'],
    [['mirror', 'x'], 'Cannot find command "mirror"', 'regi copy --all-tags'],
    [['constructor'], 'Cannot find command "constructor"', '`regi help` lists the commands'],
    [['rm', 'x:1'], 'Cannot run "rm": it could mean several commands', 'regi rmi REF'],
  ])('refuses %j with a hint', (argv, message, hint) => {
    expect(() => findCommand(argv, COMMANDS)).toThrow(UsageError);
    expect(() => findCommand(argv, COMMANDS)).toThrow(message);
    expect(() => findCommand(argv, COMMANDS)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining(hint) as string }),
    );
  });
});
