import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { parseLocation, parseRepositoryLocation } from '../../src/targets/location.ts';
import { RegiError } from '../../src/errors.ts';
import { formatReference } from '../../src/oci/reference.ts';
import { outcomeOf } from '../support/outcome.ts';

const DIGEST = 'sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4';

describe('parseLocation()', () => {
  test.each([
    ['debian', 'registry', 'docker.io/library/debian'],
    ['docker://debian:12', 'registry', 'docker.io/library/debian:12'],
    [`reg.example:5000/a/b:1@${DIGEST}`, 'registry', `reg.example:5000/a/b:1@${DIGEST}`],
    ['localhost:5000/app', 'registry', 'localhost:5000/app'],
    ['oci', 'registry', 'docker.io/library/oci'],
    ['archive/app:1', 'registry', 'docker.io/archive/app:1'],
    ['local:debian:12', 'local', 'docker.io/library/debian:12'],
    [`local:reg.example/app@${DIGEST}`, 'local', `reg.example/app@${DIGEST}`],
  ])('reads %s as a reference', (text, kind, canonical) => {
    const location = parseLocation(text);
    if (location.kind !== 'registry' && location.kind !== 'local')
      throw new Error(`found ${location.kind}`);
    expect([location.kind, formatReference(location.reference)]).toEqual([kind, canonical]);
  });

  test.each([
    ['oci:dir', { kind: 'oci', path: 'dir' }],
    ['oci:./dir', { kind: 'oci', path: './dir' }],
    ['oci:/a/b:1', { kind: 'oci', path: '/a/b', reference: '1' }],
    [
      'oci:dir:reg.example:5000/app:1',
      { kind: 'oci', path: 'dir', reference: 'reg.example:5000/app:1' },
    ],
    [`oci:dir@${DIGEST}`, { kind: 'oci', path: 'dir', digest: DIGEST }],
    [`oci:dir:app:1@${DIGEST}`, { kind: 'oci', path: 'dir', reference: 'app:1', digest: DIGEST }],
    ['oci:/home/me@work/dir:1', { kind: 'oci', path: '/home/me@work/dir', reference: '1' }],
    ['oci:me@work:1', { kind: 'oci', path: 'me@work', reference: '1' }],
    ['oci:C:\\images\\debian', { kind: 'oci', path: 'C:\\images\\debian' }],
    ['oci:c:/images/debian:12', { kind: 'oci', path: 'c:/images/debian', reference: '12' }],
    ['oci:c:12', { kind: 'oci', path: 'c', reference: '12' }],
    ['archive:a.tar', { kind: 'archive', path: 'a.tar' }],
    ['archive:-', { kind: 'archive', path: '-' }],
    ['archive:-:app:1', { kind: 'archive', path: '-', reference: 'app:1' }],
    [`archive:a.tar@${DIGEST}`, { kind: 'archive', path: 'a.tar', digest: DIGEST }],
    ['docker-archive:a.tar:app:1', { kind: 'docker-archive', path: 'a.tar', reference: 'app:1' }],
    ['oci-archive:a.tar:1', { kind: 'oci-archive', path: 'a.tar', reference: '1' }],
    ['dir:/a:b', { kind: 'dir', path: '/a:b' }],
    [`dir:/a@${DIGEST}`, { kind: 'dir', path: '/a', digest: DIGEST }],
  ])('reads %s as a path', (text, location) => {
    expect(parseLocation(text)).toEqual(location);
  });

  test.each([
    [
      './x',
      'expected a prefix that says what the path is',
      'write "oci:./x" for a layout folder, or "archive:./x" for an image file',
    ],
    [
      '/x/a.tar.gz',
      'expected a prefix that says what the path is',
      'write "archive:/x/a.tar.gz" for an image file, or "oci:/x/a.tar.gz" for a layout folder',
    ],
    [
      '../x',
      'expected a prefix that says what the path is',
      'write "oci:../x" for a layout folder, or "archive:../x" for an image file',
    ],
    [
      '~/x',
      'expected a prefix that says what the path is',
      'write "oci:$HOME/x" for a layout folder, or "archive:$HOME/x" for an image file',
    ],
    [
      '.',
      'expected a prefix that says what the path is',
      'write "oci:." for a layout folder, or "archive:." for an image file',
    ],
    [
      'C:\\x',
      'expected a prefix that says what the path is',
      'write "oci:C:\\\\x" for a layout folder, or "archive:C:\\\\x" for an image file',
    ],
    ['oci:', 'expected a path after "oci:"', 'write oci:DIR[:REF|@DIGEST]'],
    ['archive::1', 'expected a path after "archive:"', 'write archive:FILE[:REF|@DIGEST]'],
    ['oci:dir:', 'expected a tag or reference after the last ":"', undefined],
    ['oci:dir:a b', 'expected a tag or reference, found "a b"', undefined],
    ['oci:dir:../x', 'expected a tag or reference, found "../x"', undefined],
    ['oci:a\0b', 'expected a path without NUL characters', undefined],
    [
      'oci:~/x',
      'the shell does not expand "~" there',
      'write "oci:$HOME/x", or "oci:./~…" for a folder of that name',
    ],
    [
      'oci://reg.example/app:1',
      'expected a path after "oci:", found "//"',
      'write "reg.example/app:1" for an image in a registry, or "oci:/reg.example/app:1" for a path',
    ],
    ['file:./x', 'unknown prefix "file:"', undefined],
    ['tar:/x.tar', 'unknown prefix "tar:"', undefined],
  ])('refuses %j and shows what to type', (text, problem, hint) => {
    const error = failureOf(text);
    expect(error.code).toBe('INVALID_REFERENCE');
    expect(error.message).toBe(`Cannot parse location ${JSON.stringify(text)}: ${problem}`);
    expect(error.hint).toContain(hint ?? 'write ');
  });

  test.each([
    'docker-daemon:debian:12',
    'docker-daemon:debian',
    'containers-storage:debian',
    'ostree:x@/y',
    'ocidir://x',
  ])('refuses %s as the prefix of another tool', (text) => {
    const error = failureOf(text);
    expect(error.code).toBe('INVALID_REFERENCE');
    expect(error.message).toContain('regi does not know');
    expect(error.hint).toMatch(/^(write|run) /);
  });

  test('leaves errors in a reference to its parser', () => {
    expect(failureOf('docker://Foo/Bar').message).toBe(
      'Repository names are lower-case: "Foo/Bar"',
    );
    expect(failureOf('https://reg.example/app').hint).toBe('write "reg.example/app"');
    expect(failureOf('oci:dir@sha256:ab').code).toBe('INVALID_DIGEST');
  });

  test('gives a value or a RegiError on any text', () => {
    const piece = fc.constantFrom(
      'oci',
      'archive',
      'dir',
      'local',
      'docker',
      ':',
      '/',
      '//',
      '@',
      DIGEST,
      'sha256',
      'a',
      'C',
      '\\',
      '.',
      '~',
      '\0',
      ' ',
      'constructor',
    );
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: piece })), (text) => {
        for (const parse of [parseLocation, parseRepositoryLocation]) {
          expect(outcomeOf(() => parse(text))).toBeDefined();
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseRepositoryLocation()', () => {
  test('accepts places without the name of an image', () => {
    expect(parseRepositoryLocation('docker://reg.example/app')).toEqual({
      kind: 'registry',
      isExplicit: true,
      reference: { domain: 'reg.example', path: 'app' },
    });
    expect(parseRepositoryLocation('oci:dir')).toEqual({ kind: 'oci', path: 'dir' });
  });

  test.each([
    ['debian:12', 'write "debian"'],
    ['local:debian:12', 'write "debian"'],
    ['oci:dir:12', 'write "oci:dir"'],
    [`archive:a.tar@${DIGEST}`, 'write "archive:a.tar"'],
  ])('refuses %s', (text, hint) => {
    expect(failureOf(text, parseRepositoryLocation).hint).toBe(hint);
  });
});

function failureOf(text: string, parse: (text: string) => unknown = parseLocation): RegiError {
  const outcome = outcomeOf(() => parse(text));
  if (outcome instanceof RegiError) return outcome;
  throw new Error(`expected ${JSON.stringify(text)} to be refused`);
}

describe('a registry without a repository', () => {
  test.each([
    '127.0.0.1:5601',
    '10.0.0.1',
    'localhost:5000',
    'localhost',
    'registry.example:5000',
    'docker://localhost:5000/',
  ])('D9: parseLocation() refuses the registry %s', (text) => {
    for (const parse of [parseLocation, parseRepositoryLocation])
      expect(() => parse(text)).toThrow(
        expect.objectContaining({
          code: 'INVALID_REFERENCE',
          message: expect.stringContaining('it names a registry without a repository') as string,
        }),
      );
  });

  test.each(['debian:12', 'localhost:5000/app', 'docker.io/library/localhost:5000', 'app:2024'])(
    'D9: parseLocation() accepts the image %s',
    (text) => {
      expect(parseLocation(text).kind).toBe('registry');
    },
  );
});
