import { setImmediate } from 'node:timers/promises';

import type { Bytes } from './store.ts';

/**
 * Makes content abortable: iteration rejects with the signal's reason as soon as it aborts, also
 * while the producer is silent.
 *
 * The producer is closed. One that listens to the same signal has run its `finally` by then;
 * another one may hang, and is not waited for.
 */
export function abortable(content: Bytes, signal: AbortSignal | undefined): Bytes {
  if (signal === undefined) return content;
  return {
    async *[Symbol.asyncIterator]() {
      signal.throwIfAborted();
      const iterator = content[Symbol.asyncIterator]();
      const abort = watch(signal);
      let open = true;
      try {
        for (;;) {
          const next = await abort.orResult(iterator.next());
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
  // An error of the producer while it closes is a result of the abort; the caller gets the signal's
  // reason.
  const settled = closed.then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([settled, setImmediate()]);
}

interface AbortWatch {
  readonly orResult: <T>(result: Promise<T>) => Promise<T | 'aborted'>;
  readonly forget: () => void;
}

/**
 * Not `Promise.race()` with one promise for the abort: each race adds its result to that promise,
 * which would keep every chunk in memory until the end.
 */
function watch(signal: AbortSignal): AbortWatch {
  let abort = (): void => undefined;
  const onAbort = (): void => abort();
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    orResult: (result) =>
      new Promise((resolve, reject) => {
        abort = () => resolve('aborted');
        if (signal.aborted) abort();
        result.then(resolve, reject);
      }),
    forget: () => {
      abort = () => undefined;
      signal.removeEventListener('abort', onAbort);
    },
  };
}
