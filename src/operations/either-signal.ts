import { setMaxListeners } from 'node:events';

/** A signal that aborts with the first of `signals` that does, and for the same reason. */
export function eitherSignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const either = AbortSignal.any(signals.filter((signal) => signal !== undefined));
  // Every request of an image listens to one. Node sees a leak in more than ten listeners, and says so on standard error,
  // unless it made the signal for an AbortController.
  setMaxListeners(0, either);
  return either;
}
