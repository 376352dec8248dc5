import { RegiError, type ErrorCode } from '../errors.ts';
import { jsonResponse, type CallResponse, type ResponseHeaders } from './exchange.ts';

/**
 * The error codes of responses, each with its status.
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
  // Not in the specification, but used by distribution and so known to clients.
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  TAG_INVALID: 400,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
} as const satisfies Record<string, number>;

export type SpecCode = keyof typeof SPEC_STATUS;

/** One entry of an error response. */
export interface SpecError {
  readonly code: SpecCode;
  readonly message: string;
  readonly detail?: unknown;
}

export interface RefusalOptions {
  /** Replaces the status of the code. */
  readonly status?: number | undefined;
  readonly detail?: unknown;
  /** The entries of the response, where there are several. */
  readonly errors?: readonly SpecError[] | undefined;
  readonly headers?: ResponseHeaders | undefined;
  readonly cause?: unknown;
}

/** Refuses a request with an error of the distribution specification. */
export class RefusedRequestError extends RegiError {
  readonly status: number;
  readonly errors: readonly SpecError[];
  readonly headers: ResponseHeaders;

  constructor(
    code: SpecCode,
    message: string,
    { status, detail, errors, headers, cause }: RefusalOptions = {},
  ) {
    super('REFUSED', message, { cause });
    this.status = status ?? SPEC_STATUS[code];
    this.errors = errors ?? [{ code, message, ...(detail !== undefined && { detail }) }];
    this.headers = headers ?? {};
  }
}

/** The code that a client gets for an error of the store. */
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
  POLICY_REFUSED: 'DENIED',
  INTERRUPTED: 'UNAVAILABLE',
} as const satisfies Record<ErrorCode, SpecCode>;

/**
 * Makes the response for an error. Details of the registry itself (paths, stacks) go to the log,
 * not to the client.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
export function errorResponse(error: unknown): CallResponse {
  if (error instanceof RefusedRequestError)
    return jsonResponse(error.status, { errors: error.errors }, error.headers);
  if (isFull(error))
    return jsonResponse(507, {
      errors: [
        { code: 'UNKNOWN', message: 'Cannot store the content: the disk of the registry is full' },
      ],
    });
  const code = error instanceof RegiError ? MEANING[error.code] : 'UNKNOWN';
  const status =
    error instanceof RegiError && error.code === 'LIMIT_EXCEEDED' ? 413 : SPEC_STATUS[code];
  const message =
    error instanceof RegiError && status < 500
      ? error.message
      : 'Cannot handle the request: the registry failed';
  return jsonResponse(status, { errors: [{ code, message }] });
}

/** True if the disk is full: clients would retry after a 500, which helps nothing here. */
function isFull(error: unknown): boolean {
  return (
    error instanceof RegiError &&
    error.code === 'STORAGE_FAILED' &&
    'errno' in error &&
    (error.errno === 'ENOSPC' || error.errno === 'EDQUOT')
  );
}

/** True if the error has code NOT_FOUND. */
export function isNotFound(error: unknown): boolean {
  return error instanceof RegiError && error.code === 'NOT_FOUND';
}
