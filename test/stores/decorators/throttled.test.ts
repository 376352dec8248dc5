import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { createMemoryPlace, createMemoryStore } from '../../../src/stores/memory.ts';
import { createRateLimit, throttled } from '../../../src/stores/decorators/throttled.ts';
import { storeContract } from '../../contract/store-contract.ts';
import { makeBlob } from '../../support/images/images.ts';
import { instantClock } from '../../support/clock.ts';
import { readAll } from '../../support/registries/watched.ts';

storeContract('throttled', async () => {
  const place = createMemoryPlace();
  const limit = createRateLimit(1e12, instantClock());
  return { store: throttled(place.open('app'), limit), sibling: place.open('base') };
});

describe('throttled()', () => {
  test('fetch() takes as long as the rate says', async () => {
    const clock = instantClock();
    const inner = createMemoryStore();
    const { descriptor, bytes } = makeBlob(50_000);
    await inner.push(descriptor, bytesOf(bytes));
    const start = clock.now();
    await readAll(throttled(inner, createRateLimit(10_000, clock)).fetch(descriptor));
    expect(clock.now() - start).toBe(5000);
  });

  test('fetch() passes a large chunk in pieces of a tenth of a second', async () => {
    const inner = createMemoryStore();
    const { descriptor, bytes } = makeBlob(3500);
    await inner.push(descriptor, bytesOf(bytes));
    const sizes: number[] = [];
    for await (const piece of throttled(inner, createRateLimit(10_000, instantClock())).fetch(
      descriptor,
    ))
      sizes.push(piece.byteLength);
    expect(sizes).toEqual([1000, 1000, 1000, 500]);
  });

  test('fetch() of several stores shares one rate', async () => {
    const clock = instantClock();
    const limit = createRateLimit(10_000, clock);
    const start = clock.now();
    const reads = [1, 2, 3].map(async (seed) => {
      const inner = createMemoryStore();
      const { descriptor, bytes } = makeBlob(10_000, seed);
      await inner.push(descriptor, bytesOf(bytes));
      return readAll(throttled(inner, limit).fetch(descriptor));
    });
    await Promise.all(reads);
    expect(clock.now() - start).toBeGreaterThanOrEqual(3000);
  });

  test('fetch() rejects when the signal aborts during a wait', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const clock = {
      ...instantClock(),
      async sleep(_ms: number, signal?: AbortSignal) {
        controller.abort(reason);
        signal?.throwIfAborted();
      },
    };
    const inner = createMemoryStore();
    const { descriptor, bytes } = makeBlob(10_000);
    await inner.push(descriptor, bytesOf(bytes));
    await expect(
      readAll(
        throttled(inner, createRateLimit(1000, clock)).fetch(descriptor, {
          signal: controller.signal,
        }),
      ),
    ).rejects.toBe(reason);
  });
});

describe('createRateLimit()', () => {
  test('take() saves up nothing while idle', async () => {
    const clock = instantClock();
    const limit = createRateLimit(1000, clock);
    clock.advance(60_000);
    await limit.take(500);
    expect(clock.sleeps).toEqual([500]);
  });

  test('take() keeps the order of its callers', async () => {
    const waits: number[] = [];
    const clock = {
      now: () => 0,
      random: () => 0,
      sleep: async (ms: number) => void waits.push(ms),
    };
    const limit = createRateLimit(1000, clock);
    await Promise.all([limit.take(100), limit.take(100), limit.take(100)]);
    expect(waits).toEqual([100, 200, 300]);
  });

  test('take() does not wait out an hour when the clock is set back by one', async () => {
    const clock = instantClock();
    const limit = createRateLimit(1000, clock);
    await limit.take(100);
    clock.advance(-3_600_000);
    await limit.take(100);
    expect(Math.max(...clock.sleeps)).toBeLessThanOrEqual(200);
  });
});
