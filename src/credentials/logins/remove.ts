import { assertNever } from '../../errors.ts';
import { removeEntry } from '../docker/edit-config.ts';
import { createHelperRunner, eraseWithHelper } from '../docker/helper.ts';
import { noteInKeychainIndex } from '../keychain/index-file.ts';
import type { Keychain } from '../keychain/keychain.ts';
import type { KnownLogin } from './list.ts';
import type { FileLoginsOptions } from './file-logins.ts';

export interface RemoveLoginOptions extends FileLoginsOptions {
  readonly keychain: Keychain;
}

/** Whether regi can remove it: what is in the environment is its owner's. */
export function isRemovable({ place }: KnownLogin): boolean {
  return place.kind !== 'variable';
}

/**
 * Removes a login from where it is kept.
 *
 * @throws {KeychainError} when the keychain cannot be used here and now.
 * @throws {CredentialHelperError} when the helper fails.
 */
export async function removeLogin(
  { place }: KnownLogin,
  options: RemoveLoginOptions,
  signal?: AbortSignal,
): Promise<void> {
  switch (place.kind) {
    case 'variable':
      return;
    case 'file':
      return removeEntry(place, place.key);
    case 'helper':
      await eraseWithHelper(
        place.name,
        place.key,
        options.runHelper ?? createHelperRunner(options.env),
        signal,
      );
      // The empty entry that says that a helper has it.
      return removeEntry(place, place.key);
    case 'keychain':
      await options.keychain.delete(place.account, signal);
      return noteInKeychainIndex(place.account, undefined, options);
    default:
      assertNever(place);
  }
}
