import { expect, test } from 'vitest';

import { NotAuthorisedError } from '../../src/auth/not-authorised.ts';

const REASON = { host: 'r.test', status: 403, detail: 'DENIED "quota exceeded"' };

test.each([
  [undefined, 'regi login r.test'],
  [{ origin: 'config.json', refused: false }, undefined],
  [{ origin: 'config.json', refused: true }, expect.stringContaining('check user and password')],
])('B8: a 403 with a reason and the credentials %j has the hint %j', (tried, hint) => {
  const { message, hint: shown } = new NotAuthorisedError({ ...REASON, tried });
  expect([message, shown]).toEqual([
    expect.stringMatching(
      /^Cannot access "r\.test": "r\.test" refused it: DENIED "quota exceeded"/,
    ),
    hint,
  ]);
});
