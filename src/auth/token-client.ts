import type { Clock } from '../clock.ts';
import type { Credential, FoundCredential } from '../credentials/credential.ts';
import { assertNever, RegiError, type ErrorCode } from '../errors.ts';
import { askAgain, DEFAULT_RETRIES } from '../http/retry.ts';
import { discard, readAtMost } from '../http/body.ts';
import type { HttpRequest, HttpResponse, Transport } from '../http/message.ts';
import { LIMITS } from '../limits.ts';
import { basicAuthorization } from './challenge.ts';
import { NotAuthorisedError } from './not-authorised.ts';
import { UnsafeRealmError, type SafeRealm } from './realm.ts';
import { formatScope, type Scope } from './scope.ts';
import { parseTokenAnswer, type Token } from './token.ts';

export interface TokenRequest {
  /** The registry that the token is for, as written in references. */
  readonly host: string;
  readonly repository?: string | undefined;
  readonly realm: SafeRealm;
  readonly service: string | undefined;
  /** The needed one first: some services honour only that. */
  readonly scopes: readonly Scope[];
  readonly credential: FoundCredential | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TokenClient {
  readonly send: Transport;
  readonly clock: Clock;
  /** How often an answer is asked for again that broke in its middle. */
  readonly retries?: number | undefined;
}

/** A token service that did not give a token, for another reason than who asks. */
export class TokenServiceError extends RegiError {
  readonly host: string;
  /** Origin of the token service. */
  readonly realm: string;
  readonly status: number;

