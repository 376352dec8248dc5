import { RegiError } from './errors.ts';

/** A command line that cannot be run as it stands: a wrong flag, a value that does not parse, arguments that exclude each other. */
export class UsageError extends RegiError {
  readonly code = 'USAGE';
}
