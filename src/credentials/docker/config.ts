import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import * as z from 'zod/mini';

import { readConfigFile, showPath } from '../../disk/config-file.ts';
import { InvalidConfigError } from '../../errors.ts';
import { tryParseJson, withFoldedNames } from '../../json.ts';
import { unlessErrno } from '../../disk/errno.ts';
import { quotePath } from '../../quote.ts';
import { printable } from '../../redact.ts';
import type { Credential } from '../credential.ts';

export type Warn = (message: string, hint?: string) => void;

/** The environment and home folder in which configuration is looked up. */
export interface ConfigPlace {
  /** The environment of the program. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The home folder. */
  readonly home: string;
  /** The number of the user on Linux, whose login podman keeps below /run; undefined elsewhere. */
  readonly linuxUid?: number | undefined;
}

/** The path of a configuration, and its name in messages. */
export interface ConfigFile {
  readonly path: string;
  readonly shown: string;
  /** True for a `.dockercfg`, whose top level is the `auths` of a config.json. */
  readonly isFlat?: boolean | undefined;
  /** True if DOCKER_CONFIG names its folder. */
  readonly isInNamedFolder?: boolean | undefined;
}

/** The credentials in docker's config.json. */
export interface DockerConfig {
  /** By key as written: `host[:port]`, often with a scheme and a path. */
  readonly auths: ReadonlyMap<string, AuthEntry>;
  /** The helper for every host that `credHelpers` does not name. */
  readonly credsStore: string | undefined;
  /** Helpers by host; an empty name means the file. */
  readonly credHelpers: ReadonlyMap<string, string>;
  /** Malformed entries. docker refuses the whole file for one, and with it every other host. */
  readonly skipped: readonly { readonly key: string; readonly problem: string }[];
}

/** A decoded entry of `auths`, in docker's config.json or in an auth.json of containers. */
export interface AuthEntry {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** A refresh token. */
  readonly identityToken?: string | undefined;
  /** A bearer token for the registry itself. */
  readonly registryToken?: string | undefined;
}

/** Why an entry is skipped, without any of its text. */
interface BadEntry {
  readonly problem: string;
}

/** docker's key for Docker Hub. */
export const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';

const configShape = z.object({
  auths: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
  credsStore: z.optional(z.nullable(z.string())),
  credHelpers: z.optional(z.nullable(z.record(z.string(), z.string()))),
});

const CONFIG_NAMES: ReadonlySet<string> = new Set(Object.keys(configShape.shape));

const text = z.optional(z.nullable(z.string()));
const entryShape = z.object({
  auth: text,
  username: text,
  password: text,
  identitytoken: text,
  registrytoken: text,
});
const ENTRY_NAMES: ReadonlySet<string> = new Set(Object.keys(entryShape.shape));

/** The file at `path`, with the name that a person in `home` knows it by. */
export function configFile(path: string, home: string): ConfigFile {
  return { path, shown: showPath(path, home) };
}

/** docker's own configuration file. */
export function dockerConfigFile({ env, home }: ConfigPlace): ConfigFile {
  const named = env['DOCKER_CONFIG'];
  const file = configFile(join(named || join(home, '.docker'), 'config.json'), home);
  return { ...file, ...(named && { isInNamedFolder: true }) };
}

/**
 * Reads a configuration; an absent file is an empty one. Warns of each entry that is skipped.
 *
 * @param isRequired true for a file that the user named.
 * @throws {InvalidConfigError} when it cannot be read or parsed, or is required and absent.
 */
export async function readDockerConfig(
  { path, shown, isFlat, isInNamedFolder = false }: ConfigFile,
  warn?: Warn,
  isRequired = false,
): Promise<DockerConfig> {
  const content = await readConfigFile(path, shown);
  if (content === undefined && isRequired) {
    throw new InvalidConfigError(`Cannot find "${shown}": expected a file with credentials`, {
      hint: 'correct --authfile',
    });
  }
  if (content === undefined && isInNamedFolder) {
    const place = dirname(path);
    const found = await unlessErrno(['ENOENT', 'ENOTDIR', 'EACCES'], stat(place));
    if (found?.isFile() === true)
      throw new InvalidConfigError(
        `Cannot use DOCKER_CONFIG: expected a folder with a config.json, and ${quotePath(place)} is a file`,
        { hint: `name its folder: DOCKER_CONFIG=${dirname(place)}` },
      );
  }
  const config = parseDockerConfig(content ?? '', shown, isFlat);
  if (warn !== undefined) warnOfSkipped(config, shown, warn);
  return config;
}

/**
 * Parses docker's config.json or a `.dockercfg`. Empty text is an empty configuration; unknown
 * members are ignored, and names may have any case, as in docker.
 *
 * @throws {InvalidConfigError} when it is no JSON object, or a member has the wrong type.
 */
