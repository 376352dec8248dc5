import type { Call } from './exchange.ts';

export type Verdict =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'challenge'; readonly challenge: string }
  | { readonly kind: 'denied' };

/** Decides whether a request may go on; a challenge is the `WWW-Authenticate` to answer with. */
export type Authenticate = (
  call: Pick<Call, 'method' | 'path' | 'query' | 'headers'>,
) => Promise<Verdict>;

/**
 * Reads the user and password of a Basic `Authorization` header.
 *
 * @returns undefined when it is something else.
 * @see https://www.rfc-editor.org/rfc/rfc7617
 */
export function parseBasic(
  authorization: string | undefined,
): { readonly username: string; readonly password: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? '');
  const text = match?.[1] === undefined ? '' : Buffer.from(match[1], 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0
    ? undefined
    : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
