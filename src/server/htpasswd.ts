import { createHash } from 'node:crypto';

import { RegiError, type RegiErrorOptions } from '../errors.ts';
import { parseBasic, type Authenticate } from './authenticate.ts';

/** An htpasswd file that cannot be used. */
export class InvalidHtpasswdError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('INVALID_CONFIG', message, options);
  }
}

const BCRYPT = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/;

/** Of a password nobody knows: an unknown user costs as much time as a wrong password, so names cannot be guessed. */
const NOBODY = '$2b$10$QnbQP4o.S82.K71TQdq8pOWs1lZxIqmrL7O1dyzMK.JlcKqOoxpEO';

const CHALLENGE = { kind: 'challenge', challenge: 'Basic realm="regi", charset="UTF-8"' } as const;

/** Proofs remembered: checking a password anew for each of a hundred layers would cost seconds. */
const REMEMBERED = 100;

/**
 * Lets in the users of an htpasswd file by Basic authentication.
 *
 * @param text lines `user:hash`, bcrypt only, as distribution's registry takes them.
 * @throws {InvalidHtpasswdError} on a line of another kind, or when there is no user.
 */
export function authenticateHtpasswd(text: string): Authenticate {
  const users = parseHtpasswd(text);
  const proved = new Set<string>();
  return async ({ headers }) => {
    const given = parseBasic(headers.authorization);
    if (given === undefined) return CHALLENGE;
    const key = createHash('sha256').update(`${given.username}\0${given.password}`).digest('hex');
    if (proved.has(key)) return { kind: 'allowed' };
    const hash = users.get(given.username);
    const { compare } = await import('bcryptjs');
    const matches = await compare(given.password, hash ?? NOBODY);
    if (hash === undefined || !matches) return CHALLENGE;
    if (proved.size >= REMEMBERED) proved.clear();
    proved.add(key);
    return { kind: 'allowed' };
  };
}

function parseHtpasswd(text: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const hash = line.slice(colon + 1);
    if (colon < 1 || !BCRYPT.test(hash)) {
      throw new InvalidHtpasswdError(
        `Cannot read htpasswd line ${index + 1}: expected a user, ":" and a bcrypt hash`,
        {
          hint: 'make it with: htpasswd -B FILE USER',
        },
      );
    }
    users.set(line.slice(0, colon), hash);
  }
  if (users.size === 0)
    throw new InvalidHtpasswdError('Cannot use htpasswd: expected at least one user', {
      hint: 'make one with: htpasswd -B FILE USER',
    });
  return users;
}
