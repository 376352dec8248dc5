import { EXIT_STATUS, RegiError } from '../errors.ts';
import { InterruptedError } from '../interrupted.ts';

/** The exit status that stands for an error; a bug is 1. */
export function exitStatusOf(error: unknown): number {
  if (error instanceof InterruptedError) return error.exitStatus;
  return error instanceof RegiError ? EXIT_STATUS[error.code] : EXIT_STATUS.FAILED;
}
