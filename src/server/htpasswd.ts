import { createHash, createHmac } from 'node:crypto';

import { InvalidConfigError } from '../errors.ts';
import type { Authenticate } from './exchange.ts';

const BCRYPT = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/;

const CHALLENGE = { kind: 'challenge', challenge: 'Basic realm="regi", charset="UTF-8"' } as const;

/** Logins remembered: checking a password again for each of a hundred layers would cost seconds. */
const REMEMBERED = 100;

/**
 * Allows the users of an htpasswd file by Basic authentication.
 *
 * @param text lines `user:hash`, bcrypt only, as in distribution's registry.
 * @throws {InvalidConfigError} on any other line, or without a user.
 */
export function authenticateHtpasswd(text: string): Authenticate {
  const users = parseHtpasswd(text);
  const proved = new Set<string>();
  const hashes = [...users.values()];
  // An unknown name takes as long as a known one, so names cannot be guessed by time. The file's
  // own hashes stand in: their costs differ from file to file, and within one. The choice is
  // secret, and the same at every attempt.
  const standIn = (username: string): string => {
    const choice = createHmac('sha256', text).update(username).digest().readUInt32BE();
    return hashes[choice % hashes.length] ?? '';
  };
  return async ({ headers }) => {
    const given = parseBasic(headers.authorization);
    if (given === undefined) return CHALLENGE;
    const key = createHash('sha256').update(`${given.username}\0${given.password}`).digest('hex');
    if (proved.has(key)) return { kind: 'allowed' };
    const hash = users.get(given.username);
    const { compare } = await import('bcryptjs');
    const matches = await compare(given.password, hash ?? standIn(given.username));
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
      throw new InvalidConfigError(
        `Cannot read htpasswd line ${index + 1}: expected a user, ":" and a bcrypt hash`,
        {
          hint: 'create it with: htpasswd -B FILE USER',
        },
      );
    }
    users.set(line.slice(0, colon), hash);
  }
  if (users.size === 0)
    throw new InvalidConfigError('Cannot use htpasswd: expected at least one user', {
      hint: 'create one with: htpasswd -B FILE USER',
    });
  return users;
}

/**
 * Parses the user and password of a Basic `Authorization` header.
 *
 * @returns undefined for any other header.
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
