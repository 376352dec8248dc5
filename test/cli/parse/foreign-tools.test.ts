import { describe, expect, test } from 'vitest';

import { foreignFlagHint } from '../../../src/cli/parse/foreign-tools.ts';
import { parseArguments } from '../../../src/cli/parse/parse-arguments.ts';
import { COMMANDS } from '../../../src/commands/index.ts';
import type { CommandSpec } from '../../../src/command.ts';

describe('parseArguments() with a flag of another tool', () => {
  test.each([
    ['inspect', '--override-os=linux', '--platform OS/ARCH'],
    ['copy', '--cert-dir=certs', '--ca-file FILE'],
    ['attach', '--artifact-type=x', '--type TYPE'],
    ['pull', '--disable-content-trust', 'drop it'],
    ['tags list', '--debug', '-v to log requests'],
  ])('regi %s %s has a hint', (name, flag, hint) => {
    expect(() => parseArguments(specOf(name), [flag, 'a', 'b'])).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: expect.stringContaining('has no such flag'),
        hint: expect.stringContaining(hint),
      }),
    );
  });

  test('prints no value, because it may be a password', () => {
    expect(() =>
      parseArguments(specOf('copy'), ['--dest-username=alice:secret', 'a', 'b']),
    ).toThrow(
      expect.objectContaining({
        message: expect.not.stringContaining('secret'),
        hint: expect.not.stringContaining('secret'),
      }),
    );
  });
});

describe('foreignFlagHint()', () => {
  test('gives no hint about platforms if the command has none', () => {
    expect(foreignFlagHint('--override-os', () => false)).toBeUndefined();
  });

  test.each(COMMANDS.map((spec) => [spec.name, spec] as const))(
    'regi %s: hints name only its own flags',
    (_name, spec) => {
      const words = [
        '--from-plain-http',
        '--arch',
        '--src-authfile',
        '--creds',
        '--cert-dir',
        '--debug',
      ];
      const flags = words.flatMap(
        (flag) => foreignFlagHint(flag, hasOption(spec))?.match(/--[a-z-]+/g) ?? [],
      );
      for (const flag of new Set(flags))
        expect(() => parseArguments(spec, [flag])).not.toThrow(/no such flag/);
    },
  );
});

function hasOption({ options }: CommandSpec): (name: string) => boolean {
  return (name) => options.some((option) => option.name === name);
}

function specOf(name: string): CommandSpec {
  const spec = COMMANDS.find((candidate) => candidate.name === name);
  if (spec === undefined) throw new Error(`No command ${name}`);
  return spec;
}
