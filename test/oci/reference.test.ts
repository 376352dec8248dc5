import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { digestOf } from '../../src/oci/digest.ts';
import {
  apiHost,
  familiarReference,
  formatReference,
  identifierOf,
  InvalidReferenceError,
  isTag,
  parseReference,
  parseRepository,
  parseTag,
  pullReference,
  referenceIn,
  type Reference,
  withDefaultTag,
} from '../../src/oci/reference.ts';
import { outcomeOf } from '../support/outcome.ts';
import table from '../tables/references.json' with { type: 'json' };

const HEX = 'a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4';
const DIGEST = `sha256:${HEX}`;

const PART_OF = {
  'uppercase-path': 'repository',
  'path-too-long': 'repository',
  'bare-64-hex': 'reference',
  'digest-algorithm': 'digest',
  'digest-length': 'digest',
  'digest-not-lower-hex': 'digest',
} as const;

describe('parseReference() reads as docker', () => {
  test.each(table.cases.filter((row) => row.valid))('takes $in', (row) => {
    const reference = parseReference(row.in);
    expect({
      in: row.in,
      valid: true,
      domain: reference.domain,
      path: reference.path,
      tag: reference.tag ?? null,
      digest: reference.digest ?? null,
      canonical: formatReference(reference),
      withDefaultTag: formatReference(withDefaultTag(reference)),
      familiar: familiarReference(reference),
      pullRef: formatReference(pullReference(reference)),
      apiHost: apiHost(reference.domain),
    }).toEqual(row);
  });

  test.each(table.cases.filter((row) => !row.valid))('refuses "$in"', (row) => {
    const error = failureOf(row.in);
    expect(error.part).toBe(PART_OF[row.error as keyof typeof PART_OF] ?? error.part);
    expect(error.hint).toMatch(/^write /);
  });
});

describe('parseReference() names the wrong part and hints at the form', () => {
  test.each([
    ['foo/Bar', 'Repository names are lower-case: "foo/Bar"', 'write "foo/bar"'],
    [
      'Docker/Docker:1',
      'Repository names are lower-case: "Docker/Docker:1"',
      'write "docker/docker:1"',
    ],
    [
      'Registry.Local:5000/App:V1',
      'Repository names are lower-case: "Registry.Local:5000/App:V1"',
      'write "Registry.Local:5000/app:V1"',
    ],
    ['Foo_x/bar', 'Repository names are lower-case: "Foo_x/bar"', 'write "foo_x/bar"'],
    [
      HEX,
      `Cannot parse reference "${HEX}": 64 hex digits alone name no repository`,
      `write NAME@sha256:${HEX}`,
    ],
    [
      'https://reg.example/app',
      'Cannot parse reference "https://reg.example/app": a reference has no scheme',
      'write "reg.example/app"',
    ],
    [
      'ubuntu:',
      'Cannot parse reference "ubuntu:": expected a tag after ":"',
      'write a tag after the ":", or drop the ":"',
    ],
    [' ubuntu', 'Cannot parse reference " ubuntu": expected no blanks around it', 'write "ubuntu"'],
    [
      'reg.example:abc/app',
      'Cannot parse reference "reg.example:abc/app": expected a port number after ":", found "abc"',
      'write ":" only before a port, as in HOST:5000/NAME, and before the tag at the end',
    ],
    [
      'fe80::1/app',
      'Cannot parse reference "fe80::1/app": expected one ":" and a port in "fe80::1"',
      'write an IPv6 address in brackets: [fc00::1]:5000/NAME',
    ],
    [
      'app@sha256:abcd',
      'Cannot parse reference "app@sha256:abcd": in its digest, expected 64 hex digits, found 4 characters',
      'write @sha256:<64 hex> or @sha512:<128 hex>, in lower case',
    ],
    [
      `app@${DIGEST}:1`,
      `Cannot parse reference "app@${DIGEST}:1": expected the tag before the digest`,
      'write NAME:TAG@DIGEST',
    ],
    [
      'a..b',
      'Cannot parse reference "a..b": expected one ".", one or two "_", or some "-" between letters and digits, found "a..b"',
      undefined,
    ],
    [
      '-app',
      'Cannot parse reference "-app": expected a letter or digit at both ends of "-app"',
      undefined,
    ],
    ['a//b', 'Cannot parse reference "a//b": expected a name on both sides of each "/"', undefined],
    [
      'a?x=1',
      'Cannot parse reference "a?x=1": expected a-z, 0-9, ".", "_", "-" and "/" in a repository name, found "?"',
      undefined,
    ],
    ['', 'Cannot parse reference "": expected the name of an image, found nothing', undefined],
  ])('%s', (text, message, hint) => {
    const error = failureOf(text);
    expect(error.message).toBe(message);
    expect(error.hint).toBe(hint ?? 'write [HOST[:PORT]/]NAME[:TAG][@DIGEST]');
  });

  test('refuses a reference without a registry, which docker accepts', () => {
    expect(failureOf('foo_bar.example/app').part).toBe('registry');
  });

  test('a digest that cannot be verified is refused', () => {
    expect(failureOf(`app@sha384:${'a'.repeat(96)}`).part).toBe('digest');
  });
});

