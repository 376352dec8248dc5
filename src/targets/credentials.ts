import { readRegistriesConf } from '../configuration/registries-conf-files.ts';
import type { Context } from '../context.ts';
import { createHelperRunner, OWN_HELPER, type RunHelper } from '../credentials/docker/helper.ts';
import { createKeychain, type Keychain } from '../credentials/keychain/keychain.ts';
import type { FileLoginsOptions } from '../credentials/logins/file-logins.ts';
import type { HelperPlace } from '../credentials/logins/serve-helper.ts';
import { UsageError } from '../errors.ts';
import { parseReference, referenceIn } from '../oci/reference.ts';
import { quote, withoutScheme } from '../quote.ts';

/** The places where a command looks for logins and stores them. */
export interface CredentialPlaces extends FileLoginsOptions {
  readonly keychain: Keychain;
}

/** Returns the places of one command, which asks a keychain that failed only once. */
export function credentialPlaces({ io, settings, warn, note, wait }: Context): CredentialPlaces {
  const { env, home, linuxUid, cwd, runKeychain } = io;
  const keychain = createKeychain({
    run:
      runKeychain &&
      ((request, options) => wait('Waiting for the keychain', () => runKeychain(request, options))),
    env,
    os: io.host.os,
    isTerminal: io.stderr.isTTY,
    clock: io.clock,
    note,
  });
  return {
    env,
    home,
    linuxUid,
    cwd,
    warn,
    authfile: settings.authfile,
    keychain,
    containersHelpers: async () =>
      (await readRegistriesConf({ env, home, cwd }))?.credentialHelpers,
    runHelper: withOwnHelper(waitingFor(createHelperRunner(env, settings.timeoutMs), wait), {
      env,
      home,
      keychain,
    }),
  };
}

function waitingFor(run: RunHelper, wait: Context['wait']): RunHelper {
  return (name, ...rest) =>
    // It may ask for a passphrase at this terminal, which must not be drawn over.
    name === 'pass'
      ? run(name, ...rest)
      : wait(`Waiting for docker-credential-${name}`, () => run(name, ...rest));
}

/**
 * Runs our own credential helper in this process where docker's configuration names it: it need not
 * be on the PATH, and a person has time to unlock a keyring that only opens for a program at the
 * terminal.
 */
function withOwnHelper(run: RunHelper, place: HelperPlace): RunHelper {
  return async (name, verb, input, signal) => {
    if (name !== OWN_HELPER) return run(name, verb, input, signal);
    const { runHelperVerb } = await import('../credentials/logins/serve-helper.ts');
    return { kind: 'exited', ...(await runHelperVerb(verb, input, place, signal)) };
  };
}

const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_NAMES: ReadonlySet<string> = new Set([
  DOCKER_HUB,
  'index.docker.io',
  'registry-1.docker.io',
  'hub.docker.com',
]);

/**
 * Parses the registry of a login: `registry.example:5000`, `https://registry.example/`, or nothing
 * for Docker Hub. A path is ignored, because a login is for a whole registry.
 *
 * @throws {UsageError} when no reference could name such a registry.
 */
export function parseRegistryName(text: string | undefined): string {
  const host = withoutScheme(text ?? DOCKER_HUB).split('/', 1)[0] ?? '';
  if (DOCKER_HUB_NAMES.has(host)) return DOCKER_HUB;
  if (referenceIn(`${host}/x`)?.domain === host) return host;
  throw new UsageError(
    `Cannot use ${quote(text ?? '')} as a registry: expected a host with a dot or a port, or localhost`,
    {
      hint: 'write it as in image names: registry.example, registry.example:5000; nothing means Docker Hub',
    },
  );
}

/**
 * Parses a registry and the repository after it: `registry.example/team/app`. A tag or digest is
 * ignored.
 *
 * @throws {UsageError} when no reference could name such a registry.
 * @throws {InvalidReferenceError} when the repository is malformed.
 */
export function parseRegistryPlace(text: string | undefined): {
  readonly host: string;
  readonly repository: string | undefined;
} {
  const host = parseRegistryName(text);
  const bare = withoutScheme(text ?? '').replace(/\/+$/, '');
  const slash = bare.indexOf('/');
  if (slash < 0) return { host, repository: undefined };
  return { host, repository: parseReference(`${host}/${bare.slice(slash + 1)}`).path };
}
