import { describe, expect, test } from 'vitest';

import { errorText } from '../../../src/cli/output/error-text.ts';
import { EXIT_STATUS, RegiError, type ErrorCode } from '../../../src/errors.ts';
import { CopyError } from '../../../src/operations/copy/copy-image.ts';
import { plainText } from '../../../src/styled.ts';

class AnyError extends RegiError {
  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause });
  }
}

const CODES = Object.keys(EXIT_STATUS) as readonly ErrorCode[];

describe('errorText()', () => {
  test.each(CODES.filter((code) => code !== 'INTERRUPTED'))(
    'errorText() has a hint for %s even if the error has none',
    (code) => {
      const lines = plainText(errorText(new AnyError(code, 'Cannot do it:\nof two lines'))).split(
        '\n',
      );
      expect(lines).toEqual([
        'regi: Cannot do it: of two lines',
        expect.stringMatching(/^ {2}\S.*[^.]$/),
      ]);
    },
  );

  test('errorText() has no hint after Ctrl-C', () => {
    expect(plainText(errorText(new AnyError('INTERRUPTED', 'Interrupted by SIGINT')))).toBe(
      'regi: Interrupted by SIGINT',
    );
  });

  test('errorText() lists causes with --verbose, except those in the first line', () => {
    const lost = new AnyError(
      'NETWORK',
      'Cannot read "x": the connection was cut',
      new Error('read ECONNRESET'),
    );
    expect(
      plainText(errorText(new CopyError('b.example/x:1', lost), true))
        .split('\n')
        .slice(2),
    ).toEqual(['  because: read ECONNRESET']);
  });

  test('errorText() prints the stack of a bug, and asks to report it', () => {
    const text = plainText(errorText(new TypeError('x is not a function')));
    expect(text).toMatch(
      /^regi: Unexpected TypeError: x is not a function\n {2}this is a bug in regi: please report it.*\n {2}at /,
    );
  });
});
