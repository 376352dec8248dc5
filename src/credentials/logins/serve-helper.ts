import * as z from 'zod/mini';

import { RegiError } from '../../errors.ts';
import { tryParseJson } from '../../json.ts';
import { printable } from '../../redact.ts';
import { type ConfigPlace, dockerKey, registryOfKey } from '../docker/config.ts';
import { HELPER_NOT_FOUND } from '../docker/helper.ts';
import { noteInKeychainIndex, readKeychainIndex } from '../keychain/index-file.ts';
import type { Keychain } from '../keychain/keychain.ts';

export interface HelperPlace extends ConfigPlace {
  readonly keychain: Keychain;
}

/** The end of a helper. Its clients read errors from standard output too. */
export interface HelperResult {
  readonly status: 0 | 1;
  readonly stdout: string;
}

/**
 * Texts that clients compare.
 *
 * @see https://github.com/docker/docker-credential-helpers/blob/v0.9.3/credentials/error.go
 */
const NO_SERVER_URL = 'no credentials server URL';
const NO_USERNAME = 'no credentials username';

const loginShape = z.object({
  ServerURL: z.optional(z.string()),
  Username: z.optional(z.string()),
  Secret: z.optional(z.string()),
});

/**
 * Executes one verb of a docker credential helper, over the keychain only. docker's configuration
 * may name this helper, so reading that configuration would be a loop. The keychain is accessed
 * only for logins in the index, so that a locked one costs nothing otherwise.
 *
 * @see https://github.com/docker/docker-credential-helpers/blob/v0.9.3/README.md#development
 */
export async function runHelperVerb(
  verb: string,
  input: string,
  place: HelperPlace,
  signal?: AbortSignal,
): Promise<HelperResult> {
  try {
    if (verb === 'list')
      return done(JSON.stringify(Object.fromEntries(await readKeychainIndex(place))));
    if (verb === 'store') return await store(input, place, signal);
    if (verb !== 'get' && verb !== 'erase')
      return refused(
        `Cannot run "${printable(verb, 40)}": expected get, store, erase, list or version`,
      );
    const url = input.trim();
    if (url === '') return refused(NO_SERVER_URL);
    const account = accountOf(url);
    const isKnown = (await readKeychainIndex(place)).has(account);
    if (verb === 'get') {
      const login = isKnown ? await place.keychain.get(account, signal) : undefined;
      if (login === undefined) return refused(HELPER_NOT_FOUND);
      const { username, secret } = login;
      return done(JSON.stringify({ ServerURL: url, Username: username, Secret: secret }));
    }
    // docker erases a host under every form of its name, so erasing an absent login succeeds.
    if (isKnown) {
      await place.keychain.delete(account, signal);
      await noteInKeychainIndex(account, undefined, place);
    }
    return done('');
  } catch (error) {
    if (signal?.aborted === true || !(error instanceof RegiError)) throw error;
    return refused(error.hint === undefined ? error.message : `${error.message}; ${error.hint}`);
  }
}

async function store(
  input: string,
  place: HelperPlace,
  signal: AbortSignal | undefined,
): Promise<HelperResult> {
  const login = loginShape.safeParse(tryParseJson(input));
  if (!login.success)
    return refused('Cannot store a login: expected JSON with "ServerURL", "Username" and "Secret"');
  const { ServerURL: url = '', Username: username = '', Secret: secret = '' } = login.data;
  if (url.trim() === '') return refused(NO_SERVER_URL);
  if (username === '') return refused(NO_USERNAME);
  const account = accountOf(url.trim());
  await place.keychain.set(account, { username, secret }, signal);
  await noteInKeychainIndex(account, username, place);
  return done('');
}

/**
 * The account that `regi login` uses for the same registry, whatever scheme and path the client
 * writes.
 */
function accountOf(url: string): string {
  return dockerKey(registryOfKey(url));
}

function done(text: string): HelperResult {
  return { status: 0, stdout: text === '' ? '' : `${text}\n` };
}

function refused(text: string): HelperResult {
  return { status: 1, stdout: `${printable(text)}\n` };
}
