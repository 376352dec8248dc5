import { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { printable, redactUrl } from '../redact.ts';
import { isPrivateAddress } from './address.ts';
import { discard } from './body.ts';
import { describe } from './errors.ts';
import type { HttpRequest, HttpResponse, Method } from './message.ts';

/** A server sends us on in a way that regi does not follow. */
export class UnsafeRedirectError extends RegiError {
  constructor(request: HttpRequest, problem: string) {
    super('UNSAFE_REDIRECT', `Cannot follow the redirect of ${describe(request)}: ${problem}`, {
      hint: 'nothing was sent there; ask who runs the server',
    });
  }
}

/** A redirect that leads to another, and so on. */
export class TooManyRedirectsError extends RegiError {
  constructor(request: HttpRequest, limit: number) {
    super('INVALID_RESPONSE', `Cannot ${describe(request)}: expected at most ${limit} redirects`, {
      hint: 'the server sends in a circle; ask who runs it',
    });
  }
}

/** What proves who we are, and so belongs to one origin only. */
const SECRET_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
]);

/** Headers about a body; they go when the body goes. */
const BODY_HEADERS: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
]);

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * The request that a redirect leads to; undefined when the answer is none.
 *
 * Credentials stay behind when scheme, host or port change. From a server at a public address the way leads to public addresses only.
 *
 * @throws {UnsafeRedirectError} on https → http, another scheme than those, a user in the URL, a Location that is no URL, and a 301 or
 *   302 of anything but GET and HEAD: clients disagree on the method then, and a registry's upload would become a GET.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-15.4
 */
export function nextHop(request: HttpRequest, response: HttpResponse): HttpRequest | undefined {
  const location = response.headers.get('location');
  if (!REDIRECT_STATUSES.has(response.status) || location === undefined) return undefined;
  const url = safeUrl(request, response, location);
  const method = methodAfter(request, response.status);
  const keepsBody = method === request.method;
  const isSameOrigin = url.origin === response.url.origin;
  const headers = Object.entries(request.headers ?? {}).filter(([name]) => {
    const lower = name.toLowerCase();
    return (isSameOrigin || !SECRET_HEADERS.has(lower)) && (keepsBody || !BODY_HEADERS.has(lower));
  });
  return {
    method,
    url,
    headers: Object.fromEntries(headers),
    body: keepsBody ? request.body : undefined,
    signal: request.signal,
    answerTimeoutMs: request.answerTimeoutMs,
    reach: isSameOrigin || !isPublic(response.remoteAddress) ? request.reach : 'public',
  };
}

/**
 * Sends `request` and follows where its answers lead.
 *
 * @param sendHop sends one hop. It sees each hop's own URL, and so authorises each for its own origin.
 * @throws {UnsafeRedirectError} see `nextHop()`.
 * @throws {TooManyRedirectsError} after `limit` redirects.
 */
export async function followRedirects(
  request: HttpRequest,
  sendHop: (hop: HttpRequest) => Promise<HttpResponse>,
  limit: number = LIMITS.redirects,
): Promise<HttpResponse> {
  let hop = request;
  for (let hops = 0; ; hops++) {
    const response = await sendHop(hop);
    const next = await nextAfter(hop, response);
    if (next === undefined) return response;
    if (hops === limit) throw new TooManyRedirectsError(request, limit);
    hop = next;
  }
}

/** As `nextHop()`, and gets rid of the body of an answer that is not the last. */
async function nextAfter(
  hop: HttpRequest,
  response: HttpResponse,
): Promise<HttpRequest | undefined> {
  let next: HttpRequest | undefined;
  try {
    next = nextHop(hop, response);
  } catch (error) {
    await discard(response);
    throw error;
  }
  if (next !== undefined) await discard(response);
  return next;
}

function safeUrl(request: HttpRequest, response: HttpResponse, location: string): URL {
  if (!URL.canParse(location, response.url.href)) {
    throw new UnsafeRedirectError(
      request,
      `expected a URL, found "${printable(redactUrl(location), 200)}"`,
    );
  }
  const url = new URL(location, response.url);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new UnsafeRedirectError(
      request,
      `expected http or https, found "${printable(url.protocol, 40)}"`,
    );
  }
  if (url.protocol === 'http:' && response.url.protocol === 'https:') {
    throw new UnsafeRedirectError(request, `it leads from https to plain http, to "${url.host}"`);
  }
  if (url.username !== '' || url.password !== '')
    throw new UnsafeRedirectError(request, `it names a user in its URL, "${redactUrl(url)}"`);
  // A Location without a fragment inherits the request's, which is of no use to a server.
  url.hash = '';
  return url;
}

function methodAfter(request: HttpRequest, status: number): Method {
  const { method } = request;
  if (method === 'GET' || method === 'HEAD' || status === 307 || status === 308) return method;
  if (status === 303) return 'GET';
  throw new UnsafeRedirectError(
    request,
    `expected 307 or 308, which keep the method, found ${status}`,
  );
}

function isPublic(address: string | undefined): boolean {
  return address !== undefined && !isPrivateAddress(address);
}
