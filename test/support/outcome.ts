import { RegiError } from '../../src/errors.ts';

/** What `run` gives, or the RegiError it throws. Any other error is a bug, and is thrown on. */
export function outcomeOf<T>(run: () => T): T | RegiError {
  try {
    return run();
  } catch (error) {
    if (error instanceof RegiError) return error;
    throw error;
  }
}
