import { credentialOf } from './auth-entry.ts';
import { loadDockerAuthVariable } from './docker-auth-variable.ts';
import { createEnvironmentSource } from './environment.ts';
import { defaultFileLogins, dockerLogins, namedFileLogins, registryOfKey, type FileLoginsOptions } from './file-logins.ts';
import { readKeychainIndex } from './keychain-index.ts';
import { OWN_HELPER } from './helper.ts';
import { KEYCHAIN_NAME } from './keychain-source.ts';
import type { KnownLogin, RankedLogin } from './known-login.ts';

/**
 * Every login that is kept anywhere, in the order in which places are asked; the keychain itself is not: it may be locked.
 * Helpers are asked for names, never for secrets.
 */
export async function listLogins(options: FileLoginsOptions, signal?: AbortSignal): Promise<readonly RankedLogin[]> {
  const logins = [
    ...(await environmentLogins(options)),
    ...(await namedFileLogins(options, signal)),
    ...variableLogins(options),
    ...(await dockerLogins(options, signal)),
    ...(await keychainLogins(options)),
    ...(await defaultFileLogins(options, signal)),
  ];
  return rank(logins.filter((login) => !isListedByOurHelper(login, logins)));
}

/** The same entry of the keychain is not two logins because docker's configuration names our helper. */
function isListedByOurHelper({ registry, place }: KnownLogin, all: readonly KnownLogin[]): boolean {
  return place.kind === 'keychain' && all.some((other) => other.registry === registry && other.place.kind === 'helper' && other.place.name === OWN_HELPER);
}

/**
 * A login for `registry` in the environment or in the auth file that it names: whatever is stored elsewhere, it is used instead.
 *
 * @throws {InvalidConfigError} when the `REGI_*` variables are incomplete.
 */
export async function loginBefore(registry: string, options: FileLoginsOptions): Promise<KnownLogin | undefined> {
  const first = [...(await environmentLogins(options)), ...(await namedFileLogins(options)), ...variableLogins(options)];
  return first.find((login) => login.registry === registry);
}

function rank(logins: readonly KnownLogin[]): readonly RankedLogin[] {
  const winners = new Map<string, KnownLogin>();
  const ranked = logins.map((login) => {
    if (login.ignored !== undefined) return { ...login, used: false, reason: login.ignored };
    const winner = winners.get(login.registry) ?? widerWinner(login, winners);
    if (winner !== undefined) return { ...login, used: false, reason: `it is asked after ${winner.origin}` };
    winners.set(login.registry, login);
    return { ...login, used: true, reason: ONLY };
  });
  return ranked.map((login) => (login.used ? { ...login, reason: whyUsed(login, ranked) } : login));
}

/** Of a login that has no rival. */
export const ONLY = 'it is the only one';

function whyUsed(login: KnownLogin, all: readonly RankedLogin[]): string {
  const beaten = all.filter((other) => !other.used && other.registry === login.registry).map(({ origin }) => origin);
  return beaten.length === 0 ? ONLY : `it is asked before ${[...new Set(beaten)].join(' and ')}`;
}

/** A login for all of a registry, in a place that is asked earlier: namespaces matter only within one file. */
function widerWinner({ registry, origin }: KnownLogin, winners: ReadonlyMap<string, KnownLogin>): KnownLogin | undefined {
  const parts = registry.split('/');
  const wider = parts.slice(1).map((_, dropped) => winners.get(parts.slice(0, dropped + 1).join('/')));
  return wider.find((winner) => winner !== undefined && winner.origin !== origin);
}

async function environmentLogins({ env }: FileLoginsOptions): Promise<readonly KnownLogin[]> {
  const registry = registryOfKey(env['REGI_REGISTRY'] ?? '');
  const found = await createEnvironmentSource(env)(registry, undefined);
  if (found?.credential.kind !== 'password') return [];
  const names = ['REGI_REGISTRY', 'REGI_USERNAME', 'REGI_PASSWORD'];
  return [{ registry, username: found.credential.username, origin: found.origin, place: { kind: 'variable', names } }];
}

function variableLogins({ env, warn }: FileLoginsOptions): readonly KnownLogin[] {
  const name = 'DOCKER_AUTH_CONFIG';
  return [...loadDockerAuthVariable(env, warn).auths].flatMap(([key, entry]) =>
    credentialOf(entry) === undefined
      ? []
      : [{ registry: registryOfKey(key), username: entry.username, origin: name, place: { kind: 'variable' as const, names: [name] } }],
  );
}

async function keychainLogins(options: FileLoginsOptions): Promise<readonly KnownLogin[]> {
  const index = await readKeychainIndex(options);
  return [...index].map(([account, username]) => ({
    registry: registryOfKey(account),
    username,
    origin: KEYCHAIN_NAME,
    place: { kind: 'keychain' as const, account },
  }));
}
