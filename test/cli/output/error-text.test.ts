import { describe, expect, test } from 'vitest';

import { errorText } from '../../../src/cli/output/error-text.ts';
import { EXIT_STATUS, RegiError, type ErrorCode } from '../../../src/errors.ts';
import { CopyError } from '../../../src/operations/copy/copy-image.ts';

class AnyError extends RegiError {
  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause });
  }
}

const CODES = Object.keys(EXIT_STATUS) as readonly ErrorCode[];

describe('errorText()', () => {
  test.each(CODES.filter((code) => code !== 'INTERRUPTED'))(
    'says what to type for %s, also where the error itself does not',
    (code) => {
      const lines = errorText(new AnyError(code, 'Cannot do it:\nof two lines')).split('\n');
      expect(lines).toEqual([
        'regi: Cannot do it: of two lines',
        expect.stringMatching(/^ {2}\S.*[^.]$/),
      ]);
    },
  );

  test('says nothing to type to somebody who pressed Ctrl-C', () => {
    expect(errorText(new AnyError('INTERRUPTED', 'Interrupted by SIGINT'))).toBe(
      'regi: Interrupted by SIGINT',
    );
  });

  test('says with --verbose why, unless the first line has said it', () => {
    const lost = new AnyError(
      'NETWORK',
      'Cannot read "x": the connection was cut',
      new Error('read ECONNRESET'),
    );
    expect(errorText(new CopyError('b.example/x:1', lost), true).split('\n').slice(2)).toEqual([
      '  because: read ECONNRESET',
    ]);
  });

  test('shows the stack of a bug, and asks to report it', () => {
    const text = errorText(new TypeError('x is not a function'));
    expect(text).toMatch(
      /^regi: Unexpected TypeError: x is not a function\n {2}this is a fault of regi: please report it.*\n {2}at /,
    );
  });
});
