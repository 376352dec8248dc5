import * as z from 'zod/mini';

import { decodeAuthEntry, type AuthEntry } from './auth-entry.ts';
import { InvalidConfigError } from '../../errors.ts';

/** What docker's config.json says of credentials. */
export interface DockerConfig {
  /** By key as written: `host[:port]`, often with a scheme and a path. */
  readonly auths: ReadonlyMap<string, AuthEntry>;
  /** The helper for every host that `credHelpers` does not name. */
  readonly credsStore: string | undefined;
  /** Helpers by host; an empty name means the file. */
  readonly credHelpers: ReadonlyMap<string, string>;
  /** Entries that are skipped: docker refuses the whole file for one of them, and with it every other host. */
  readonly skipped: readonly { readonly key: string; readonly problem: string }[];
}

/** The name under which docker keeps what belongs to Docker Hub. */
export const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';

const configShape = z.object({
  auths: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
  credsStore: z.optional(z.nullable(z.string())),
  credHelpers: z.optional(z.nullable(z.record(z.string(), z.string()))),
});

/**
 * Parses docker's config.json. Empty text is an empty configuration; unknown members are ignored.
 *
 * @param shown names the file in messages.
 * @throws {InvalidConfigError} when it is no JSON object, or a member that matters here has another type.
 */
export function parseDockerConfig(text: string, shown: string): DockerConfig {
  const config = configShape.safeParse(text.trim() === '' ? {} : parseJson(text, shown));
  if (!config.success) {
    throw new InvalidConfigError(
      `Cannot read "${shown}": expected an object with "auths", "credsStore" and "credHelpers" as docker writes them`,
      {
        hint: hintFor(shown),
      },
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

/**
 * Parses a `.dockercfg`, which is what `auths` is elsewhere.
 *
 * @throws {InvalidConfigError} when it is no JSON object.
 */
export function parseFlatConfig(text: string, shown: string): DockerConfig {
  if (text.trim() === '') return parseDockerConfig('', shown);
  return parseDockerConfig(JSON.stringify({ auths: parseJson(text, shown) }), shown);
}

/** The key that docker looks up, and asks helpers for. */
export function dockerKey(host: string): string {
  return host === 'docker.io' || host === 'index.docker.io' ? DOCKER_HUB_KEY : host;
}

/** The helper that is to be asked for `key`; undefined when the file itself answers. */
export function helperFor(config: DockerConfig, key: string): string | undefined {
  const helper = config.credHelpers.get(key) ?? config.credsStore;
  return helper === '' ? undefined : helper;
}

/** The entry of exactly that key, else the first whose key has it as host when scheme and path are left out. */
export function findAuthEntry(config: DockerConfig, key: string): AuthEntry | undefined {
  const exact = config.auths.get(key);
  if (exact !== undefined) return exact;
  for (const [written, entry] of config.auths) if (hostOfKey(written) === key) return entry;
  return undefined;
}

/** `https://registry.example:5000/v2/` → `registry.example:5000`. */
export function hostOfKey(key: string): string {
  return key.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
}

function parseJson(text: string, shown: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // Not as cause: the parser's message quotes the text, which may be a password.
    throw new InvalidConfigError(`Cannot read "${shown}": expected JSON`, { hint: hintFor(shown) });
  }
}

function hintFor(shown: string): string {
  return `correct ${shown}, or move it away and log in again`;
}
