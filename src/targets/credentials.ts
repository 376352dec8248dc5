import type { Context } from '../context.ts';
import type { FileLoginsOptions } from '../credentials/logins/file-logins.ts';
import { createHelperRunner, OWN_HELPER, type RunHelper } from '../credentials/docker/helper.ts';
import { createKeychain, type Keychain } from '../credentials/keychain/keychain.ts';
import type { HelperPlace } from '../credentials/logins/serve-helper.ts';

/** Where a command looks for logins and keeps them. */
export interface CredentialPlaces extends FileLoginsOptions {
  readonly keychain: Keychain;
}

/** The places of one command: a keychain that failed once is not asked again by it. */
export function credentialPlaces({ io, settings, warn, note }: Context): CredentialPlaces {
  const { env, home, cwd } = io;
  const keychain = createKeychain({
    run: io.runKeychain,
    env,
    os: io.host.os,
    isTerminal: io.stderr.isTTY,
    clock: io.clock,
    note,
  });
  return {
    env,
    home,
    cwd,
    warn,
    authfile: settings.authfile,
    keychain,
    runHelper: withOwnHelper(createHelperRunner(env), { env, home, keychain }),
  };
}

/**
 * Where docker's configuration names our own helper, nothing is started: it need not be on the PATH, and a person has the time to
 * unlock a keyring that only a program at the terminal gives.
 */
function withOwnHelper(run: RunHelper, place: HelperPlace): RunHelper {
  return async (name, verb, input, signal) => {
    if (name !== OWN_HELPER) return run(name, verb, input, signal);
    const { runHelperVerb } = await import('../credentials/logins/serve-helper.ts');
    return { kind: 'exited', ...(await runHelperVerb(verb, input, place, signal)) };
  };
}
