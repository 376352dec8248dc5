import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { printable, redactHeader, redactUrl, secretsIn, withoutSecrets } from '../src/redact.ts';

describe('redactUrl()', () => {
  test.each([
    [
      'https://registry.test:5000/v2/a/tags/list?n=100&last=b',
      'https://registry.test:5000/v2/a/tags/list?n=100&last=b',
    ],
    ['https://user:hunter2@registry.test/v2/', 'https://***@registry.test/v2/'],
    ['https://hunter2@registry.test/v2/', 'https://***@registry.test/v2/'],
    [
      'https://s3.test/x?X-Amz-Date=1&X-Amz-Signature=hunter2',
      'https://s3.test/x?X-Amz-Date=1&X-Amz-Signature=***',
    ],
    ['https://blob.test/x?sv=2020&sig=hunter2', 'https://blob.test/x?sv=***&sig=***'],
    [
      'https://registry.test/v2/a/blobs/uploads/1?_state=hunter2',
      'https://registry.test/v2/a/blobs/uploads/1?_state=***',
    ],
    [
      'https://auth.test/token?service=s&scope=repository:a:pull&password=hunter2',
      'https://auth.test/token?service=s&scope=repository:a:pull&password=***',
    ],
    ['https://cdn.test/x?hunter2', 'https://cdn.test/x?***'],
    ['https://cdn.test/x#hunter2', 'https://cdn.test/x'],
    [
      '/v2/a/blobs/uploads/1?_state=hunter2&digest=sha256:ab',
      '/v2/a/blobs/uploads/1?_state=***&digest=sha256:ab',
    ],
    ['//user:hunter2@cdn.test/x?token=hunter2', '//***@cdn.test/x?token=***'],
    ['https://user:hunter2@[bad/x', 'https://***@[bad/x'],
    ['data:text/plain,hunter2', 'data:***'],
  ])('redactUrl() makes of %s %s', (url, expected) => {
    expect(redactUrl(url)).toBe(expected);
  });

  test('redactUrl() takes a URL', () => {
    expect(redactUrl(new URL('https://registry.test/?token=x'))).toBe(
      'https://registry.test/?token=***',
    );
  });

  test('redactUrl() shows no user, password or unknown parameter, whatever they are', () => {
    const secret = fc.stringMatching(/^[A-Z]{12}$/);
    const name = fc
      .stringMatching(/^[a-z_]{1,12}$/)
      .filter((text) => redactUrl(`/?${text}=1`).includes('***'));
    fc.assert(
      fc.property(secret, name, fc.boolean(), (text, parameter, isRelative) => {
        const tail = `/v2/?${parameter}=${text}&${text}`;
        expect(
          redactUrl(isRelative ? tail : `https://${text}:${text}@registry.test${tail}#${text}`),
        ).not.toContain(text);
      }),
    );
  });
});

describe('redactHeader()', () => {
  test.each([
    ['Authorization', 'Bearer hunter2', 'Bearer ***'],
    ['authorization', 'Basic hunter2', 'Basic ***'],
    ['authorization', 'hunter2', '***'],
    ['Set-Cookie', 'a=hunter2', '***'],
    ['X-Amz-Security-Token', 'hunter2', '***'],
    ['Private-Token', 'hunter2', '***'],
    ['x-api-key', 'hunter2', '***'],
    ['Location', '/uploads/1?_state=hunter2', '/uploads/1?_state=***'],
    [
      'Link',
      '</v2/_catalog?n=1&token=hunter2>; rel="next"',
      '</v2/_catalog?n=1&token=***>; rel="next"',
    ],
    [
      'WWW-Authenticate',
      'Bearer realm="https://u:hunter2@auth.test/token",service="s"',
      'Bearer realm="https://***@auth.test/token",service="s"',
    ],
    ['Content-Type', 'application/json', 'application/json'],
    ['Docker-Content-Digest', 'sha256:ab', 'sha256:ab'],
    ['X-Odd', 'a\u001b[2Jb', 'a\\x1b[2Jb'],
  ])('redactHeader() of %s: %s is %s', (name, value, expected) => {
    expect(redactHeader(name, value)).toBe(expected);
  });
});

describe('printable()', () => {
  test.each([
    ['plain text, é, 漢字', 'plain text, é, 漢字'],
    ['a\nb\r\tc', 'a\\nb\\r\\tc'],
    ['\u001b[31mred\u0007', '\\x1b[31mred\\x07'],
    ['\u009b31m\u007f', '\\x9b31m\\x7f'],
    ['abc\u202edef\u2066', 'abc\\u{202e}def\\u{2066}'],
    ['a\u200bb\ufeffc\u2028', 'a\\u{200b}b\\u{feff}c\\u{2028}'],
    ['\ud800', '\\u{d800}'],
    ['\u{e0041}', '\\u{e0041}'],
  ])('printable() shows %j as %s', (text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  test('printable() cuts a long text', () => {
    expect(printable('abcdef', 3)).toBe('abc…');
  });

  test('printable() leaves nothing that a terminal would obey', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(printable(text))).toBe(false);
      }),
    );
  });
});

describe('withoutSecrets()', () => {
  test.each([
    ['token abc123 is wrong', ['abc123'], 'token *** is wrong'],
    ['a1 a1', ['a1'], 'a1 a1'],
    [`invalid: Bearer ${'x'.repeat(20)}.`, [], 'invalid: Bearer ***'],
    ['basic authentication is required', [], 'basic authentication is required'],
    [
      'Bearer realm="https://auth.example/token",service="registry.example.of.somebody"',
      [],
      'Bearer realm="https://auth.example/token",service="registry.example.of.somebody"',
    ],
    ['$& $1', ['$&xx'], '$& $1'],
  ])('%s', (text, secrets, expected) => {
    expect(withoutSecrets(text, secrets)).toBe(expected);
  });

  test('leaves no secret that it was told of', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string({ minLength: 4 }),
        fc.string(),
        (before, secret, after) => {
          fc.pre(!'***'.includes(secret));
          expect(
            withoutSecrets(before + secret + after, [secret]).includes(secret) &&
              !`${before}***${after}`.includes(secret),
          ).toBe(false);
        },
      ),
    );
  });
});

describe('secretsIn()', () => {
  test.each([
    [undefined, []],
    ['Bearer abc', ['abc']],
    [
      `Basic ${Buffer.from('u:p:q').toString('base64')}`,
      [Buffer.from('u:p:q').toString('base64'), 'p:q'],
    ],
    ['nonsense', []],
  ])('%s', (header, expected) => {
    expect(secretsIn(header)).toEqual(expected);
  });
});
