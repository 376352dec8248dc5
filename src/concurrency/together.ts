import { setMaxListeners } from 'node:events';

type Tasks<Results extends readonly unknown[]> = {
  readonly [Index in keyof Results]: (signal: AbortSignal) => Promise<Results[Index]>;
};

/**
 * Runs a fixed set of tasks in parallel, without a limit. The first failure aborts the others and
 * is thrown once all have settled: no work continues behind an error.
 *
 * @throws the signal's reason when it has aborted, else the first error.
 */
export async function together<Results extends readonly unknown[]>(
  tasks: Tasks<Results>,
  signal: AbortSignal,
): Promise<Results> {
  const failed = new AbortController();
  const either = eitherSignal(signal, failed.signal);
  const settled = await Promise.allSettled(
    tasks.map(async (task) => {
      try {
        return await task(either);
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }),
  );
  signal.throwIfAborted();
  const results = settled.flatMap((outcome) =>
    outcome.status === 'fulfilled' ? [outcome.value] : [],
  );
  if (results.length < settled.length) throw failed.signal.reason;
  return results as unknown as Results;
}

/** Returns a signal that aborts with the first of `signals`, for the same reason. */
export function eitherSignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const either = AbortSignal.any(signals.filter((signal) => signal !== undefined));
  // Every request of an image listens to one signal. Node warns of a leak on standard error from
  // eleven listeners on, except for signals of an AbortController.
  setMaxListeners(0, either);
  return either;
}
