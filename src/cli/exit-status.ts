import { EXIT_STATUS, InterruptedError, RegiError } from '../errors.ts';

/** The exit status that stands for an error; a bug is 1. */
export function exitStatusOf(error: unknown): number {
  if (error instanceof InterruptedError) return error.exitStatus;
  return error instanceof RegiError ? EXIT_STATUS[error.code] : EXIT_STATUS.FAILED;
}

/** What an exit status tells a script, for the manuals. Which code has which is in errors.ts. */
export const EXIT_MEANINGS: readonly (readonly [status: string, means: string])[] = [
  ['0', 'done'],
  ['1', 'failed for another reason, or a fault of regi'],
  ['2', 'the command line, a reference or a configuration file is wrong'],
  ['3', 'not found'],
  ['4', 'not authorised'],
  ['5', 'network, TLS or timeout, or the server failed'],
  ['6', 'rate limited'],
  ['7', 'content does not match its digest or is malformed'],
  ['8', 'some of several failed; each is listed'],
  ['130, 143', 'interrupted by SIGINT, by SIGTERM'],
];
