import { RegiError } from '../errors.ts';

/** A configuration of the user that cannot be read or contradicts itself. Its content is never quoted: it may be a secret. */
export class InvalidConfigError extends RegiError {
  readonly code = 'INVALID_CONFIG';
}
