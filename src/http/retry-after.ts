import type { HttpHeaders } from './message.ts';

/** A registry's limit of pulls. */
export interface RateLimit {
  readonly limit: number;
  readonly remaining: number;
  readonly windowSeconds: number | undefined;
  /** The address or user id that is counted. */
  readonly source: string | undefined;
}

/**
 * Returns the wait that a server asks for, in milliseconds; undefined without a readable one. A
 * date counts from the response's own `Date`, because the clocks of two machines may be hours
 * apart.
 *
 * @param now milliseconds since 1970.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function retryAfterMs(headers: HttpHeaders, now: number): number | undefined {
  const asked = headers.get('retry-after')?.trim();
  if (asked !== undefined) {
    if (/^\d{1,9}$/.test(asked)) return Number(asked) * 1000;
    const time = parseHttpDate(asked, now);
    return time === undefined
      ? undefined
      : Math.max(0, time - (parseHttpDate(headers.get('date')?.trim() ?? '', now) ?? now));
  }
  // Docker Hub's API: a time in seconds since 1970, not a number of seconds.
  const until = headers.get('x-retry-after')?.trim();
  return until !== undefined && /^\d{10}$/.test(until)
    ? Math.max(0, Number(until) * 1000 - now)
    : undefined;
}

/**
 * Reads the pull limit of a response; undefined without one.
 *
 * @see https://docs.docker.com/docker-hub/usage/pulls/
 */
export function rateLimit(headers: HttpHeaders): RateLimit | undefined {
  const limits = headers.get('ratelimit-limit')?.split(',') ?? [];
  const limit = leadingNumber(limits[0]);
  const remaining = leadingNumber(headers.get('ratelimit-remaining'));
  if (limit === undefined || remaining === undefined) return undefined;
  const windowSeconds = limits.map(windowOf).find((seconds) => seconds !== undefined);
  return { limit, remaining, windowSeconds, source: headers.get('docker-ratelimit-source') };
}

function leadingNumber(text: string | undefined): number | undefined {
  const digits = /^\s*(\d{1,12})\s*(?:;|$)/.exec(text ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function windowOf(item: string): number | undefined {
  const digits = /;\s*w\s*=\s*(\d{1,12})\s*(?:;|$)/.exec(item)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/**
 * The three date forms of RFC 9110 §5.6.7. Not Date.parse: it reads the last form as local time,
 * and numbers such as "1.5" as dates.
 */
const DATE_FORMS = [
  /^\w{3}, (?<day>\d{2}) (?<month>\w{3}) (?<year>\d{4}) (?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2}) GMT$/,
  /^\w{6,9}, (?<day>\d{2})-(?<month>\w{3})-(?<year>\d{2}) (?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2}) GMT$/,
  /^\w{3} (?<month>\w{3}) (?<day>[ \d]\d) (?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2}) (?<year>\d{4})$/,
];

function parseHttpDate(text: string, now: number): number | undefined {
  for (const form of DATE_FORMS) {
    const { year = '', month = '', day, hour, minute, second } = form.exec(text)?.groups ?? {};
    const monthIndex = MONTHS.indexOf(month.toLowerCase());
    if (monthIndex < 0) continue;
    const time = Date.UTC(
      fullYear(year, now),
      monthIndex,
      Number(day),
      Number(hour),
      Number(minute),
      Number(second),
    );
    return Number.isNaN(time) ? undefined : time;
  }
  return undefined;
}

/** A year of two digits is at most 50 years ahead (RFC 9110 §5.6.7). */
function fullYear(digits: string, now: number): number {
  if (digits.length === 4) return Number(digits);
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + Number(digits);
  return year > thisYear + 50 ? year - 100 : year;
}
