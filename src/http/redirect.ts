import { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { quote } from '../quote.ts';
import { redactUrl } from '../redact.ts';
import { isPrivateAddress } from './address.ts';
import { discard } from './body.ts';
import { describe } from './errors.ts';
import type { HttpRequest, HttpResponse, Layer, Method, Transport } from './message.ts';

/** Credentials belong to one origin only. */
const SECRET_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
]);

/** Headers about a body are dropped with the body. */
const BODY_HEADERS: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
]);

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Follows redirects, except for requests that want them returned. */
export const redirectLayer: Layer = (next) => (request) =>
  request.redirects === 'none' ? next(request) : followRedirects(request, next);

/**
 * Sends `request` and follows its redirects.
 *
 * @param next sends one hop. It sees each hop's own URL, and so authorises each for its own origin.
 * @throws {RegiError} with code UNSAFE_REDIRECT: see `nextHop()`; with INVALID_RESPONSE after
 *   `limit` redirects.
 */
export async function followRedirects(
  request: HttpRequest,
  next: Transport,
  limit: number = LIMITS.redirects,
): Promise<HttpResponse> {
  let hop = request;
  for (let hops = 0; ; hops += 1) {
    const response = await next(hop);
    const following = await hopAfter(hop, response);
    if (following === undefined) return response;
    if (hops === limit)
      throw new RegiError(
        'INVALID_RESPONSE',
        `Cannot ${describe(request)}: expected at most ${limit} redirects`,
        { hint: 'redirect loop; contact the operator of the server' },
      );
    hop = following;
  }
}

/** As `nextHop()`, and discards the body of a response that is not the last. */
async function hopAfter(
  hop: HttpRequest,
  response: HttpResponse,
): Promise<HttpRequest | undefined> {
  try {
    const next = nextHop(hop, response);
    if (next !== undefined) await discard(response);
    return next;
  } catch (error) {
    await discard(response);
    throw error;
  }
}

/**
 * Returns the request that a redirect leads to; undefined when the response is no redirect.
 *
 * Credentials stay behind when scheme, host or port change. A server at a public address may
 * redirect to public addresses only.
 *
 * @throws {RegiError} with code UNSAFE_REDIRECT on https → http, another scheme than those, a user
 *   in the URL, a Location that is no URL, and a 301 or 302 of anything but GET and HEAD: clients
 *   disagree on the method then, and a registry's upload would become a GET.
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
    ...request,
    method,
    url,
    headers: Object.fromEntries(headers),
    body: keepsBody ? request.body : undefined,
    reach: isSameOrigin || !isPublic(response.remoteAddress) ? request.reach : 'public',
  };
}

function safeUrl(request: HttpRequest, response: HttpResponse, location: string): URL {
  if (!URL.canParse(location, response.url.href))
    throw unsafe(request, `expected a URL, found ${quote(redactUrl(location))}`);
  const url = new URL(location, response.url);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw unsafe(request, `expected http or https, found ${quote(url.protocol)}`);
  if (url.protocol === 'http:' && response.url.protocol === 'https:')
    throw unsafe(request, `it leads from https to plain http, to "${url.host}"`);
  if (url.username !== '' || url.password !== '')
    throw unsafe(request, `it names a user in its URL, "${redactUrl(url)}"`);
  // A Location without a fragment inherits the request's, which is of no use to a server.
  url.hash = '';
  return url;
}

function methodAfter(request: HttpRequest, status: number): Method {
  const { method } = request;
  if (method === 'GET' || method === 'HEAD' || status === 307 || status === 308) return method;
  if (status === 303) return 'GET';
  throw unsafe(request, `expected 307 or 308, which keep the method, found ${status}`);
}

function unsafe(request: HttpRequest, problem: string): RegiError {
  const message = `Cannot follow the redirect of ${describe(request)}: ${problem}`;
  const hint = 'nothing was sent there; contact the operator of the server';
  return new RegiError('UNSAFE_REDIRECT', message, { hint });
}

function isPublic(address: string | undefined): boolean {
  return address !== undefined && !isPrivateAddress(address);
}
