/**
 * Every code a caller can meet, with the exit status of the command line. Codes and statuses are
 * API.
 *
 * 1 other failure · 2 usage · 3 not found · 4 not authorised · 5 network, TLS or timeout · 6 rate
 * limited · 7 content does not match · 8 some of several failed · 9 refused by a signature policy ·
 * 130 interrupted.
 */
export const EXIT_STATUS = {
  FAILED: 1,
  REFUSED: 1,
  UNSUPPORTED: 1,
  ALREADY_EXISTS: 1,
  STORAGE_FAILED: 1,
  LOCKED: 1,
  USAGE: 2,
  INVALID_REFERENCE: 2,
  INVALID_DIGEST: 2,
  INVALID_PLATFORM: 2,
  INVALID_CONFIG: 2,
  NOT_FOUND: 3,
  NOT_AUTHORISED: 4,
  UNSAFE_REALM: 4,
  UNSAFE_REDIRECT: 5,
  INVALID_RESPONSE: 5,
  NETWORK: 5,
  SERVER_FAILED: 5,
  TIMEOUT: 5,
  TLS: 5,
  RATE_LIMITED: 6,
  CONTENT_MISMATCH: 7,
  INVALID_MANIFEST: 7,
  INVALID_ARCHIVE: 7,
  LIMIT_EXCEEDED: 7,
  PARTIAL_FAILURE: 8,
  POLICY_REFUSED: 9,
  INTERRUPTED: 130,
} as const satisfies Record<string, number>;

/** The kind of a failure: a key of `EXIT_STATUS`. */
export type ErrorCode = keyof typeof EXIT_STATUS;

/**
 * Codes of failures that are about one manifest: it is missing, damaged or of an unknown kind. They
 * must not hide the other manifests of a list.
 */
export const UNREADABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'NOT_FOUND',
  'CONTENT_MISMATCH',
  'INVALID_MANIFEST',
  'INVALID_DIGEST',
  'LIMIT_EXCEEDED',
  'UNSUPPORTED',
]);

export interface RegiErrorOptions {
  /** What to type or do next: one line, no full stop. */
  readonly hint?: string | undefined;
  /** Findings that led to the error, each shown on a line below the message. */
  readonly findings?: readonly string[] | undefined;
  /** Facts for programs, by name. They are printed with `--json`, so nothing secret goes here. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/**
 * Every error that regi means to throw. A subclass exists only where code catches it or reads its
 * fields. Anything else that is thrown is a bug and keeps its stack.
 */
export class RegiError extends Error {
  /** The kind of the failure. */
  readonly code: ErrorCode;
  /** The next step: one line, no full stop. */
  readonly hint: string | undefined;
  /** Findings that led to the error, each for a line of its own. */
  readonly findings: readonly string[];
  /** Facts for programs, by name. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: RegiErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
    this.findings = options.findings ?? [];
    this.details = options.details;
  }
}

/** Ends a switch over a union: a new member does not compile until it is handled. */
export function assertNever(value: never): never {
  throw new Error(`Unexpected value: ${JSON.stringify(value)}`);
}

/**
 * A command line that cannot be run as it stands: a wrong flag, a value that does not parse,
 * arguments that exclude each other.
 */
export class UsageError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('USAGE', message, options);
  }
}

export type InterruptSignal = 'SIGINT' | 'SIGTERM';

const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const satisfies Record<
  InterruptSignal,
  number
>;

/** Somebody asked the whole command to end. It is the reason of `io.signal`. */
export class InterruptedError extends RegiError {
  /** What a shell reports of a program that such a signal ended. */
  readonly exitStatus: number;

  constructor(signal: InterruptSignal) {
    super('INTERRUPTED', `Interrupted by ${signal}`);
    this.exitStatus = SIGNAL_STATUS[signal];
  }
}

/** A word means several images, where one is expected. */
export class SeveralImagesError extends RegiError {
  constructor(message: string, options: RegiErrorOptions) {
    super('USAGE', message, options);
  }
}

/** Each place that responded lacks the content, and one more did not respond: it may be there. */
export class UnprovedAbsenceError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('NOT_FOUND', message, options);
  }
}

/**
 * A configuration of the user that cannot be read or contradicts itself. Its content is never
 * quoted: it may be a secret.
 */
export class InvalidConfigError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('INVALID_CONFIG', message, options);
  }
}
