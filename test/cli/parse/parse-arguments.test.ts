import { describe, expect, test } from 'vitest';

import type { ParsedArguments } from '../../../src/command.ts';
import { HELP_WANTED, parseArguments } from '../../../src/cli/parse/parse-arguments.ts';
import { UsageError } from '../../../src/errors.ts';
import { ECHO, fakeCommand } from '../../support/cli/fake-command.ts';

const TWO_ARGUMENTS = fakeCommand(yieldNothing, {
  arguments: [
    { name: 'SRC', summary: 'from' },
    { name: 'DST', summary: 'to' },
  ],
});

describe('parseArguments()', () => {
  test('parseArguments() returns switches, values and lists by the names in the spec', () => {
    const { positionals, options } = parse([
      'a',
      '--platform',
      'linux/amd64',
      '-p',
      'linux/arm64',
      'b',
      '--mode=fast',
      '--dry-run',
      '-vv',
      '--json',
    ]);
    expect(positionals).toEqual(['a', 'b']);
    expect(options).toMatchObject({
      platform: ['linux/amd64', 'linux/arm64'],
      mode: 'fast',
      'dry-run': true,
      json: true,
    });
    expect(options['verbose']).toHaveLength(2);
    expect(options['quiet']).toBeUndefined();
  });

  test('parseArguments() returns a flag that begins with no- as a switch', () => {
    expect(parse(['--no-clobber']).options['no-clobber']).toBe(true);
    expect(parse([]).options['no-clobber']).toBeUndefined();
  });

  test('parseArguments() takes words after -- as arguments', () => {
    expect(parse(['--', '--json']).positionals).toEqual(['--json']);
  });

  test('parseArguments() returns HELP_WANTED for --help even if arguments are missing', () => {
    expect(parseArguments(TWO_ARGUMENTS, ['--help'])).toBe(HELP_WANTED);
    expect(parseArguments(TWO_ARGUMENTS, ['a', '-h'])).toBe(HELP_WANTED);
  });

  test.each([
    [
      ['--plattform', 'x'],
      /"--plattform": "regi probe" has no such flag/,
      /did you mean --platform\?/,
    ],
    [['--zzzzzzzz'], /"--zzzzzzzz"/, /`regi help probe` lists the flags/],
    [['--platform'], /Cannot use "-p, --platform P" without its value/, /regi help probe/],
    [['--mode', 'fats'], /"fats" for "--mode": expected fast, slow/, /did you mean --mode fast\?/],
    [['--json=true'], /Cannot give "--json" a value/, /type only --json/],
  ])('parseArguments() refuses %j with a hint', (words, message, hint) => {
    const error = refusal(() => parse(words));
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  test('parseArguments() names the missing argument and the usage', () => {
    const error = refusal(() => parseArguments(TWO_ARGUMENTS, ['a']));
    expect(error.message).toBe('Cannot run "regi probe" without DST');
    expect(error.hint).toContain('regi probe SRC DST [FLAGS]');
  });

  test('parseArguments() refuses too many arguments', () => {
    expect(refusal(() => parseArguments(TWO_ARGUMENTS, ['a', 'b', 'c'])).message).toContain(
      'expected at most 2',
    );
  });

  test('parseArguments() prints no value of a mistyped flag, because it may be a password', () => {
    const error = refusal(() => parse(['--passwrd=hunter2']));
    expect(`${error.message} ${error.hint}`).not.toContain('hunter2');
  });
});

function parse(words: readonly string[]): ParsedArguments {
  const parsed = parseArguments(ECHO, words);
  if (parsed === HELP_WANTED) throw new Error('Unexpected help');
  return parsed;
}

function refusal(run: () => unknown): UsageError {
  try {
    run();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('Expected a refusal');
}

async function* yieldNothing(): AsyncIterable<never> {}
