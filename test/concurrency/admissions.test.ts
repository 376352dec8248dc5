import { expect, test } from 'vitest';

import { Admissions } from '../../src/concurrency/admissions.ts';

test('isMoving() is true if a request got through since the last call', () => {
  const admissions = new Admissions();
  const turn = admissions.wait('https://a.example');
  const answers = [turn.isMoving()];
  for (const status of [429, 404, 429]) {
    admissions.note('https://a.example', status);
    answers.push(turn.isMoving());
  }
  expect(answers).toEqual([false, false, true, false]);
});

test('isMoving() ignores other origins and earlier requests', () => {
  const admissions = new Admissions();
  admissions.note('https://a.example', 200);
  const turn = admissions.wait('https://a.example');
  admissions.note('https://b.example', 200);
  expect(turn.isMoving()).toBe(false);
});