export function parseDockerConfig(content: string, shown: string, isFlat = false): DockerConfig {
  const json = content.trim() === '' ? {} : tryParseJson(content);
  const hint = `correct ${shown}, or move it away and log in again`;
  if (json === undefined) {
    throw new InvalidConfigError(`Cannot read "${shown}": expected JSON`, { hint });
  }
  const config = configShape.safeParse(
    isFlat ? { auths: json } : withFoldedNames(json, CONFIG_NAMES),
  );
  if (!config.success) {
    throw new InvalidConfigError(
      `Cannot read "${shown}": expected an object with "auths", "credsStore" and "credHelpers" as docker writes them`,
      { hint },
    );
  }
  const auths = new Map<string, AuthEntry>();
  const skipped: { key: string; problem: string }[] = [];
  for (const [key, value] of Object.entries(config.data.auths ?? {})) {
    const entry = decodeAuthEntry(value);
    if ('problem' in entry) skipped.push({ key, problem: entry.problem });
    else auths.set(key, entry);
  }
  return {
    auths,
    credsStore: config.data.credsStore || undefined,
    credHelpers: new Map(Object.entries(config.data.credHelpers ?? {})),
    skipped,
  };
}

/** Warns of each skipped entry. Its key may contain a password too, so only the host is shown. */
export function warnOfSkipped({ skipped }: DockerConfig, shown: string, warn: Warn): void {
  for (const { key, problem } of skipped) {
    const host = printable(hostOfKey(key).replace(/^.*@/, ''), 100);
    warn(
      `Cannot use the entry "${host}" of ${shown}: ${problem}`,
      `replace it: regi login ${host}`,
    );
  }
}

/**
 * Decodes an entry. `auth` is standard base64 of `user:password`, split at the first colon, and
 * has precedence over the plain members.
 *
 * @see https://github.com/docker/cli/blob/v28.3.0/cli/config/configfile/file.go
 */
export function decodeAuthEntry(value: unknown): AuthEntry | BadEntry {
  const shape = entryShape.safeParse(withFoldedNames(value, ENTRY_NAMES));
  if (!shape.success) return { problem: 'expected an object with text members' };
  const { auth, username, password, identitytoken, registrytoken } = shape.data;
  const login = auth ? decodeAuth(auth) : { username: username ?? '', password: password ?? '' };
  if ('problem' in login) return login;
  return {
    ...(login.username !== '' && login),
    ...(identitytoken && { identityToken: identitytoken }),
    ...(registrytoken && { registryToken: registrytoken }),
  };
}

function decodeAuth(
  auth: string,
): { readonly username: string; readonly password: string } | BadEntry {
  // Go's decoder skips line breaks and nothing else.
  const base64 = auth.replace(/[\r\n]/g, '');
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64))
    return { problem: 'expected "auth" to be base64 with padding' };
  const login = Buffer.from(base64, 'base64').toString('utf8');
  const colon = login.indexOf(':');
  if (colon <= 0) return { problem: 'expected "auth" to be base64 of user:password' };
  let end = login.length;
  while (end > colon + 1 && login.charCodeAt(end - 1) === 0) end -= 1;
  return { username: login.slice(0, colon), password: login.slice(colon + 1, end) };
}

/**
 * The credential of an entry; undefined for an empty one, which marks that a helper has the login.
 * Tokens have precedence, as in docker.
 */
export function credentialOf({
  username,
  password = '',
  identityToken,
  registryToken,
}: AuthEntry): Credential | undefined {
  if (registryToken !== undefined) return { kind: 'registry-token', token: registryToken };
  if (identityToken !== undefined)
    return {
      kind: 'identity-token',
      token: identityToken,
      ...(username !== undefined && { username }),
    };
  return username === undefined ? undefined : { kind: 'password', username, password };
}

/** The entry with exactly that key, else the first whose key has it as its host. */
export function findAuthEntry({ auths }: DockerConfig, key: string): AuthEntry | undefined {
  return auths.get(key) ?? [...auths].find(([written]) => hostOfKey(written) === key)?.[1];
}

/** The helper for `key`; undefined when the entries of the file itself are used. */
export function helperFor(
  { credHelpers, credsStore }: DockerConfig,
  key: string,
): string | undefined {
  return (credHelpers.get(key) ?? credsStore) || undefined;
}

/** The key under which docker stores the login of a host. */
export function dockerKey(host: string): string {
  return host === 'docker.io' || host === 'index.docker.io' ? DOCKER_HUB_KEY : host;
}

/** The registry of one of docker's keys, as written in references. */
export function registryOfKey(key: string): string {
  const host = hostOfKey(key);
  return host === 'index.docker.io' ? 'docker.io' : host;
}

/** `https://registry.example:5000/v2/` → `registry.example:5000`. */
export function hostOfKey(key: string): string {
  return key.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
}
