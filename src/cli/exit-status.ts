import { EXIT_STATUS, InterruptedError, RegiError } from '../errors.ts';

/** Returns the exit status for an error; 1 for a bug. */
export function exitStatusOf(error: unknown): number {
  if (error instanceof InterruptedError) return error.exitStatus;
  return error instanceof RegiError ? EXIT_STATUS[error.code] : EXIT_STATUS.FAILED;
}

/**
 * Meanings of exit statuses, for the manuals. EXIT_STATUS in errors.ts maps error codes to them.
 */
export const EXIT_MEANINGS: readonly (readonly [status: string, meaning: string])[] = [
  ['0', 'success'],
  ['1', 'any other failure, or a bug in regi'],
  ['2', 'invalid command line, reference or configuration file'],
  ['3', 'not found'],
  ['4', 'not authorised'],
  ['5', 'network or TLS error, timeout, or server failure'],
  ['6', 'rate limited'],
  ['7', 'content is malformed or does not match its digest'],
  ['8', 'some of several failed; each failure is listed'],
  ['9', 'refused by a signature policy'],
  ['130, 143', 'interrupted by SIGINT, SIGTERM'],
];
