import type { Clock } from '../clock.ts';
import type { Credential, FoundCredential } from '../credentials/credential.ts';
import { assertNever, RegiError, type ErrorCode } from '../errors.ts';
import { discard, readAtMost } from '../http/body.ts';
import { NetworkError, ProxyError } from '../http/errors.ts';
import type { HttpRequest, HttpResponse, Transport } from '../http/message.ts';
import { DEFAULT_RETRIES, retryRead } from '../http/retry.ts';
import { LIMITS } from '../limits.ts';
import { basicAuthorization } from './challenge.ts';
import { NotAuthorisedError } from './not-authorised.ts';
import { unsafeRealmError, type SafeRealm } from './realm.ts';
import { formatScope, type Scope } from './scope.ts';
import { parseToken, type Token } from './token.ts';

export interface TokenRequest {
  /** The registry of the token, as written in references. */
  readonly host: string;
  readonly repository?: string | undefined;
  readonly realm: SafeRealm;
  readonly service: string | undefined;
  /** The most needed one first: some services honour only that. */
  readonly scopes: readonly Scope[];
  readonly credential: FoundCredential | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TokenClient {
  readonly send: Transport;
  readonly clock: Clock;
  /** Retries of a request whose response broke in its body. */
  readonly retries?: number | undefined;
}

/** A token service that sent no token, for another reason than the credentials. */
function tokenServiceError(
  { host, realm }: TokenRequest,
  status: number,
  found: string,
): RegiError {
  const code = codeOf(status);
  return new RegiError(
    code,
    `Cannot get a token for "${host}" from "${realm.url.origin}": expected a response with a token, found ${found}`,
    {
      hint:
        code === 'RATE_LIMITED'
          ? `wait and try again, with fewer connections: --concurrency 2; or log in: regi login ${host}`
          : `the token service is at fault; find out more with: regi doctor ${host}`,
    },
  );
}

/** One form of the request, and the statuses after which the next form is tried. */
interface Form {
  readonly request: HttpRequest;
  readonly nextAfter: readonly number[];
}

const CLIENT_ID = 'regi';
/** The request is too long for the service, or names a scope that it cannot parse. */
const TOO_MANY_SCOPES: readonly number[] = [400, 414, 431];

/**
 * Fetches a token: by GET, with Basic for a password; by OAuth2 POST for an identity token. If the
 * service does not support the one form, the other is tried where the credential allows it.
 *
 * @throws {NotAuthorisedError} on 401 and 403; `tried.refused` when the credentials are wrong.
 * @throws {RegiError} with code UNSAFE_REALM when the service redirects to another origin (nothing
 *   is sent there); with the code of the status on any other response without a token.
 * @see https://github.com/distribution/distribution/blob/v3.0.0/docs/content/spec/auth/token.md
 * @see https://github.com/distribution/distribution/blob/v3.0.0/docs/content/spec/auth/oauth.md
 */
export async function fetchToken(request: TokenRequest, client: TokenClient): Promise<Token> {
  const sentAt = client.clock.now();
  const statuses: number[] = [];
  for (const form of formsOf(request)) {
    const outcome = await retryRead(() => tokenOrStatus(form.request, request, sentAt, client), {
      clock: client.clock,
      retries: client.retries ?? DEFAULT_RETRIES,
      signal: request.signal,
    });
    if (typeof outcome !== 'number') return outcome;
    statuses.push(outcome);
    if (!form.nextAfter.includes(outcome)) break;
  }
  const [needed] = request.scopes;
  if (
    needed !== undefined &&
    request.scopes.length > 1 &&
    statuses.some((status) => TOO_MANY_SCOPES.includes(status))
  ) {
    return fetchToken({ ...request, scopes: [needed] }, client);
  }
  throw refusalOf(request, statuses);
}

/** Returns the URL of a token request by GET. The realm's own query is kept: it may be signed. */
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

function formsOf(request: TokenRequest): readonly Form[] {
  const credential = request.credential?.credential;
  if (credential === undefined) return [{ request: byGet(request), nextAfter: [] }];
  switch (credential.kind) {
    case 'password':
      return [
        {
          request: byGet(request, credential.username, credential.password),
          nextAfter: [404, 405],
        },
        { request: byPost(request, credential), nextAfter: [] },
      ];
    case 'identity-token':
      return [
        // GitLab and Google respond 404 to any POST, Artifactory 401, others 405 or 400.
        { request: byPost(request, credential), nextAfter: [400, 401, 404, 405] },
        ...(credential.username === undefined
          ? []
          : [{ request: byGet(request, credential.username, credential.token), nextAfter: [] }]),
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

/** Returns the token, or the status of a response without one. */
async function tokenOrStatus(
  sent: HttpRequest,
  request: TokenRequest,
  sentAt: number,
  { send }: TokenClient,
): Promise<Token | number> {
  const response = await sendWithinOrigin(sent, request, send).catch((error: unknown) => {
    throw unreachedRealm(request, error);
  });
  const { status } = response;
  if (status < 200 || status >= 300) {
    await discard(response);
    return status;
  }
  const what = `the response of the token service "${request.realm.url.origin}"`;
  const token = parseToken(await readAtMost(response, LIMITS.tokenBytes, what), sentAt);
  if (token === undefined) throw tokenServiceError(request, status, `none in status ${status}`);
  return token;
}

/** The registry named the host of its token service, and the user did not. */
function unreachedRealm({ host, realm }: TokenRequest, error: unknown): unknown {
  if (!(error instanceof NetworkError) || error.phase !== 'connect') return error;
  if (error instanceof ProxyError || realm.url.host === host) return error;
  return new NetworkError(
    `Cannot get a token for "${host}": it names the token service "${realm.url.origin}": ${error.message}`,
    error,
    {
      hint: `the operator of the registry can set another realm; look at its challenge: regi doctor ${host}`,
      cause: error,
    },
  );
}

async function sendWithinOrigin(
  first: HttpRequest,
  { host, realm }: TokenRequest,
  send: Transport,
): Promise<HttpResponse> {
  let request = first;
  for (let hop = 0; ; hop += 1) {
    const response = await send(request);
    const target = redirectTarget(response, request.url);
    if (target === undefined) return response;
    if (target.origin !== realm.url.origin) {
      await discard(response);
      const reason = `expected no redirect to another origin, and "${realm.url.origin}" redirects there`;
      throw unsafeRealmError(host, target, reason);
    }
    if (request.method !== 'GET' || hop >= LIMITS.tokenRedirects) return response;
    await discard(response);
    request = { ...request, url: target };
  }
}

function redirectTarget({ headers, status }: HttpResponse, url: URL): URL | undefined {
  const location = headers.get('location');
  if (
    ![301, 302, 303, 307, 308].includes(status) ||
    location === undefined ||
    !URL.canParse(location, url.href)
  )
    return undefined;
  return new URL(location, url);
}

function refusalOf(request: TokenRequest, statuses: readonly number[]): RegiError {
  const { host, repository, credential } = request;
  const status =
    statuses.find((candidate) => candidate === 401 || candidate === 403) ?? statuses[0] ?? 0;
  // OAuth2 refuses a refresh token with invalid_grant and status 400 (RFC 6749 §5.2).
  const isGrantRefused = status === 400 && credential?.credential.kind === 'identity-token';
  if (status !== 401 && status !== 403 && !isGrantRefused)
    return tokenServiceError(request, status, `status ${status}`);
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