describe('parseReference() never repeats a password', () => {
  test.each([
    'https://user:hunter2@reg.example/app',
    'https://user:hun/hunter2@reg.example/app',
    'https://user:hunter2@reg.example',
    'user:hunter2@reg.example/app:1',
    'user:hunter2@reg.example',
    'user:hunter2@reg.example:5000',
    'user:hunter2@localhost',
    `user:hunter2@reg.example/app@${DIGEST}`,
    ' user:hunter2@reg.example/app',
    'u$er:hunter2$@localhost:5000',
    'https://reg.example/app?token=hunter2',
  ])('%s', (text) => {
    const { message, hint } = failureOf(text);
    expect(`${message} ${hint}`).not.toContain('hunter2');
  });
});

describe('parseReference() on any text', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom(
        'a',
        'B',
        '0',
        ':',
        '/',
        '@',
        '.',
        '-',
        '_',
        '[',
        ']',
        'sha256',
        DIGEST,
        ' ',
        '%',
        '\n',
      ),
    }),
  );

  test('returns a value or throws a RegiError', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(outcomeOf(() => parseReference(text))).toBeDefined();
        expect(outcomeOf(() => parseRepository(text))).toBeDefined();
        expect(outcomeOf(() => parseTag(text))).toBeDefined();
      }),
    );
  });

  test('round-trips through formatReference() and familiarReference()', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const reference = referenceIn(text) ?? parseReference('app');
        expect(parseReference(formatReference(reference))).toEqual(reference);
        expect(parseReference(familiarReference(reference))).toEqual(reference);
      }),
      { numRuns: 2000 },
    );
  });

  test('returns parts that cannot leave a URL path', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const reference = referenceIn(text) ?? parseReference('app');
        expect(`${reference.path}/${identifierOf(reference)}`).toMatch(
          /^(?!.*(?:^|\/)\.\.?(?:\/|$))[A-Za-z0-9_.:/-]+$/,
        );
      }),
    );
  });

  test.each([
    'a'.repeat(1_000_000),
    'a-'.repeat(500_000),
    'a.'.repeat(500_000),
    `${'a-'.repeat(500_000)}/b`,
    '@'.repeat(1_000_000),
    'a://'.repeat(250_000),
    '/'.repeat(1_000_000),
  ])('ends soon however long it is (%#)', (text) => {
    const start = performance.now();
    expect(outcomeOf(() => parseReference(text))).toBeDefined();
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  test('shows no more than the beginning of a long text', () => {
    expect(failureOf('A'.repeat(100_000)).message.length).toBeLessThan(300);
  });
});

describe('formatReference()', () => {
  test('parses back to the same reference with any parts', () => {
    fc.assert(
      fc.property(references(), (reference) => {
        expect(parseReference(formatReference(reference))).toEqual(reference);
      }),
    );
  });
});

