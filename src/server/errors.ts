import { RegiError, type ErrorCode } from '../errors.ts';
import { jsonAnswer, type Answer, type AnswerHeaders } from './exchange.ts';

/**
 * The error codes a client may meet, with the status that goes with each.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
const SPEC_STATUS = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  // Not of the specification, but what distribution answers and clients therefore know.
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  TAG_INVALID: 400,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
} as const satisfies Record<string, number>;

export type SpecCode = keyof typeof SPEC_STATUS;

/** One entry of an error answer. */
export interface SpecError {
  readonly code: SpecCode;
  readonly message: string;
  readonly detail?: unknown;
}

export interface RefusalOptions {
  /** Another status than the code's own. */
  readonly status?: number | undefined;
  readonly detail?: unknown;
  readonly headers?: AnswerHeaders | undefined;
  readonly cause?: unknown;
}

/** A request that is answered with an error of the distribution specification. */
export class RefusedRequestError extends RegiError {
  readonly status: number;
  readonly errors: readonly SpecError[];
  readonly headers: AnswerHeaders;

  constructor(
    code: SpecCode,
    message: string,
    { status, detail, headers, cause }: RefusalOptions = {},
  ) {
    super('REFUSED', message, { cause });
    this.status = status ?? SPEC_STATUS[code];
    this.errors = [{ code, message, ...(detail !== undefined && { detail }) }];
    this.headers = headers ?? {};
  }
}

/** A manifest that names content which is not in its repository: one entry per missing node. */
export class MissingContentError extends RegiError {
  readonly errors: readonly SpecError[];

  constructor(digests: readonly string[]) {
    super(
      'REFUSED',
      `Cannot keep the manifest: ${digests.length} of the nodes it names are not in the repository`,
    );
    this.errors = digests.map((digest) => ({
      code: 'MANIFEST_BLOB_UNKNOWN',
      message: `Cannot keep the manifest: ${digest} is not in the repository`,
      detail: { digest },
    }));
  }
}

/** What an error of the store below means to the client. */
const MEANING = {
  FAILED: 'UNKNOWN',
  REFUSED: 'UNSUPPORTED',
  UNSUPPORTED: 'UNSUPPORTED',
  ALREADY_EXISTS: 'DENIED',
  STORAGE_FAILED: 'UNKNOWN',
  LOCKED: 'UNAVAILABLE',
  USAGE: 'UNKNOWN',
  INVALID_REFERENCE: 'NAME_INVALID',
  INVALID_DIGEST: 'DIGEST_INVALID',
  INVALID_PLATFORM: 'UNKNOWN',
  INVALID_CONFIG: 'UNKNOWN',
  NOT_FOUND: 'NAME_UNKNOWN',
  NOT_AUTHORISED: 'DENIED',
  UNSAFE_REALM: 'UNAVAILABLE',
  UNSAFE_REDIRECT: 'UNAVAILABLE',
  INVALID_RESPONSE: 'UNAVAILABLE',
  NETWORK: 'UNAVAILABLE',
  SERVER_FAILED: 'UNAVAILABLE',
  TIMEOUT: 'UNAVAILABLE',
  TLS: 'UNAVAILABLE',
  RATE_LIMITED: 'TOOMANYREQUESTS',
  CONTENT_MISMATCH: 'DIGEST_INVALID',
  INVALID_MANIFEST: 'MANIFEST_INVALID',
  INVALID_ARCHIVE: 'UNKNOWN',
  LIMIT_EXCEEDED: 'SIZE_INVALID',
  PARTIAL_FAILURE: 'UNKNOWN',
  INTERRUPTED: 'UNAVAILABLE',
} as const satisfies Record<ErrorCode, SpecCode>;

/**
 * The answer that tells a client of an error. What went wrong inside (paths, stacks) is for the log, not for the client.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
export function errorAnswer(error: unknown): Answer {
  if (error instanceof RefusedRequestError)
    return jsonAnswer(error.status, { errors: error.errors }, error.headers);
  if (error instanceof MissingContentError)
    return jsonAnswer(SPEC_STATUS.MANIFEST_BLOB_UNKNOWN, { errors: error.errors });
  if (isFull(error))
    return jsonAnswer(507, {
      errors: [{ code: 'UNKNOWN', message: 'Cannot keep it: the disk of the registry is full' }],
    });
  const code = error instanceof RegiError ? MEANING[error.code] : 'UNKNOWN';
  const status =
    error instanceof RegiError && error.code === 'LIMIT_EXCEEDED' ? 413 : SPEC_STATUS[code];
  const message =
    error instanceof RegiError && status < 500
      ? error.message
      : 'Cannot answer: the registry failed';
  return jsonAnswer(status, { errors: [{ code, message }] });
}

/** That is no failure that passes, and clients ask five times again after a 500. */
function isFull(error: unknown): boolean {
  return (
    error instanceof RegiError &&
    error.code === 'STORAGE_FAILED' &&
    'errno' in error &&
    (error.errno === 'ENOSPC' || error.errno === 'EDQUOT')
  );
}

/** Whether an error says that something is not there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof RegiError && error.code === 'NOT_FOUND';
}
