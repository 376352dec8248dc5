import { assertNever } from '../../errors.ts';
import { removeEntry } from '../docker/edit-config.ts';
import { createHelperRunner, eraseWithHelper } from '../docker/helper.ts';
import { noteInKeychainIndex } from '../keychain/index-file.ts';
import type { Keychain } from '../keychain/keychain.ts';
import type { FileLoginsOptions, KnownLogin } from './file-logins.ts';

export interface RemoveLoginOptions extends FileLoginsOptions {
  readonly keychain: Keychain;
}

/** True if regi can remove the login; only the user can unset environment variables. */
export function isRemovable({ place }: KnownLogin): boolean {
  return place.kind !== 'variable';
}

/**
 * Removes a login from its place.
 *
 * @throws {KeychainError} when the keychain cannot be used.
 * @throws {CredentialHelperError} when the helper fails.
 */
export async function removeLogin(
  { place }: KnownLogin,
  options: RemoveLoginOptions,
  signal?: AbortSignal,
): Promise<void> {
  const { env, keychain, runHelper = createHelperRunner(env) } = options;
  switch (place.kind) {
    case 'variable':
      return;
    case 'file':
      return removeEntry(place, place.key);
    case 'helper':
      await eraseWithHelper(place.name, place.key, runHelper, signal);
      // The empty entry, which marks that a helper has the login.
      return removeEntry(place, place.key);
    case 'listed-helper':
      return eraseWithHelper(place.name, place.key, runHelper, signal);
    case 'keychain':
      await keychain.delete(place.account, signal);
      return noteInKeychainIndex(place.account, undefined, options);
    default:
      assertNever(place);
  }
}
