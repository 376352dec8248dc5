import { setImmediate } from 'node:timers/promises';
import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect, test } from 'vitest';

import { abortable } from '../src/abortable.ts';

v8.setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/**
 * A race with a promise that outlives it holds what it was won by: a pull of a GiB took a GiB of
 * memory.
 */
test('abortable() holds no chunk that was read', async () => {
  const chunks: WeakRef<Uint8Array>[] = [];
  const content = {
    async *[Symbol.asyncIterator]() {
      for (let count = 0; count < 50; count += 1) {
        const chunk = new Uint8Array(10);
        chunks.push(new WeakRef(chunk));
        yield chunk;
      }
    },
  };
  let held = chunks.length;
  for await (const _ of abortable(content, new AbortController().signal)) {
    if (chunks.length < 50) continue;
    await setImmediate();
    collectGarbage();
    held = chunks.filter((chunk) => chunk.deref() !== undefined).length;
  }
  // The last ones are on their way.
  expect(held).toBeLessThan(5);
});
