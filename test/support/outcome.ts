import { RegiError } from '../../src/errors.ts';

/**
 * Returns the result of `run`, or the RegiError it throws. Any other error is a bug and is
 * rethrown.
 */
export function outcomeOf<T>(run: () => T): T | RegiError {
  try {
    return run();
  } catch (error) {
    if (error instanceof RegiError) return error;
    throw error;
  }
}

/** Like `outcomeOf`, for a promise. */
export async function outcomeOfAsync<T>(work: Promise<T>): Promise<T | RegiError> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RegiError) return error;
    throw error;
  }
}
