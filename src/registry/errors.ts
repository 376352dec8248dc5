import { describeUnusable } from '../auth/challenge.ts';
import { NotAuthorisedError } from '../auth/not-authorised.ts';
import { RegiError, type ErrorCode, type RegiErrorOptions } from '../errors.ts';
import { readStart } from '../http/body.ts';
import type { Method } from '../http/message.ts';
import { retryAfterMs } from '../http/retry-after.ts';
import { essence } from '../oci/media-types.ts';
import { redactUrl, withoutSecrets } from '../redact.ts';
import type { RegistryResponse } from './connection.ts';
import { absenceHint, rateLimitHint, refusalHint } from './hints.ts';
import { describeProblems, parseProblems, type Problem } from './problems.ts';

/** The facts of an unexpected response. */
export interface ResponseFacts {
  /** The registry as written in references. */
  readonly host: string;
  readonly method: Method;
  /** The URL that responded, without secrets. */
  readonly url: string;
  readonly status: number;
  /** The registry's explanations. */
  readonly problems: readonly Problem[];
  /** The wait that the registry asks for, if any. Milliseconds. */
  readonly retryAfterMs: number | undefined;
}

type ResponseErrorCode = Extract<
  ErrorCode,
  | 'INVALID_RESPONSE'
  /** The registry says that it does not exist. */
  | 'NOT_FOUND'
  | 'RATE_LIMITED'
  /** The registry understood and will not do it: not supported, a conflict, a quota, too large. */
  | 'REFUSED'
  /** The registry, or a proxy before it, failed. */
  | 'SERVER_FAILED'
>;

/** An unexpected response of a registry; the code says of which kind. */
export class RegistryResponseError extends RegiError implements ResponseFacts {
  declare readonly code: ResponseErrorCode;
  readonly host: string;
  readonly method: Method;
  readonly url: string;
  readonly status: number;
  readonly problems: readonly Problem[];
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ResponseErrorCode,
    message: string,
    facts: ResponseFacts,
    options: RegiErrorOptions = {},
  ) {
    super(code, message, options);
    this.host = facts.host;
    this.method = facts.method;
    this.url = facts.url;
    this.status = facts.status;
    this.problems = facts.problems;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** True for an error of this kind that a registry's response caused. */
export function isResponseError(
  error: unknown,
  code: ResponseErrorCode,
): error is RegistryResponseError {
  return error instanceof RegistryResponseError && error.code === code;
}

export type ResponseError = RegistryResponseError | NotAuthorisedError;

const WEB_PAGE_TYPES: ReadonlySet<string> = new Set(['text/html', 'application/xhtml+xml']);

/**
 * Makes the error for a response with an unexpected status, and reads its body up to the limit.
 *
 * @param action what failed: `Cannot resolve "registry.example/app:1"`.
 */
export async function responseError(
  action: string,
  response: RegistryResponse,
): Promise<ResponseError> {
  const { status, host, secrets, repository, tried } = response;
  const text = Buffer.from(await readStart(response))
    .toString('utf8')
    .trim();
  const problems = parseProblems(withoutSecrets(text, secrets)).map((problem) =>
    hidden(problem, secrets),
  );
  const said = describeProblems(problems);
  const facts = factsOf(response, problems);
  const error = (code: ResponseErrorCode, what: string, hint?: string): RegistryResponseError => {
    const because = said === '' ? `status ${status}` : `status ${status}, ${said}`;
    return new RegistryResponseError(code, `${action}: ${what} (${because})`, facts, { hint });
  };
  if (status === 401 || status === 403) {
    // A storage has no login: its URLs are signed, and expire.
    if (!response.isOwn)
      return error(
        'REFUSED',
        `"${response.url.host}", where "${host}" redirected us, refused it`,
        'try again; if it happens again, contact the operator of the registry',
      );
    const detail = said === '' ? undefined : said;
    const unusable = describeUnusable(response.headers.get('www-authenticate'));
    return new NotAuthorisedError({ host, repository, status, action, detail, tried, unusable });
  }
  if (status === 429 || problems.some(({ code }) => code === 'TOOMANYREQUESTS')) {
    const seconds = Math.ceil((facts.retryAfterMs ?? 0) / 1000);
    const wait = facts.retryAfterMs === undefined ? '' : ` and asks to wait ${seconds} s`;
    const hint = rateLimitHint(response);
    return error('RATE_LIMITED', `"${host}" limits the rate of requests${wait}`, hint);
  }
  if (status === 404 && !isLostUpload(problems))
    return isWebPage(response)
      ? error('NOT_FOUND', `"${host}" does not have it, says a web page`, doctorHint(host))
      : error('NOT_FOUND', `"${host}" does not have it`, absenceHint(response, problems));
  const isFault = status >= 500 || status === 408 || status === 499 || status === 404;
  if (isFault || (status === 416 && !isTooLarge(status, problems)))
    return error(
      'SERVER_FAILED',
      `"${host}" failed`,
      'try again later; a higher --retry survives short outages',
    );
  if (status >= 400)
    return error('REFUSED', `"${host}" refused it`, refusalHint(response, problems));
  return error('INVALID_RESPONSE', `"${host}" sent an unexpected response`, doctorHint(host));
}

/**
 * Makes the error for a response with the right status and the wrong content.
 *
 * @param problem what was expected and found: `expected a Location header`.
 */
export function invalidResponse(
  action: string,
  response: RegistryResponse,
  problem: string,
): RegistryResponseError {
  const { host, status, url } = response;
  const [what, hint] = isWebPage(response)
    ? [
        `expected a registry at "${host}", found a web page (status ${status})`,
        `a proxy or login page responds instead of the registry; open ${url.origin}/v2/ in a browser`,
      ]
    : [`"${host}" sent an unexpected response: ${problem}`, doctorHint(host)];
  const facts = factsOf(response, []);
  return new RegistryResponseError('INVALID_RESPONSE', `${action}: ${what}`, facts, { hint });
}

/** True for a page for people: of a captive portal, a single sign-on or a proxy. */
export function isWebPage({ headers }: RegistryResponse): boolean {
  return WEB_PAGE_TYPES.has(essence(headers.get('content-type') ?? ''));
}

/** Hides secrets again after parsing: JSON may have escaped one. */
function hidden({ code, message }: Problem, secrets: readonly string[]): Problem {
  return { code: code && withoutSecrets(code, secrets), message: withoutSecrets(message, secrets) };
}

function factsOf(response: RegistryResponse, problems: readonly Problem[]): ResponseFacts {
  const { host, method, status, headers, receivedAt } = response;
  const wait = retryAfterMs(headers, receivedAt);
  return { host, method, url: redactUrl(response.url), status, problems, retryAfterMs: wait };
}

/**
 * True if the body of a request is too large for the registry or a proxy. ghcr.io says so with
 * status 416.
 */
export function isTooLarge(status: number, problems: readonly Problem[]): boolean {
  return (
    status === 413 ||
    (status === 416 &&
      problems.some(({ message }) => /too large|exceeds|maximum|limit/i.test(message)))
  );
}

/** distribution sends 404 for an upload session that it lost. That says nothing about the blob. */
function isLostUpload(problems: readonly Problem[]): boolean {
  return problems.some(
    ({ code }) => code === 'BLOB_UPLOAD_INVALID' || code === 'BLOB_UPLOAD_UNKNOWN',
  );
}

function doctorHint(host: string): string {
  return `find out what responds there: regi doctor ${host}`;
}
