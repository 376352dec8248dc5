import { setImmediate } from 'node:timers/promises';

import type { Bytes } from '../store.ts';

/**
 * The same bytes; iteration rejects with the signal's reason as soon as it aborts, also while the producer is silent.
 *
 * The producer is told to close. One that listens to the same signal has run its `finally` by then; one that does not may still
 * hang, and is not waited for.
 */
export function abortable(content: Bytes, signal: AbortSignal | undefined): Bytes {
  if (signal === undefined) return content;
  return {
    async *[Symbol.asyncIterator]() {
      signal.throwIfAborted();
      const iterator = content[Symbol.asyncIterator]();
      const abort = abortOf(signal);
      let open = true;
      try {
        for (;;) {
          const next = await Promise.race([iterator.next(), abort.promise]);
          if (next === 'aborted') signal.throwIfAborted();
          else if (next.done === true) {
            open = false;
            return;
          } else yield next.value;
        }
      } catch (error) {
        open = signal.aborted;
        signal.throwIfAborted();
        throw error;
      } finally {
        abort.forget();
        if (open) await close(iterator, signal);
      }
    },
  };
}

async function close(iterator: AsyncIterator<Uint8Array>, signal: AbortSignal): Promise<void> {
  const closed = iterator.return?.();
  if (closed === undefined) return;
  if (!signal.aborted) {
    await closed;
    return;
  }
  // What the producer throws while it is told to stop is the abort's own echo; the caller gets the signal's reason.
  const settled = closed.then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([settled, setImmediate()]);
}

function abortOf(signal: AbortSignal): { readonly promise: Promise<'aborted'>; readonly forget: () => void } {
  const { promise, resolve } = withResolvers();
  const onAbort = (): void => resolve('aborted');
  signal.addEventListener('abort', onAbort, { once: true });
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}

function withResolvers(): { readonly promise: Promise<'aborted'>; readonly resolve: (value: 'aborted') => void } {
  let resolve: (value: 'aborted') => void = () => undefined;
  const promise = new Promise<'aborted'>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