  constructor({ host, realm }: TokenRequest, status: number, found: string) {
    const code = codeOf(status);
    super(
      code,
      `Cannot get a token for "${host}" from "${realm.url.origin}": expected an answer with a token, found ${found}`,
      {
        hint:
          code === 'RATE_LIMITED'
            ? `wait and try again, with fewer connections: --concurrency 2; or log in: regi login ${host}`
            : `the fault is the token service's; look closer with: regi doctor ${host}`,
      },
    );
    this.host = host;
    this.realm = realm.url.origin;
    this.status = status;
  }
}

/** One way to ask, and the answers that mean that the service wants to be asked in another way. */
interface Way {
  readonly request: HttpRequest;
  readonly goOnAt: readonly number[];
}

const CLIENT_ID = 'regi';
/** The request was too long for the service, or names a scope that it cannot read. */
const TOO_MUCH_ASKED: readonly number[] = [400, 414, 431];

/**
 * Asks a token service for a token: by GET, with Basic for a password and without for anonymous; by OAuth2 POST for an identity
 * token. A service that does not know the one way is asked in the other where the credential allows it.
 *
 * @throws {NotAuthorisedError} on 401 and 403; `tried.refused` when the credentials are what is wrong.
 * @throws {TokenServiceError} on any other answer without a token.
 * @throws {UnsafeRealmError} when the service redirects to another origin. Nothing is sent there.
 * @see https://github.com/distribution/distribution/blob/v3.0.0/docs/content/spec/auth/token.md
 * @see https://github.com/distribution/distribution/blob/v3.0.0/docs/content/spec/auth/oauth.md
 */
export async function fetchToken(request: TokenRequest, client: TokenClient): Promise<Token> {
  const askedAt = client.clock.now();
  const statuses: number[] = [];
  for (const way of waysOf(request)) {
    const answer = await askAgain(() => askForToken(way.request, request, askedAt, client), {
      clock: client.clock,
      retries: client.retries ?? DEFAULT_RETRIES,
      signal: request.signal,
    });
    if (typeof answer !== 'number') return answer;
    statuses.push(answer);
    if (!way.goOnAt.includes(answer)) break;
  }
  const [needed] = request.scopes;
  if (
    needed !== undefined &&
    request.scopes.length > 1 &&
    statuses.some((status) => TOO_MUCH_ASKED.includes(status))
  ) {
    return fetchToken({ ...request, scopes: [needed] }, client);
  }
  throw refusalOf(request, statuses);
}

/** The URL of a token request by GET. The realm's own query stays as it is: it may be signed. */
export function tokenUrl(
  realm: URL,
  service: string | undefined,
  scopes: readonly Scope[],
  account?: string,
): URL {
  const pairs = [
    ...(service === undefined ? [] : [['service', service] as const]),
    ...scopes.map((scope) => ['scope', formatScope(scope)] as const),
    ...(account === undefined ? [] : [['account', account] as const]),
  ];
  const url = new URL(realm);
  const added = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  url.search = [...(url.search === '' ? [] : [url.search.slice(1)]), ...added].join('&');
  return url;
}

function waysOf(request: TokenRequest): readonly Way[] {
  const credential = request.credential?.credential;
  if (credential === undefined) return [{ request: byGet(request), goOnAt: [] }];
  switch (credential.kind) {
    case 'password':
      return [
        { request: byGet(request, credential.username, credential.password), goOnAt: [404, 405] },
        { request: byPost(request, credential), goOnAt: [] },
      ];
    case 'identity-token':
      return [
        // GitLab and Google answer 404, Artifactory 401, others 405 or 400 to any POST.
        { request: byPost(request, credential), goOnAt: [400, 401, 404, 405] },
        ...(credential.username === undefined
          ? []
          : [{ request: byGet(request, credential.username, credential.token), goOnAt: [] }]),
      ];
    case 'registry-token':
      throw new Error('A registry token is for the registry itself, not for a token service');
    default:
      return assertNever(credential);
  }
}

function byGet(request: TokenRequest, username?: string, password?: string): HttpRequest {
  const { realm, service, scopes, signal } = request;
  return {
    method: 'GET',
    url: tokenUrl(realm.url, service, scopes, username),
    headers: {
      accept: 'application/json',
      ...(username !== undefined &&
        password !== undefined && { authorization: basicAuthorization(username, password) }),
    },
    reach: realm.reach,
    signal,
  };
}

function byPost(
  request: TokenRequest,
  credential: Exclude<Credential, { kind: 'registry-token' }>,
): HttpRequest {
  const { realm, service, scopes, signal } = request;
  const form = new URLSearchParams({
    ...(credential.kind === 'password'
      ? { grant_type: 'password', username: credential.username, password: credential.password }
      : { grant_type: 'refresh_token', refresh_token: credential.token }),
    client_id: CLIENT_ID,
    ...(service !== undefined && { service }),
    ...(scopes.length > 0 && { scope: scopes.map(formatScope).join(' ') }),
  });
  return {
    method: 'POST',
    url: new URL(realm.url),
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: new TextEncoder().encode(form.toString()),
    reach: realm.reach,
    signal,
  };
}

/** The token, or the status of an answer that has none. */
async function askForToken(
  sent: HttpRequest,
  request: TokenRequest,
  askedAt: number,
  { send }: TokenClient,
): Promise<Token | number> {
  const answer = await ask(sent, request, send);
  if (answer.status >= 200 && answer.status < 300) return readToken(answer, request, askedAt);
  await discard(answer);
  return answer.status;
}

async function ask(
  first: HttpRequest,
  { host, realm }: TokenRequest,
  send: Transport,
): Promise<HttpResponse> {
  let request = first;
  for (let hop = 0; ; hop += 1) {
    const answer = await send(request);
    const target = redirectTarget(answer, request.url);
    if (target === undefined) return answer;
    if (target.origin !== realm.url.origin) {
      await discard(answer);
      throw new UnsafeRealmError(
        host,
        target,
        `expected no redirect to another origin, and "${realm.url.origin}" redirects there`,
      );
    }
    if (request.method !== 'GET' || hop >= LIMITS.tokenRedirects) return answer;
    await discard(answer);
    request = { ...request, url: target };
  }
}

function redirectTarget(answer: HttpResponse, url: URL): URL | undefined {
  const location = answer.headers.get('location');
  if (
    ![301, 302, 303, 307, 308].includes(answer.status) ||
    location === undefined ||
    !URL.canParse(location, url.href)
  )
    return undefined;
  return new URL(location, url);
}

async function readToken(
  answer: HttpResponse,
  request: TokenRequest,
  askedAt: number,
): Promise<Token> {
  const body = await readAtMost(
    answer,
    LIMITS.tokenBytes,
    `the answer of the token service "${request.realm.url.origin}"`,
  );
  const token = parseTokenAnswer(body, askedAt);
  if (token === undefined)
    throw new TokenServiceError(request, answer.status, `none in status ${answer.status}`);
  return token;
}

function refusalOf(request: TokenRequest, statuses: readonly number[]): RegiError {
  const { host, repository, credential } = request;
  const status =
    statuses.find((candidate) => candidate === 401 || candidate === 403) ?? statuses[0] ?? 0;
  // OAuth2 says invalid_grant for a refused refresh token, with status 400 (RFC 6749 §5.2).
  const isGrantRefused = status === 400 && credential?.credential.kind === 'identity-token';
  if (status !== 401 && status !== 403 && !isGrantRefused)
    return new TokenServiceError(request, status, `status ${status}`);
  return new NotAuthorisedError({
    host,
    repository,
    status,
    tried: credential && { origin: credential.origin, refused: status !== 403 },
  });
}

function codeOf(status: number): ErrorCode {
  if (status === 429) return 'RATE_LIMITED';
  if (status === 408 || status >= 500) return 'SERVER_FAILED';
  return status >= 400 ? 'REFUSED' : 'INVALID_RESPONSE';
}
