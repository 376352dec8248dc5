import type { CredentialSource } from '../credential.ts';
import { dockerKey } from '../docker/config.ts';
import { IDENTITY_TOKEN_USER, type Warn } from '../docker/source.ts';
import { KeychainError, type Keychain } from './keychain.ts';
import { readKeychainIndex, type ConfigPlace } from './index-file.ts';

export interface KeychainSourceOptions extends ConfigPlace {
  readonly keychain: Keychain;
  readonly warn: Warn;
}

/** How the keychain is called in messages. */
export const KEYCHAIN_NAME = 'the keychain';

/**
 * The logins that regi stored in the keychain. A keychain that cannot be read is warned of and passed over: what may be read by
 * anybody can then still be read, and a refusal says what to do.
 */
export function createKeychainSource({
  keychain,
  warn,
  ...place
}: KeychainSourceOptions): CredentialSource {
  let index: ReturnType<typeof readKeychainIndex> | undefined;
  return async (host, _repository, signal) => {
    const account = dockerKey(host);
    index ??= readKeychainIndex(place);
    if (!(await index).has(account)) return undefined;
    try {
      const login = await keychain.get(account, signal);
      if (login === undefined) return undefined;
      const { username, secret } = login;
      return {
        credential:
          username === IDENTITY_TOKEN_USER
            ? { kind: 'identity-token', token: secret }
            : { kind: 'password', username, password: secret },
        origin: KEYCHAIN_NAME,
      };
    } catch (error) {
      if (!(error instanceof KeychainError)) throw error;
      warn(
        `Cannot read the login for "${host}" from the keychain: ${error.reason}; going on without it`,
        error.hint,
      );
      return undefined;
    }
  };
}
