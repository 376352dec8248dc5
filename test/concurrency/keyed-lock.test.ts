import { expect, test } from 'vitest';

import { KeyedLock } from '../../src/concurrency/keyed-lock.ts';
import { deferred } from '../support/deferred.ts';

test('run() runs one task at a time for a key, in order', async () => {
  const lock = new KeyedLock();
  const steps: string[] = [];
  const task = (name: string) => async (): Promise<void> => {
    steps.push(`${name} begins`);
    await Promise.resolve();
    steps.push(`${name} ends`);
  };
  await Promise.all([lock.run('k', task('a')), lock.run('k', task('b'))]);
  expect(steps).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

test('run() lets no key wait for another', async () => {
  const lock = new KeyedLock();
  const gate = deferred();
  const held = lock.run('a', () => gate.promise);
  expect(await lock.run('b', async () => 'done')).toBe('done');
  gate.resolve();
  await held;
});

test('run() continues after a failed task', async () => {
  const lock = new KeyedLock();
  const failed = lock.run('k', async () => {
    throw new Error('x');
  });
  const next = lock.run('k', async () => 'done');
  await expect(failed).rejects.toThrow('x');
  expect(await next).toBe('done');
});
