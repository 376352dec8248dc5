import { describe, expect, test } from 'vitest';

import { parseScopes } from '../../src/auth/scope.ts';
import type { Token } from '../../src/auth/token.ts';
import { TokenCache, type TokenKey } from '../../src/auth/token-cache.ts';
import { LIMITS } from '../../src/limits.ts';
import { instantClock, type InstantClock } from '../support/clock.ts';

const KEY: TokenKey = {
  origin: 'https://registry.example',
  identity: 'anonymous',
  realm: 'https://auth.example/token',
  service: 's',
  scopes: parseScopes('repository:a:pull,push'),
};

function counter(
  clock: InstantClock,
  lifeMs: number,
): { fetch: () => Promise<Token>; count: () => number } {
  let count = 0;
  return {
    count: () => count,
    async fetch() {
      count += 1;
      return { value: `token-${count}`, obtainedAt: clock.now(), expiresAt: clock.now() + lifeMs };
    },
  };
}

describe('TokenCache', () => {
  test('get() fetches once for parallel calls', async () => {
    const clock = instantClock();
    const tokens = new TokenCache(clock);
    const { fetch, count } = counter(clock, 60_000);
    const values = await Promise.all(Array.from({ length: 5 }, () => tokens.get(KEY, fetch)));
    expect(new Set(values).size).toBe(1);
    expect(count()).toBe(1);
  });

  test('get() finds a token for scopes in another order', async () => {
    const clock = instantClock();
    const tokens = new TokenCache(clock);
    const { fetch, count } = counter(clock, 60_000);
    await tokens.get(KEY, fetch);
    await tokens.get({ ...KEY, scopes: parseScopes('repository:a:push,pull') }, fetch);
    expect(count()).toBe(1);
  });

  test.each<[string, Partial<TokenKey>]>([
    ['registry', { origin: 'https://registry.example:8443' }],
    ['credential', { identity: 'x' }],
    ['realm', { realm: 'https://auth.example/other' }],
    ['service', { service: undefined }],
    ['repository', { scopes: parseScopes('repository:b:pull,push') }],
    ['set of actions', { scopes: parseScopes('repository:a:pull') }],
  ])('get() returns no token of another %s', async (_part, other) => {
    const clock = instantClock();
    const tokens = new TokenCache(clock);
    const { fetch } = counter(clock, 60_000);
    const first = await tokens.get(KEY, fetch);
    expect(await tokens.get({ ...KEY, ...other }, fetch)).not.toBe(first);
  });

  test.each([
    [60_000, 49_999, 50_000],
    [3000, 2249, 2250],
    [3_600_000, 3_589_999, 3_590_000],
  ])('get() renews a token of %d ms after %d ms', async (life, still, due) => {
    const clock = instantClock();
    const tokens = new TokenCache(clock);
    const { fetch, count } = counter(clock, life);
    await tokens.get(KEY, fetch);
    clock.advance(still);
    await tokens.get(KEY, fetch);
    expect(count()).toBe(1);
    clock.advance(due - still);
    await tokens.get(KEY, fetch);
    expect(count()).toBe(2);
  });

  test('get() does not cache a failure', async () => {
    const clock = instantClock();
    const tokens = new TokenCache(clock);
    await expect(tokens.get(KEY, () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect((await tokens.get(KEY, counter(clock, 1000).fetch)).value).toBe('token-1');
  });

  test('forget() drops the refused token, but no newer one', async () => {
    const clock = instantClock();
    const tokens = new TokenCache(clock);
    const { fetch, count } = counter(clock, 60_000);
    const first = await tokens.get(KEY, fetch);
    tokens.forget(KEY, first);
    await tokens.get(KEY, fetch);
    tokens.forget(KEY, first);
    await tokens.get(KEY, fetch);
    expect(count()).toBe(2);
  });

  test('get() rejects only the caller that aborts', async () => {
    const clock = instantClock();
    const tokens = new TokenCache(clock);
    const controller = new AbortController();
    const gate = deferred<Token>();
    const seen: AbortSignal[] = [];
    const fetch = (signal: AbortSignal): Promise<Token> => {
      seen.push(signal);
      return gate.promise;
    };
    const leaving = tokens.get(KEY, fetch, controller.signal);
    const staying = tokens.get(KEY, fetch);
    controller.abort(new Error('enough'));
    await expect(leaving).rejects.toThrow('enough');
    expect(seen[0]?.aborted).toBe(false);
    const token = await counter(clock, 60_000).fetch();
    gate.resolve(token);
    expect(await staying).toBe(token);
  });

  test('get() aborts the fetch when all callers have left', async () => {
    const tokens = new TokenCache(instantClock());
    const controller = new AbortController();
    const seen: AbortSignal[] = [];
    const leaving = tokens.get(
      KEY,
      (signal) => {
        seen.push(signal);
        return new Promise<Token>((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        );
      },
      controller.signal,
    );
    controller.abort(new Error('enough'));
    await expect(leaving).rejects.toThrow('enough');
    expect(seen[0]?.aborted).toBe(true);
  });

  test('get() caches a bounded number of tokens, and drops the oldest', async () => {
    const clock = instantClock();
    const tokens = new TokenCache(clock);
    const { fetch, count } = counter(clock, 3_600_000);
    const keyOf = (index: number): TokenKey => ({
      ...KEY,
      scopes: parseScopes(`repository:r${index}:pull`),
    });
    for (let index = 0; index <= LIMITS.tokens; index += 1) await tokens.get(keyOf(index), fetch);
    await tokens.get(keyOf(1), fetch);
    expect(count()).toBe(LIMITS.tokens + 1);
    await tokens.get(keyOf(0), fetch);
    expect(count()).toBe(LIMITS.tokens + 2);
  });
});

function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let settle: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, resolve: (value) => settle(value) };
}
