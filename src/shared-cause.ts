import { RegiError, type ErrorCode } from './errors.ts';

/**
 * Codes whose cause is the host, its login or the way to it. Every item that needs the host fails
 * alike.
 */
const OF_HOST: ReadonlySet<ErrorCode> = new Set([
  'NOT_AUTHORISED',
  'UNSAFE_REALM',
  'NETWORK',
  'TLS',
  'TIMEOUT',
  'RATE_LIMITED',
  'SERVER_FAILED',
]);

/**
 * Returns a text that is equal for errors with one cause, such as a missing login; undefined for an
 * error that belongs to its item alone.
 */
export function sharedCause(error: unknown): string | undefined {
  if (!(error instanceof RegiError) || !OF_HOST.has(error.code)) return undefined;
  const reason = /\((?:status [^()]*)\)$/.exec(error.message)?.[0] ?? '';
  return `${error.code} ${error.hint ?? error.message} ${reason}`;
}

/**
 * Returns the cause that all failures of a command share; undefined if there are several causes.
 *
 * @param failures at least one.
 */
export function commonCause(failures: readonly unknown[]): RegiError | undefined {
  const [first] = failures;
  const cause = sharedCause(first);
  return first instanceof RegiError &&
    cause !== undefined &&
    failures.every((other) => sharedCause(other) === cause)
    ? first
    : undefined;
}
