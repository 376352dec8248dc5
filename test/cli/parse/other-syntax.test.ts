import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { translateFlags } from '../../../src/cli/parse/other-syntax.ts';
import type { CommandSpec } from '../../../src/command.ts';
import { COMMANDS } from '../../../src/commands/index.ts';
import { outcomeOf } from '../../support/outcome.ts';

const A = 'docker://a.example/app:1';
const B = 'b.example:5000/app:1';

describe('translateFlags()', () => {
  test.each([
    ['copy', ['--all', A, B], [A, B]],
    ['copy', ['-j', '4', A, B], ['--concurrency', '4', A, B]],
    ['copy', ['--jobs=4', A, B], ['--concurrency', '4', A, B]],
    ['copy', ['--retry-times', '3', A, B], ['--retry', '3', A, B]],
    ['copy', ['-r', A, B], ['--referrers', A, B]],
    ['copy', ['--preserve-digests', A, B], [A, B]],
    ['copy', ['--override-arch', 'arm64', A, B], ['--platform', 'arm64', A, B]],
    ['verify', ['--remote', A], [A]],
    ['import', ['-i', 'x.tar'], ['x.tar']],
    ['import', ['--input=x.tar'], ['x.tar']],
    ['serve', ['--port', '5001', '--memory'], ['--listen', '127.0.0.1:5001', '--memory']],
    ['serve', ['-p', '5001'], ['--listen', '127.0.0.1:5001']],
    ['images', ['--all', '-f', 'x'], ['--all', '-f', 'x']],
    ['logout', ['--all'], ['--all']],
    ['copy', ['--', '-r', A], ['--', '-r', A]],
    ['copy', ['--annotation-like', A], ['--annotation-like', A]],
    ['export', [A, '-o', '-r'], [A, '-o', '-r']],
    ['tags list', ['--all', A], ['--all', A]],
  ])('D18: regi %s %j becomes %j', (name, words, expected) => {
    expect(translateFlags(specOf(name), words)).toEqual(expected);
  });

  test.each([
    ['copy', ['--src-tls-verify=false', A, B], ['a.example']],
    ['copy', ['--dest-tls-verify=false', A, B], ['b.example:5000']],
    [
      'copy',
      ['--src-tls-verify=false', '--dest-tls-verify=false', A, B],
      ['a.example', 'b.example:5000'],
    ],
    ['copy', ['--insecure', '--platform', 'c.example/x', A, 'oci:d.example/x'], ['a.example']],
    ['inspect', ['--tls-verify=false', A], ['a.example']],
    ['repos list', ['--insecure', 'a.example:5000'], ['a.example:5000']],
    ['login', ['--tls-verify=false', 'https://a.example'], ['a.example']],
    ['tags list', ['--tls-verify=true', A], []],
    ['tags list', ['--tls-verify', A], []],
    ['tags list', ['--insecure=false', A], []],
  ])('regi %s %j skips verification of %j and of no other host', (name, words, hosts) => {
    const translated = translateFlags(specOf(name), words);
    expect(translated.filter((_, at) => translated[at - 1] === '--insecure-registry')).toEqual(
      hosts,
    );
    expect(translated.join(' ')).not.toMatch(/tls-verify|--insecure(?!-registry)/);
  });

  test('refuses to skip verification where no argument names a registry', () => {
    expect(() => translateFlags(specOf('inspect'), ['--insecure', 'debian:12'])).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('name the host') }),
    );
  });

  test('changes no words that are those of regi', () => {
    const plain = fc.array(
      fc.oneof(fc.string(), fc.constantFrom('--force', '--platform', '-o', '--json', '--', A)),
    );
    const other =
      /^(?:-[jripa]|--(?:all|multi|pres|jobs|retry-t|over|rec|digest-t|inp|port|remote|tls-v|ins|allow|src-t|from-i|dest-t|to-i))/;
    fc.assert(
      fc.property(plain, (words) => {
        fc.pre(!words.some((word) => other.test(word)));
        expect(translateFlags(specOf('copy'), words)).toEqual(words);
      }),
    );
  });

  test('throws a UsageError or nothing on any words', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        expect(outcomeOf(() => translateFlags(specOf('copy'), words))).toBeDefined();
      }),
    );
  });
});

function specOf(name: string): CommandSpec {
  const spec = COMMANDS.find((candidate) => candidate.name === name);
  if (spec === undefined) throw new Error(`Unexpected command ${name}`);
  return spec;
}
