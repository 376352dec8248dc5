import { RegiError, type RegiErrorOptions } from '../../errors.ts';
import { readConfigFile, showPath } from '../../disk/config-file.ts';
import { namedAuthFile, normalizeKey } from '../containers-auth.ts';
import { credentialOf } from '../docker/auth-entry.ts';
import {
  dockerKey,
  helperFor,
  hostOfKey,
  parseDockerConfig,
  type DockerConfig,
} from '../docker/config.ts';
import { dockerConfigPath } from '../docker/source.ts';
import {
  markAsKeptByHelper,
  removeEntriesOfHost,
  writePlainLogin,
  type ConfigFile,
  type PlainLogin,
} from '../docker/edit-config.ts';
import type { FileLoginsOptions } from './file-logins.ts';
import { createHelperRunner, programOf, storeWithHelper } from '../docker/helper.ts';
import { noteInKeychainIndex } from '../keychain/index-file.ts';
import { KEYCHAIN_NAME } from '../keychain/source.ts';
import { KeychainError, type Keychain } from '../keychain/keychain.ts';

export interface StoreLoginOptions extends FileLoginsOptions {
  readonly keychain: Keychain;
  /** Never write a secret to a file. */
  readonly keychainOnly: boolean;
}

/** Where a login went. */
export interface StoredLogin {
  readonly kind: 'helper' | 'keychain' | 'file';
  /** `~/.docker/config.json`, `docker-credential-pass`, `the keychain`. */
  readonly origin: string;
  /** A file from which a plain entry of the same registry was removed, because it would have been read instead. */
  readonly removedFrom?: string | undefined;
  /** Why the keychain could not take it; only of a file that was written in its place. */
  readonly fallback?: KeychainError | undefined;
}

/** A secret that was to go to the keychain, and has only a file to go to. */
class KeychainRequiredError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('FAILED', message, options);
  }
}

/**
 * Keeps a login where the user's configuration says: the auth file that a flag or variable names, the helper of docker's
 * configuration, else the keychain, else docker's configuration itself, in plain with mode 0600.
 *
 * @param host as written in references.
 * @throws {KeychainRequiredError} when only a file is left, with `keychainOnly`.
 * @throws {CredentialHelperError} when the helper does not take it: its owner does not want it anywhere else.
 */
export async function storeLogin(
  host: string,
  login: PlainLogin,
  options: StoreLoginOptions,
  signal?: AbortSignal,
): Promise<StoredLogin> {
  const named = namedAuthFile(options.authfile, options.env, options.cwd);
  if (named !== undefined && !options.keychainOnly)
    return storeInNamedFile(host, login, named, options, signal);
  const path = dockerConfigPath(options.env, options.home);
  const file = { path, shown: showPath(path, options.home) };
  const config = await load(file);
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

async function storeInNamedFile(
  host: string,
  login: PlainLogin,
  path: string,
  options: StoreLoginOptions,
  signal: AbortSignal | undefined,
): Promise<StoredLogin> {
  const file = { path, shown: showPath(path, options.home) };
  const config = await load(file);
  // podman asks the helpers of this file by host, and does not read its credsStore.
  const helper = config.credHelpers.get(host);
  if (helper) return storeInHelper(helper, host, login, { file, config, options, signal });
  return storeInFile(file, normalizeKey(host), login);
}

async function storeInHelper(
  helper: string,
  key: string,
  { username, password }: PlainLogin,
  { file, config, options, signal }: Surroundings,
) {
  await storeWithHelper(
    helper,
    key,
    { username, secret: password },
    options.runHelper ?? createHelperRunner(options.env),
    signal,
  );
  await markAsKeptByHelper(file, key);
  return {
    kind: 'helper',
    origin: programOf(helper),
    removedFrom: hasPlainLogin(config, key) ? file.shown : undefined,
  } satisfies StoredLogin;
}

/** The index comes last: an entry of it says that the keychain has the login, and a file that still had one would be read first. */
async function storeInKeychain(
  key: string,
  { username, password }: PlainLogin,
  { file, config, options, signal }: Surroundings,
) {
  await options.keychain.set(key, { username, secret: password }, signal);
  const isShadowed = hasPlainLogin(config, key);
  if (isShadowed) await removeEntriesOfHost(file, key);
  await noteInKeychainIndex(key, username, options);
  return {
    kind: 'keychain',
    origin: KEYCHAIN_NAME,
    removedFrom: isShadowed ? file.shown : undefined,
  } satisfies StoredLogin;
}

async function storeInFile(file: ConfigFile, key: string, login: PlainLogin): Promise<StoredLogin> {
  await writePlainLogin(file, key, login);
  return { kind: 'file', origin: file.shown };
}

async function load({ path, shown }: ConfigFile): Promise<DockerConfig> {
  return parseDockerConfig((await readConfigFile(path, shown)) ?? '', shown);
}

function hasPlainLogin({ auths, skipped }: DockerConfig, key: string): boolean {
  const isOfHost = (written: string): boolean => written === key || hostOfKey(written) === key;
  return (
    [...auths].some(([written, entry]) => isOfHost(written) && credentialOf(entry) !== undefined) ||
    skipped.some(({ key: written }) => isOfHost(written))
  );
}

function keychainRequired(reason: string, hint: string | undefined): KeychainRequiredError {
  return new KeychainRequiredError(
    `Cannot store the login in the keychain: ${reason}; nothing is stored`,
    { hint },
  );
}
