import { isIP } from 'node:net';

import { RegiError } from '../errors.ts';
import type { HttpHeaders, HttpRequest, Layer } from '../http/message.ts';
import { rateLimit, type RateLimit } from '../http/retry-after.ts';

/** Share of the limit below which a warning is due. */
const LITTLE = 0.1;
const HOUR_SECONDS = 3600;

/**
 * Makes a reader of a registry's pull limit. It reports once, when few pulls are left.
 *
 * @param host as written in references.
 */
export function createQuotaReader(
  host: string,
  report: (message: string, hint: string) => void,
): (headers: HttpHeaders) => void {
  let isReported = false;
  return (headers) => {
    const quota = rateLimit(headers);
    // With none left, the refusal of the next pull explains itself.
    if (
      isReported ||
      quota === undefined ||
      quota.remaining === 0 ||
      quota.remaining > quota.limit * LITTLE
    )
      return;
    isReported = true;
    report(
      `"${host}" allows ${quota.remaining} more pulls of ${quota.limit}${windowOf(quota)}`,
      quotaHint(host, quota),
    );
  };
}

/** Returns what to do about a pull limit: log in, if addresses are counted and not users. */
export function quotaHint(
  host: string,
  { source, windowSeconds }: Pick<RateLimit, 'source' | 'windowSeconds'>,
): string {
  const isAnonymous = source === undefined || isIP(source) !== 0;
  if (isAnonymous) return `log in for a higher pull limit: regi login ${host}`;
  const when = windowSeconds === undefined ? '' : ` after ${describeSeconds(windowSeconds)}`;
  return `the limit resets${when}; a mirror or cache saves pulls, and some plans have no limit`;
}

/** Formats the window: ` in 6 hours`; empty when the registry does not state it. */
export function windowOf({ windowSeconds }: Pick<RateLimit, 'windowSeconds'>): string {
  return windowSeconds === undefined ? '' : ` in ${describeSeconds(windowSeconds)}`;
}

function describeSeconds(seconds: number): string {
  return seconds >= HOUR_SECONDS
    ? `${Math.round(seconds / HOUR_SECONDS)} hours`
    : `${seconds} seconds`;
}

/** A pull was not sent, because the command leaves some unused. */
export class PullsKeptError extends RegiError {
  constructor(host: string, kept: number) {
    super('RATE_LIMITED', `Cannot pull from "${host}": its limit leaves ${kept} pulls or fewer`, {
      hint: 'run the same command again when the limit has reset',
    });
  }
}

/**
 * Refuses to read more manifests when only `kept` pulls would be left: those that the registry's
 * last response states, less those that are in flight. A registry without a limit is not
 * restricted.
 *
 * @see https://docs.docker.com/docker-hub/usage/pulls/
 */
export function keepPullsLayer(host: string, kept: number): Layer {
  let remaining = Number.POSITIVE_INFINITY;
  let inFlight = 0;
  return (next) => async (request) => {
    const isCounted = isPull(request);
    if (isCounted && remaining - inFlight <= kept) throw new PullsKeptError(host, kept);
    if (isCounted) inFlight += 1;
    try {
      const response = await next(request);
      remaining = rateLimit(response.headers)?.remaining ?? remaining;
      return response;
    } finally {
      if (isCounted) inFlight -= 1;
    }
  };
}

/** Docker Hub counts each GET of a manifest. */
function isPull({ method, url }: HttpRequest): boolean {
  return method === 'GET' && /\/manifests\/[^/]+$/.test(url.pathname);
}
