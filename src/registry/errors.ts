import { NotAuthorisedError } from '../auth/not-authorised.ts';
import { RegiError, type ErrorCode, type RegiErrorOptions } from '../errors.ts';
import type { Method } from '../http/message.ts';
import { rateLimit, retryAfterMs } from '../http/retry-after.ts';
import { LIMITS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import { essence } from '../oci/media-types.ts';
import { redactUrl, withoutSecrets } from '../redact.ts';
import type { RegistryResponse } from './connection.ts';
import { deleteHint, isImmutable } from './delete-hints.ts';
import { describeProblems, parseProblems, type Problem } from './problems.ts';
import { quotaHint } from './pull-quota.ts';

/** What is known of an answer that was not the one wanted. */
export interface AnswerFacts {
  /** The registry as written in references. */
  readonly host: string;
  readonly method: Method;
  /** What answered, without secrets. */
  readonly url: string;
  readonly status: number;
  /** What the registry says of it. */
  readonly problems: readonly Problem[];
  /** How long the registry asks to wait; undefined when it does not. Milliseconds. */
  readonly retryAfterMs: number | undefined;
}

/** An answer of a registry that was not the one wanted. Which one it was, is told by the subclass. */
export class RegistryAnswerError extends RegiError implements AnswerFacts {
  readonly host: string;
  readonly method: Method;
  readonly url: string;
  readonly status: number;
  readonly problems: readonly Problem[];
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    facts: AnswerFacts,
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

/** The registry says that it is not there. */
export class NotFoundError extends RegistryAnswerError {
  constructor(message: string, facts: AnswerFacts, options?: RegiErrorOptions) {
    super('NOT_FOUND', message, facts, options);
  }
}

/** Too many requests in too little time. */
export class RateLimitedError extends RegistryAnswerError {
  constructor(message: string, facts: AnswerFacts, options?: RegiErrorOptions) {
    super('RATE_LIMITED', message, facts, options);
  }
}

/** The registry understood and will not do it: not supported, a conflict, a quota, too large. */
export class RefusedError extends RegistryAnswerError {
  constructor(message: string, facts: AnswerFacts, options?: RegiErrorOptions) {
    super('REFUSED', message, facts, options);
  }
}

/** The registry, or a proxy before it, failed. */
export class ServerFailedError extends RegistryAnswerError {
  constructor(message: string, facts: AnswerFacts, options?: RegiErrorOptions) {
    super('SERVER_FAILED', message, facts, options);
  }
}

/** An answer that no registry should give: a web page, a missing header, a status that means nothing here. */
export class InvalidResponseError extends RegistryAnswerError {
  constructor(message: string, facts: AnswerFacts, options?: RegiErrorOptions) {
    super('INVALID_RESPONSE', message, facts, options);
  }
}

export type ResponseError = RegistryAnswerError | NotAuthorisedError;

const WEB_PAGE_TYPES: ReadonlySet<string> = new Set(['text/html', 'application/xhtml+xml']);

/**
 * Makes the error of an answer whose status was not wanted, and reads its body to the end or to the limit.
 *
 * @param action what could not be done: `Cannot resolve "registry.example/app:1"`.
 */
export async function responseError(
  action: string,
  response: RegistryResponse,
): Promise<ResponseError> {
  const problems = parseProblems(withoutSecrets(await readError(response), response.secrets)).map(
    (problem) => hidden(problem, response.secrets),
  );
  const facts = factsOf(response, problems);
  const { status } = response;
  const { host } = facts;
  const said = describeProblems(problems);
  const answer = said === '' ? `status ${status}` : `status ${status}, ${said}`;
  // Nobody logs in to a storage: its URLs are signed, and expire.
  if ((status === 401 || status === 403) && !response.isOwn) {
    return new RefusedError(
      `${action}: "${response.url.host}", where "${host}" sent us, refused it (${answer})`,
      facts,
      {
        hint: 'try again; if it stays, ask who runs the registry',
      },
    );
  }
  if (status === 401 || status === 403) {
    const { repository, tried } = response;
    return new NotAuthorisedError({
      host,
      repository,
      status,
      action,
      detail: said === '' ? undefined : said,
      tried,
    });
  }
  if (status === 429 || problems.some(({ code }) => code === 'TOOMANYREQUESTS')) {
    const wait =
      facts.retryAfterMs === undefined
        ? ''
        : `; it asks to wait ${Math.ceil(facts.retryAfterMs / 1000)} s`;
    return new RateLimitedError(
      `${action}: "${host}" limits how much may be asked (${answer})${wait}`,
      facts,
      { hint: rateLimitHint(response) },
    );
  }
  if (status === 404 && !isLostUpload(problems)) {
    return new NotFoundError(`${action}: "${host}" does not have it (${answer})`, facts, {
      hint: absenceHint(response, problems),
    });
  }
  if (status >= 500 || status === 408 || status === 499 || status === 404 || status === 416) {
    return new ServerFailedError(`${action}: "${host}" failed (${answer})`, facts, {
      hint: 'try again later; a longer --retry waits out short failures',
    });
  }
  if (status >= 400)
    return new RefusedError(`${action}: "${host}" refused it (${answer})`, facts, {
      hint: refusalHint(response, problems),
    });
  return new InvalidResponseError(
    `${action}: "${host}" gave an answer that makes no sense here (${answer})`,
    facts,
    {
      hint: `look at what answers there: regi doctor ${host}`,
    },
  );
}

/**
 * Makes the error of an answer with the right status and the wrong content, and closes it.
 *
 * @param problem what was wanted and found: `expected a Location header`.
 */
export function invalidResponse(
  action: string,
  response: RegistryResponse,
  problem: string,
): InvalidResponseError {
  const facts = factsOf(response, []);
  if (!isWebPage(response)) {
    return new InvalidResponseError(
      `${action}: "${facts.host}" gave an answer that makes no sense: ${problem}`,
      facts,
      {
        hint: `look at what answers there: regi doctor ${facts.host}`,
      },
    );
  }
  return new InvalidResponseError(
    `${action}: expected a registry at "${facts.host}", found a web page (status ${facts.status})`,
    facts,
    {
      hint: `a proxy or login page answers instead of the registry; open ${response.url.origin}/v2/ in a browser`,
    },
  );
}

/** Whether the answer is a page for people: of a captive portal, a single sign-on or a proxy. */
export function isWebPage(response: RegistryResponse): boolean {
  return WEB_PAGE_TYPES.has(essence(response.headers.get('content-type') ?? ''));
}

/** Once more behind the parser: a secret may be escaped in JSON. */
function hidden({ code, message }: Problem, secrets: readonly string[]): Problem {
  return { code: code && withoutSecrets(code, secrets), message: withoutSecrets(message, secrets) };
}

function factsOf(response: RegistryResponse, problems: readonly Problem[]): AnswerFacts {
  const { host, method, status } = response;
  return {
    host,
    method,
    url: redactUrl(response.url),
    status,
    problems,
    retryAfterMs: retryAfterMs(response.headers, response.receivedAt),
  };
}

/** The start of the body; what was read before it broke is better than nothing. */
async function readError(response: RegistryResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  let room: number = LIMITS.errorBytes;
  try {
    for await (const chunk of response.body) {
      chunks.push(new Uint8Array(chunk.subarray(0, room)));
      room -= chunk.byteLength;
      if (room <= 0) break;
    }
  } catch (error) {
    // A HEAD has no body and a proxy may cut one: the status alone still says what happened.
    if (!(error instanceof RegiError)) throw error;
  }
  return Buffer.concat(chunks).toString('utf8').trim();
}

/** distribution answers 404 for an upload session that it lost: the session is not there, which says nothing of the blob. */
function isLostUpload(problems: readonly Problem[]): boolean {
  return problems.some(
    ({ code }) => code === 'BLOB_UPLOAD_INVALID' || code === 'BLOB_UPLOAD_UNKNOWN',
  );
}

function absenceHint(
  { method, host, repository, url }: RegistryResponse,
  problems: readonly Problem[],
): string {
  // Amazon's registries make no repository by a push.
  const isWrite = method !== 'GET' && method !== 'HEAD' && method !== 'DELETE';
  if (isWrite && problems.some(({ code }) => code === 'NAME_UNKNOWN'))
    return 'create the repository first, or check the spelling of its name';
  const isImage = repository !== undefined && /\/manifests\/[^/]+$/.test(url.pathname);
  if (!isImage || problems.some(({ code }) => code === 'NAME_UNKNOWN'))
    return 'check the spelling of registry, repository and tag or digest';
  return `check the spelling; the tags that are there: regi tags list ${host}/${repository}`;
}

function rateLimitHint(response: RegistryResponse): string {
  const quota = rateLimit(response.headers);
  if (quota !== undefined) return quotaHint(response.host, quota);
  return `wait and try again, with fewer connections: --concurrency 2; or log in: regi login ${response.host}`;
}

function refusalHint(response: RegistryResponse, problems: readonly Problem[]): string | undefined {
  const undeletable =
    response.method === 'DELETE' ? deleteHint(response.host, response.status, problems) : undefined;
  if (undeletable !== undefined) return undeletable;
  // nginx finishes the handshake without a client certificate, and refuses each request then.
  if (response.status === 400 && problems.some(({ message }) => /SSL certificate/i.test(message))) {
    return `put your client certificate and its key at ~/.config/docker/certs.d/${response.host}/client.cert and client.key`;
  }
  if (isImmutable(response.status, problems))
    return 'the tag may not be moved there: choose another tag, or change that rule of the registry';
  if (response.status === 413)
    return 'something before the registry limits the size of a request; send smaller ones: --chunk-size 5000000';
  if (problems.some(({ code }) => code === 'NAME_INVALID'))
    return 'the registry has rules of its own for names; try another repository name';
  return undefined;
}

/** The registry holds other bytes under a name than it should. */
export class WrongDigestError extends RegiError {
  readonly expected: Digest;
  readonly found: Digest;

  constructor(action: string, expected: Digest, found: Digest) {
    super('CONTENT_MISMATCH', `${action}: expected ${expected}, found ${found}`, {
      hint: 'the registry, or something before it, changes what it holds; do not use this image',
    });
    this.expected = expected;
    this.found = found;
  }
}
