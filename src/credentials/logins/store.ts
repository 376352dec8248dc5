import { RegiError } from '../../errors.ts';
import { namedAuthFile, normalizeKey } from '../containers-auth.ts';
import {
  type ConfigFile,
  credentialOf,
  type DockerConfig,
  dockerConfigFile,
  dockerKey,
  helperFor,
  hostOfKey,
  readDockerConfig,
} from '../docker/config.ts';
import {
  markAsKeptByHelper,
  type PlainLogin,
  removeEntriesOfHost,
  writePlainLogin,
} from '../docker/edit-config.ts';
import { createHelperRunner, programOf, storeWithHelper } from '../docker/helper.ts';
import { KEYCHAIN_NAME, noteInKeychainIndex } from '../keychain/index-file.ts';
import { type Keychain, KeychainError } from '../keychain/keychain.ts';
import type { FileLoginsOptions } from './file-logins.ts';

export interface StoreLoginOptions extends FileLoginsOptions {
  readonly keychain: Keychain;
  /** Never write a secret to a file. */
  readonly keychainOnly: boolean;
}

/** The place where a login was stored. */
export interface StoredLogin {
  readonly kind: 'helper' | 'keychain' | 'file';
  /** `~/.docker/config.json`, `docker-credential-pass`, `the keychain`. */
  readonly origin: string;
  /**
   * A file from which a plain entry of the same registry was removed, because it would be read
   * first.
   */
  readonly removedFrom?: string | undefined;
  /** Why the keychain could not store it, if a file was used instead. */
  readonly fallback?: KeychainError | undefined;
}

/**
 * Stores a login where the user's configuration says: in the auth file that a flag or variable
 * names, in the helper of docker's configuration, in the keychain, or in docker's configuration
 * itself, in plain text with mode 0600.
 *
 * @param host as written in references.
 * @throws {RegiError} FAILED when only a file is left and `keychainOnly` is set.
 * @throws {CredentialHelperError} when the helper fails: its owner wants the login nowhere else.
 */
export async function storeLogin(
  host: string,
  login: PlainLogin,
  options: StoreLoginOptions,
  signal?: AbortSignal,
): Promise<StoredLogin> {
  const named = namedAuthFile(options);
  if (named !== undefined && !options.keychainOnly) {
    const config = await readDockerConfig(named);
    // podman asks the helpers of this file by host, and does not read its credsStore.
    const helper = config.credHelpers.get(host);
    return helper
      ? storeInHelper(helper, host, login, { file: named, config, options, signal })
      : storeInFile(named, normalizeKey(host), login);
  }
  const file = dockerConfigFile(options);
  const config = await readDockerConfig(file);
  const key = dockerKey(host);
  const helper = helperFor(config, key);
  if (helper !== undefined)
    return storeInHelper(helper, key, login, { file, config, options, signal });
  if (config.credHelpers.get(key) === '') {
    if (options.keychainOnly)
      throw keychainRequired(
        `credHelpers of ${file.shown} asks for the file itself`,
        `remove "${key}" from credHelpers there`,
      );
    return storeInFile(file, key, login);
  }
  try {
    return await storeInKeychain(key, login, { file, config, options, signal });
  } catch (error) {
    if (!(error instanceof KeychainError)) throw error;
    if (options.keychainOnly) throw keychainRequired(error.reason, error.hint);
    return { ...(await storeInFile(file, key, login)), fallback: error };
  }
}

interface Surroundings {
  readonly file: ConfigFile;
  readonly config: DockerConfig;
  readonly options: StoreLoginOptions;
  readonly signal: AbortSignal | undefined;
}

async function storeInHelper(
  helper: string,
  key: string,
  { username, password }: PlainLogin,
  { file, config, options, signal }: Surroundings,
): Promise<StoredLogin> {
  const { env, runHelper = createHelperRunner(env) } = options;
  await storeWithHelper(helper, key, { username, secret: password }, runHelper, signal);
  await markAsKeptByHelper(file, key);
  const removedFrom = hasPlainLogin(config, key) ? file.shown : undefined;
  return { kind: 'helper', origin: programOf(helper), removedFrom };
}

async function storeInKeychain(
  key: string,
  { username, password }: PlainLogin,
  { file, config, options, signal }: Surroundings,
): Promise<StoredLogin> {
  await options.keychain.set(key, { username, secret: password }, signal);
  const isShadowed = hasPlainLogin(config, key);
  if (isShadowed) await removeEntriesOfHost(file, key);
  // The index comes last: a file that still has the login would be read before the keychain.
  await noteInKeychainIndex(key, username, options);
  const removedFrom = isShadowed ? file.shown : undefined;
  return { kind: 'keychain', origin: KEYCHAIN_NAME, removedFrom };
}

async function storeInFile(file: ConfigFile, key: string, login: PlainLogin): Promise<StoredLogin> {
  await writePlainLogin(file, key, login);
  return { kind: 'file', origin: file.shown };
}

function hasPlainLogin({ auths, skipped }: DockerConfig, key: string): boolean {
  const isOfHost = (written: string): boolean => written === key || hostOfKey(written) === key;
  return (
    [...auths].some(([written, entry]) => isOfHost(written) && credentialOf(entry) !== undefined) ||
    skipped.some(({ key: written }) => isOfHost(written))
  );
}

function keychainRequired(reason: string, hint: string | undefined): RegiError {
  return new RegiError(
    'FAILED',
    `Cannot store the login in the keychain: ${reason}; nothing is stored`,
    { hint },
  );
}
