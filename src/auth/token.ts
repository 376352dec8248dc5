import * as z from 'zod/mini';

import { tryParseJson } from '../json.ts';

/** A bearer token. Times are in milliseconds since 1970 by our own clock. */
export interface Token {
  readonly value: string;
  readonly obtainedAt: number;
  readonly expiresAt: number;
}

/**
 * The default lifetime.
 *
 * @see https://github.com/distribution/distribution/blob/v3.0.0/docs/content/spec/auth/token.md
 */
const DEFAULT_LIFE_MS = 60_000;
/** Longer lifetimes are cut: a number too large for a date must not make a token eternal. */
const LONGEST_LIFE_MS = 24 * 60 * 60 * 1000;

const tokenShape = z.object({
  token: z.optional(z.nullable(z.string())),
  access_token: z.optional(z.nullable(z.string())),
  expires_in: z.optional(z.nullable(z.union([z.number(), z.string()]))),
  issued_at: z.optional(z.nullable(z.string())),
});

/**
 * Reads the response of a token service; undefined without a usable token.
 *
 * A lifetime below the specification's minimum of 60 s is accepted: a few more token requests cost
 * less than a refused upload. A missing, zero or negative one counts as 60 s, so that one request
 * never needs two tokens.
 *
 * @param sentAt when the request was sent.
 */
export function parseToken(body: Uint8Array, sentAt: number): Token | undefined {
  const { data } = tokenShape.safeParse(tryParseJson(body));
  const value = data?.token || data?.access_token;
  if (typeof value !== 'string' || !isHeaderSafe(value)) return undefined;
  const life = lifeOf(data?.expires_in);
  const expiresAt = issuedAt(data?.issued_at, sentAt, life) + life;
  return { value, obtainedAt: sentAt, expiresAt };
}

/** True for visible ASCII only, which can be part of a header. */
export function isHeaderSafe(token: string): boolean {
  return /^[\x21-\x7e]+$/.test(token);
}

function lifeOf(seconds: number | string | null | undefined): number {
  const ms = Number(seconds ?? 0) * 1000;
  return ms > 0 ? Math.min(ms, LONGEST_LIFE_MS) : DEFAULT_LIFE_MS;
}

/**
 * Uses the server's clock only if it agrees with ours: otherwise a token would be expired from the
 * start, or live too long.
 */
function issuedAt(text: string | null | undefined, sentAt: number, life: number): number {
  const issued = Date.parse(text ?? '');
  return issued <= sentAt && sentAt - issued <= life / 2 ? issued : sentAt;
}
