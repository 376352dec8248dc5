import { isIP } from 'node:net';

import type { HttpHeaders } from '../http/message.ts';
import { rateLimit, type RateLimit } from '../http/retry-after.ts';

/** Warned of from here on. */
const LITTLE = 0.1;
const HOUR_SECONDS = 3600;

/**
 * Makes the reader of what a registry says is left of its pulls: once there is little, it reports that, once.
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
    // At none the next pull is refused, and the refusal says it.
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

/** What helps against a limit of pulls: a login, where an address is counted and not a user. */
export function quotaHint(
  host: string,
  { source, windowSeconds }: Pick<RateLimit, 'source' | 'windowSeconds'>,
): string {
  const isAnonymous = source === undefined || isIP(source) !== 0;
  if (isAnonymous) return `log in for a higher pull limit: regi login ${host}`;
  const when = windowSeconds === undefined ? '' : ` after ${describeSeconds(windowSeconds)}`;
  return `pulls come back${when}; a mirror or cache saves them, and some plans have no limit`;
}

/** ` in 6 hours`; empty where the registry does not say. */
export function windowOf({ windowSeconds }: Pick<RateLimit, 'windowSeconds'>): string {
  return windowSeconds === undefined ? '' : ` in ${describeSeconds(windowSeconds)}`;
}

function describeSeconds(seconds: number): string {
  return seconds >= HOUR_SECONDS
    ? `${Math.round(seconds / HOUR_SECONDS)} hours`
    : `${seconds} seconds`;
}
