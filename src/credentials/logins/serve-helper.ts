import * as z from 'zod/mini';

import { RegiError } from '../../errors.ts';
import { printable } from '../../redact.ts';
import { dockerKey } from '../docker/config.ts';
import { registryOfKey } from './file-logins.ts';
import {
  noteInKeychainIndex,
  readKeychainIndex,
  type ConfigPlace,
} from '../keychain/index-file.ts';
import type { Keychain } from '../keychain/keychain.ts';
import { tryParseJson } from '../../json.ts';

export interface HelperPlace extends ConfigPlace {
  readonly keychain: Keychain;
}

/** What a helper ends with: its clients read what went wrong from standard output too. */
export interface HelperAnswer {
  readonly status: 0 | 1;
  readonly stdout: string;
}

/** Texts that clients compare with. @see https://github.com/docker/docker-credential-helpers/blob/v0.9.3/credentials/error.go */
const NOT_FOUND = 'credentials not found in native keychain';
const NO_SERVER_URL = 'no credentials server URL';
const NO_USERNAME = 'no credentials username';

const loginShape = z.object({
  ServerURL: z.optional(z.string()),
  Username: z.optional(z.string()),
  Secret: z.optional(z.string()),
});

/**
 * Does what a docker credential helper does for one verb, over the keychain and nothing else: docker's configuration may name this helper, and
 * asking that configuration would come back here. What regi has not stored in the keychain is not asked for, so that a locked one costs nothing.
 *
 * @see https://github.com/docker/docker-credential-helpers/blob/v0.9.3/README.md#development
 */
export async function answerAsHelper(
  verb: string,
  input: string,
  place: HelperPlace,
  signal?: AbortSignal,
): Promise<HelperAnswer> {
  try {
    switch (verb) {
      case 'get':
        return await get(input.trim(), place, signal);
      case 'store':
        return await store(input, place, signal);
      case 'erase':
        return await erase(input.trim(), place, signal);
      case 'list':
        return said(JSON.stringify(Object.fromEntries(await readKeychainIndex(place))));
      default:
        return refused(
          `Cannot do "${printable(verb, 40)}": expected get, store, erase, list or version`,
        );
    }
  } catch (error) {
    if (signal?.aborted === true || !(error instanceof RegiError)) throw error;
    return refused(error.hint === undefined ? error.message : `${error.message}; ${error.hint}`);
  }
}

async function get(
  url: string,
  place: HelperPlace,
  signal: AbortSignal | undefined,
): Promise<HelperAnswer> {
  if (url === '') return refused(NO_SERVER_URL);
  const account = accountOf(url);
  const isKnown = (await readKeychainIndex(place)).has(account);
  const login = isKnown ? await place.keychain.get(account, signal) : undefined;
  if (login === undefined) return refused(NOT_FOUND);
  return said(JSON.stringify({ ServerURL: url, Username: login.username, Secret: login.secret }));
}

async function store(
  input: string,
  place: HelperPlace,
  signal: AbortSignal | undefined,
): Promise<HelperAnswer> {
  const login = loginShape.safeParse(tryParseJson(input));
  if (!login.success)
    return refused('Cannot store a login: expected JSON with "ServerURL", "Username" and "Secret"');
  const { ServerURL: url = '', Username: username = '', Secret: secret = '' } = login.data;
  if (url.trim() === '') return refused(NO_SERVER_URL);
  if (username === '') return refused(NO_USERNAME);
  const account = accountOf(url.trim());
  await place.keychain.set(account, { username, secret }, signal);
  await noteInKeychainIndex(account, username, place);
  return said('');
}

/** docker erases a host under every form of its name, one after the other: one that is not there is fine. */
async function erase(
  url: string,
  place: HelperPlace,
  signal: AbortSignal | undefined,
): Promise<HelperAnswer> {
  if (url === '') return refused(NO_SERVER_URL);
  const account = accountOf(url);
  if ((await readKeychainIndex(place)).has(account)) {
    await place.keychain.delete(account, signal);
    await noteInKeychainIndex(account, undefined, place);
  }
  return said('');
}

/** The account that `regi login` uses for the same registry, whatever scheme and path the client writes. */
function accountOf(url: string): string {
  return dockerKey(registryOfKey(url));
}

function said(text: string): HelperAnswer {
  return { status: 0, stdout: text === '' ? '' : `${text}\n` };
}

function refused(text: string): HelperAnswer {
  return { status: 1, stdout: `${printable(text)}\n` };
}
