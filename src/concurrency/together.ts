import { setMaxListeners } from 'node:events';

type Tasks<Results extends readonly unknown[]> = {
  readonly [Index in keyof Results]: (signal: AbortSignal) => Promise<Results[Index]>;
};

/**
 * Runs tasks at once. The first failure aborts the others, and is thrown when all have settled: nothing goes on behind an error.
 *
 * @throws the signal's reason when it has aborted, else what the first task threw that failed.
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

/** A signal that aborts with the first of `signals` that does, and for the same reason. */
export function eitherSignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const either = AbortSignal.any(signals.filter((signal) => signal !== undefined));
  // Every request of an image listens to one. Node sees a leak in more than ten listeners, and says so on standard error,
  // unless it made the signal for an AbortController.
  setMaxListeners(0, either);
  return either;
}
