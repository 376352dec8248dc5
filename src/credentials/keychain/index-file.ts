import { join } from 'node:path';

import * as z from 'zod/mini';

import { readConfigFile } from '../../disk/config-file.ts';
import { changePrivateFile } from '../../disk/private-file.ts';
import { InvalidConfigError } from '../../errors.ts';
import { tryParseJson } from '../../json.ts';
import { credentialOfSecret, type CredentialSource } from '../credential.ts';
import {
  configFile,
  type ConfigFile,
  type ConfigPlace,
  dockerKey,
  type Warn,
} from '../docker/config.ts';
import { KeychainError, type Keychain } from './keychain.ts';

export interface KeychainSourceOptions extends ConfigPlace {
  readonly keychain: Keychain;
  readonly warn: Warn;
}

/** The name of the keychain in messages. */
export const KEYCHAIN_NAME = 'the keychain';

const indexShape = z.object({ logins: z.record(z.string(), z.object({ username: z.string() })) });

/**
 * The logins that regi stored in the keychain. If the keychain cannot be read, the source warns and
 * returns nothing: public images need no login, and a refusal says what to do.
 */
export function createKeychainSource(options: KeychainSourceOptions): CredentialSource {
  const { keychain, warn } = options;
  let index: ReturnType<typeof readKeychainIndex> | undefined;
  return async (host, _repository, signal) => {
    const account = dockerKey(host);
    index ??= readKeychainIndex(options);
    if (!(await index).has(account)) return undefined;
    try {
      const login = await keychain.get(account, signal);
      return login && { credential: credentialOfSecret(login), origin: KEYCHAIN_NAME };
    } catch (error) {
      if (!(error instanceof KeychainError)) throw error;
      warn(
        `Cannot read the login for "${host}" from the keychain: ${error.reason}; continuing without it`,
        error.hint,
      );
      return undefined;
    }
  };
}

/**
 * User names by the accounts that regi has stored in the keychain. The index makes a locked
 * keychain free where regi stored nothing, and lists logins without their secrets: a keychain can
 * be asked only for one entry by its name.
 *
 * @throws {InvalidConfigError} when the file exists and is no index.
 */
export async function readKeychainIndex(place: ConfigPlace): Promise<ReadonlyMap<string, string>> {
  const { path, shown } = indexFile(place);
  const text = await readConfigFile(path, shown);
  if (text === undefined || text.trim() === '') return new Map();
  const index = indexShape.safeParse(tryParseJson(text));
  if (!index.success) {
    throw new InvalidConfigError(
      `Cannot read "${shown}": expected {"logins":{"REGISTRY":{"username":"…"}}}`,
      { hint: `remove it and log in again: rm ${shown}` },
    );
  }
  return new Map(
    Object.entries(index.data.logins).map(([account, { username }]) => [account, username]),
  );
}

/** Records that the keychain has a login under `account`; without a user name, that it has none. */
export async function noteInKeychainIndex(
  account: string,
  username: string | undefined,
  place: ConfigPlace,
): Promise<void> {
  const { path, shown } = indexFile(place);
  await changePrivateFile(path, shown, async () => {
    const index = new Map(await readKeychainIndex(place));
    if (index.get(account) === username) return undefined;
    index.delete(account);
    if (username !== undefined) index.set(account, username);
    const logins = Object.fromEntries([...index].map(([key, name]) => [key, { username: name }]));
    return `${JSON.stringify({ logins }, undefined, 2)}\n`;
  });
}

function indexFile({ env, home }: ConfigPlace): ConfigFile {
  const settings = env['XDG_CONFIG_HOME'] || join(home, '.config');
  return configFile(join(settings, 'regi', 'keychain.json'), home);
}
