import type { Context } from '../context.ts';
import type { FileLoginsOptions } from '../credentials/file-logins.ts';
import { createKeychain, type Keychain } from '../credentials/keychain.ts';

/** Where a command looks for logins and keeps them. */
export interface CredentialPlaces extends FileLoginsOptions {
  readonly keychain: Keychain;
}

/** The places of one command: a keychain that failed once is not asked again by it. */
export function credentialPlaces({ io, settings, warn, note }: Context): CredentialPlaces {
  return {
    env: io.env,
    home: io.home,
    cwd: io.cwd,
    warn,
    authfile: settings.authfile,
    keychain: createKeychain({ run: io.runKeychain, env: io.env, os: io.host.os, isTerminal: io.stderr.isTTY, clock: io.clock, note }),
  };
}