describe('familiarReference()', () => {
  test('parses back to the same reference with any parts', () => {
    fc.assert(
      fc.property(references(), (reference) => {
        expect(parseReference(familiarReference(reference))).toEqual(reference);
      }),
    );
  });

  test('keeps the domain when the short form would be another image', () => {
    expect(familiarReference(parseReference('docker.io/localhost/app'))).toBe(
      'docker.io/localhost/app',
    );
    expect(familiarReference(parseReference('docker.io/a.b/c:1'))).toBe('docker.io/a.b/c:1');
    expect(familiarReference(parseReference(`docker.io/${HEX}`))).toBe(`docker.io/${HEX}`);
  });
});

describe('parseRepository()', () => {
  test('returns domain and path', () => {
    expect(parseRepository('reg.example:5000/team/app')).toEqual({
      domain: 'reg.example:5000',
      path: 'team/app',
    });
  });

  test.each([
    ['ubuntu:22.04', 'expected a name alone, found tag "22.04"', 'write "ubuntu"'],
    [`ubuntu:22.04@${DIGEST}`, 'expected a name alone, found a digest', 'write "ubuntu"'],
    [
      'reg.example:5000/team/app:12',
      'expected a name alone, found tag "12"',
      'write "reg.example:5000/team/app"',
    ],
    [
      'localhost:5000',
      'expected a name alone, found tag "5000"',
      'write "localhost:5000/NAME" for a repository of that registry',
    ],
  ])('refuses %s', (text, problem, hint) => {
    const error = failureOf(text, parseRepository);
    expect(error.message).toBe(`Cannot parse repository ${JSON.stringify(text)}: ${problem}`);
    expect(error.hint).toBe(hint);
  });
});

describe('parseTag()', () => {
  test.each(['1', '_x', 'V1.2-rc_1', 'a'.repeat(128)])('takes %s', (text) => {
    expect(parseTag(text)).toBe(text);
    expect(isTag(text)).toBe(true);
  });

  test.each(['', '.x', '-x', 'a/b', 'a:b', 'ü', 'a\n', 'a'.repeat(129)])('refuses %j', (text) => {
    expect(() => parseTag(text)).toThrow(InvalidReferenceError);
    expect(isTag(text)).toBe(false);
  });
});

describe('identifierOf()', () => {
  test('prefers the digest, then the tag, then latest', () => {
    expect(identifierOf(parseReference(`app:1@${DIGEST}`))).toBe(DIGEST);
    expect(identifierOf(parseReference('app:1'))).toBe('1');
    expect(identifierOf(parseReference('app'))).toBe('latest');
  });
});

function references(): fc.Arbitrary<Reference> {
  const component = fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:[._]|__|--?)[a-z0-9]{1,4})?$/);
  const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,6}[a-z0-9])?$/);
  const host = fc.oneof(
    fc.constantFrom('localhost', '[fc00::1]', 'docker.io', 'index.example'),
    fc.tuple(label, label).map((labels) => labels.join('.')),
  );
  const domain = fc
    .tuple(host, fc.option(fc.nat(65_535), { nil: undefined }))
    .map(([name, port]) => (port === undefined ? name : `${name}:${port}`));
  const path = fc.array(component, { minLength: 1, maxLength: 4 });
  const tag = fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/), {
    nil: undefined,
  });
  const digest = fc.option(
    fc.uint8Array().map((bytes) => digestOf(bytes)),
    { nil: undefined },
  );
  return fc.record({ domain, path, tag, digest }).map(({ domain, path, tag, digest }) => ({
    domain,
    path:
      domain === 'docker.io' && path.length === 1 ? `library/${path.join('/')}` : path.join('/'),
    ...(tag !== undefined && { tag: parseTag(tag) }),
    ...(digest !== undefined && { digest }),
  }));
}

function failureOf(
  text: string,
  parse: (text: string) => unknown = parseReference,
): InvalidReferenceError {
  const outcome = outcomeOf(() => parse(text));
  if (outcome instanceof InvalidReferenceError) return outcome;
  throw new Error(`expected ${JSON.stringify(text)} to be refused`);
}

describe('referenceIn()', () => {
  test('returns the same as parseReference()', () => {
    expect(referenceIn('alpine:3')).toEqual(parseReference('alpine:3'));
  });

  test.each(['', 'Alpine', '<none>:<none>', '../etc'])('returns undefined for %j', (name) => {
    expect(referenceIn(name)).toBeUndefined();
  });
});
