import { credentialOf } from '../docker/auth-entry.ts';
import { loadDockerAuthVariable } from '../docker/auth-variable.ts';
import type { ConfigFile } from '../docker/edit-config.ts';
import { OWN_HELPER } from '../docker/helper.ts';
import { createEnvironmentSource } from '../environment.ts';
import { readKeychainIndex } from '../keychain/index-file.ts';
import { KEYCHAIN_NAME } from '../keychain/source.ts';
import {
  defaultFileLogins,
  dockerLogins,
  type FileLoginsOptions,
  namedFileLogins,
  registryOfKey,
} from './file-logins.ts';

/**
 * Every login that is kept anywhere, in the order in which places are asked; the keychain itself is not: it may be locked.
 * Helpers are asked for names, never for secrets.
 */
export async function listLogins(
  options: FileLoginsOptions,
  signal?: AbortSignal,
): Promise<readonly RankedLogin[]> {
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
  return (
    place.kind === 'keychain' &&
    all.some(
      (other) =>
        other.registry === registry &&
        other.place.kind === 'helper' &&
        other.place.name === OWN_HELPER,
    )
  );
}

/**
 * A login for `registry` in the environment or in the auth file that it names: whatever is stored elsewhere, it is used instead.
 *
 * @throws {InvalidConfigError} when the `REGI_*` variables are incomplete.
 */
export async function loginBefore(
  registry: string,
  options: FileLoginsOptions,
): Promise<KnownLogin | undefined> {
  const first = [
    ...(await environmentLogins(options)),
    ...(await namedFileLogins(options)),
    ...variableLogins(options),
  ];
  return first.find((login) => login.registry === registry);
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

/** Of a login that has no rival. */
export const ONLY = 'it is the only one';

function whyUsed(login: KnownLogin, all: readonly RankedLogin[]): string {
  const beaten = all
    .filter((other) => !other.used && other.registry === login.registry)
    .map(({ origin }) => origin);
  return beaten.length === 0 ? ONLY : `it is asked before ${[...new Set(beaten)].join(' and ')}`;
}

/** A login for all of a registry, in a place that is asked earlier: namespaces matter only within one file. */
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
  const names = ['REGI_REGISTRY', 'REGI_USERNAME', 'REGI_PASSWORD'];
  return [
    {
      registry,
      username: found.credential.username,
      origin: found.origin,
      place: { kind: 'variable', names },
    },
  ];
}

function variableLogins({ env, warn }: FileLoginsOptions): readonly KnownLogin[] {
  const name = 'DOCKER_AUTH_CONFIG';
  return [...loadDockerAuthVariable(env, warn).auths].flatMap(([key, entry]) =>
    credentialOf(entry) === undefined
      ? []
      : [
          {
            registry: registryOfKey(key),
            username: entry.username,
            origin: name,
            place: { kind: 'variable' as const, names: [name] },
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

/** Where a login is kept, as needed to remove it. */
export type LoginPlace =
  /** Environment variables, which only their owner can unset. */
  | { readonly kind: 'variable'; readonly names: readonly string[] }
  | (ConfigFile & { readonly kind: 'file'; readonly key: string })
  /** A helper, and the configuration that names it. */
  | {
      readonly kind: 'helper';
      readonly name: string;
      readonly key: string;
      readonly path: string;
      readonly shown: string;
    }
  | { readonly kind: 'keychain'; readonly account: string };

/** A login that is kept somewhere: never with its secret. */
export interface KnownLogin {
  /** As in references; with a namespace behind it where the login is only for that: `registry.example/team`. */
  readonly registry: string;
  /** Undefined where the place does not tell without giving the secret too. */
  readonly username: string | undefined;
  /** `~/.docker/config.json`, `docker-credential-pass`, `the keychain`. */
  readonly origin: string;
  readonly place: LoginPlace;
  /** Why it is not used, whatever else is there. */
  readonly ignored?: string | undefined;
}

/** A login, and whether it is the one that is used. */
export interface RankedLogin extends KnownLogin {
  readonly used: boolean;
  /** Why it is used, or why not. */
  readonly reason: string;
}
