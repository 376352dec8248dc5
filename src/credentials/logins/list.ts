import { credentialOf, registryOfKey } from '../docker/config.ts';
import { OWN_HELPER } from '../docker/helper.ts';
import {
  createEnvironmentSource,
  DOCKER_VARIABLE,
  loadDockerAuthVariable,
  LOGIN_VARIABLES,
} from '../environment.ts';
import { KEYCHAIN_NAME, readKeychainIndex } from '../keychain/index-file.ts';
import {
  defaultFileLogins,
  dockerLogins,
  type FileLoginsOptions,
  type KnownLogin,
  namedFileLogins,
} from './file-logins.ts';

/** A login, and whether it is the one that is used. */
export interface RankedLogin extends KnownLogin {
  readonly used: boolean;
  /** Why it is used, or why not. */
  readonly reason: string;
}

/**
 * Lists every stored login, in the order in which places are asked. Asks helpers for names, never
 * for secrets, and does not access the keychain, which may be locked.
 */
export async function listLogins(
  options: FileLoginsOptions,
  signal?: AbortSignal,
): Promise<readonly RankedLogin[]> {
  const logins = [
    ...(await explicitLogins(options, signal)),
    ...(await dockerLogins(options, signal)),
    ...(await keychainLogins(options)),
    ...(await defaultFileLogins(options, signal)),
  ];
  return rank(logins.filter((login) => !isListedByOwnHelper(login, logins)));
}

/**
 * The login for `registry` in the environment, or in the auth file that the environment names. It
 * is used before any stored login.
 *
 * @throws {InvalidConfigError} when the `REGI_*` variables are incomplete.
 */
export async function loginBefore(
  registry: string,
  options: FileLoginsOptions,
): Promise<KnownLogin | undefined> {
  return (await explicitLogins(options)).find((login) => login.registry === registry);
}

async function explicitLogins(
  options: FileLoginsOptions,
  signal?: AbortSignal,
): Promise<readonly KnownLogin[]> {
  return [
    ...(await environmentLogins(options)),
    ...(await namedFileLogins(options, signal)),
    ...variableLogins(options),
  ];
}

/**
 * True for a keychain entry that is already listed because docker's configuration names regi's
 * helper.
 */
function isListedByOwnHelper({ registry, place }: KnownLogin, all: readonly KnownLogin[]): boolean {
  return (
    place.kind === 'keychain' &&
    all.some(
      (other) =>
        other.registry === registry &&
        (other.place.kind === 'helper' || other.place.kind === 'listed-helper') &&
        other.place.name === OWN_HELPER,
    )
  );
}

function rank(logins: readonly KnownLogin[]): readonly RankedLogin[] {
  const winners = new Map<string, KnownLogin>();
  const ranked = logins.map((login) => {
    if (login.ignored !== undefined) return { ...login, used: false, reason: login.ignored };
    const winner = winners.get(login.registry) ?? widerWinner(login, winners);
    if (winner !== undefined)
      return { ...login, used: false, reason: `it is asked after ${winner.origin}` };
    winners.set(login.registry, login);
    return { ...login, used: true, reason: ONLY };
  });
  return ranked.map((login) => (login.used ? { ...login, reason: whyUsed(login, ranked) } : login));
}

/** The reason of a login without a rival. */
export const ONLY = 'it is the only one';

function whyUsed(login: KnownLogin, all: readonly RankedLogin[]): string {
  const beaten = all
    .filter((other) => !other.used && other.registry === login.registry)
    .map(({ origin }) => origin);
  return beaten.length === 0 ? ONLY : `it is asked before ${[...new Set(beaten)].join(' and ')}`;
}

/** A login for the whole registry in an earlier place: namespaces matter only within one file. */
function widerWinner(
  { registry, origin }: KnownLogin,
  winners: ReadonlyMap<string, KnownLogin>,
): KnownLogin | undefined {
  const parts = registry.split('/');
  const wider = parts
    .slice(1)
    .map((_, dropped) => winners.get(parts.slice(0, dropped + 1).join('/')));
  return wider.find((winner) => winner !== undefined && winner.origin !== origin);
}

async function environmentLogins({ env }: FileLoginsOptions): Promise<readonly KnownLogin[]> {
  const registry = registryOfKey(env['REGI_REGISTRY'] ?? '');
  const found = await createEnvironmentSource(env)(registry, undefined);
  if (found?.credential.kind !== 'password') return [];
  const { username } = found.credential;
  const place = { kind: 'variable', names: LOGIN_VARIABLES } as const;
  return [{ registry, username, origin: found.origin, place }];
}

function variableLogins({ env, warn }: FileLoginsOptions): readonly KnownLogin[] {
  const place = { kind: 'variable', names: [DOCKER_VARIABLE] } as const;
  return [...loadDockerAuthVariable(env, warn).auths].flatMap(([key, entry]) =>
    credentialOf(entry) === undefined
      ? []
      : [
          {
            registry: registryOfKey(key),
            username: entry.username,
            origin: DOCKER_VARIABLE,
            place,
          },
        ],
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
