import { expect, test } from 'vitest';

import { eitherSignal } from '../../src/concurrency/together.ts';

test('eitherSignal() aborts with the first signal, for the same reason', () => {
  const [first, second] = [new AbortController(), new AbortController()];
  const either = eitherSignal(first.signal, undefined, second.signal);
  const reasons: unknown[] = [];
  // Node 24 looks for the reason when it is first asked for, unless somebody listens.
  either.addEventListener('abort', () => reasons.push(either.reason));
  expect(either.aborted).toBe(false);
  second.abort('second');
  first.abort('first');
  expect([...reasons, either.reason]).toEqual(['second', 'second']);
});

test('eitherSignal() takes hundreds of listeners without a warning of Node', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', onWarning);
  const either = eitherSignal(new AbortController().signal);

  for (let count = 0; count < 500; count += 1) either.addEventListener('abort', () => count);
  // Node tells of it in the turn after.
  await new Promise((resolve) => setImmediate(resolve));

  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
});
