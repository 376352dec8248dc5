import * as z from 'zod/mini';

/** A bearer token. Times are milliseconds since 1970 by our own clock. */
export interface Token {
  readonly value: string;
  readonly obtainedAt: number;
  readonly expiresAt: number;
}

/** A lifetime that is not given. @see https://github.com/distribution/distribution/blob/v3.0.0/docs/content/spec/auth/token.md */
const DEFAULT_LIFE_MS = 60_000;
/** Longer ones are renewed daily: a number too large for a date must not make a token eternal. */
const LONGEST_LIFE_MS = 24 * 60 * 60 * 1000;

const answerShape = z.object({
  token: z.optional(z.nullable(z.string())),
  access_token: z.optional(z.nullable(z.string())),
  expires_in: z.optional(z.nullable(z.union([z.number(), z.string()]))),
  issued_at: z.optional(z.nullable(z.string())),
});

/**
 * Reads the answer of a token service; undefined when there is no usable token in it.
 *
 * A lifetime below the specification's least of 60 s is believed nevertheless: the server means it, and asking a little more
 * often costs less than a refused upload. One that is absent, zero or negative counts as 60 s, so that no token is asked for
 * twice by one request.
 *
 * @param askedAt when the request was sent.
 */
export function parseTokenAnswer(body: Uint8Array, askedAt: number): Token | undefined {
  const answer = answerShape.safeParse(parseJson(body));
  if (!answer.success) return undefined;
  const value = answer.data.token || answer.data.access_token;
  if (typeof value !== 'string' || !isHeaderSafe(value)) return undefined;
  const life = lifeOf(answer.data.expires_in);
  return {
    value,
    obtainedAt: askedAt,
    expiresAt: issuedAt(answer.data.issued_at, askedAt, life) + life,
  };
}

/** A token becomes part of a header: visible ASCII only. */
export function isHeaderSafe(token: string): boolean {
  return /^[\x21-\x7e]+$/.test(token);
}

function lifeOf(seconds: number | string | null | undefined): number {
  const ms = Number(seconds ?? 0) * 1000;
  return ms > 0 ? Math.min(ms, LONGEST_LIFE_MS) : DEFAULT_LIFE_MS;
}

/** The server's clock counts only where it agrees with ours: else the token would be born expired, or live too long. */
function issuedAt(text: string | null | undefined, askedAt: number, life: number): number {
  const issued = Date.parse(text ?? '');
  return issued <= askedAt && askedAt - issued <= life / 2 ? issued : askedAt;
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
