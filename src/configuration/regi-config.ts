import { dirname, join, resolve } from 'node:path';

import * as z from 'zod/mini';

import { readConfigFile, showPath } from '../disk/config-file.ts';
import { InvalidConfigError } from '../errors.ts';
import { isHostRule } from '../http/hosts.ts';
import { quote } from '../quote.ts';
import type { Mirror } from './registries-conf.ts';
import { parseStrictYaml } from './strict-yaml.ts';

/** The settings of one registry in regi's own config.yaml. */
export interface HostConfig {
  /** https unverified, then http. */
  readonly insecure: boolean;
  /** Used before the registry, in this order; undefined means those of registries.conf. */
  readonly mirrors: readonly Mirror[] | undefined;
  /** Absolute path of a PEM file of authorities. */
  readonly ca: string | undefined;
  /** Connections at once. */
  readonly concurrency: number | undefined;
  /** Upload in chunks of this size: `5M`. Not parsed yet. */
  readonly chunkSize: string | undefined;
}

export interface RegiConfigOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly cwd: string;
}

const MAX_CONCURRENCY = 256;

const Host = z.strictObject({
  insecure: z.optional(z.boolean()),
  mirrors: z.optional(
    z.array(
      z.union([
        z.string(),
        z.strictObject({ location: z.string(), insecure: z.optional(z.boolean()) }),
      ]),
    ),
  ),
  ca: z.optional(z.string()),
  concurrency: z.optional(z.int().check(z.minimum(1), z.maximum(MAX_CONCURRENCY))),
  chunkSize: z.optional(z.union([z.string(), z.int().check(z.minimum(1))])),
});
const File = z.nullable(
  z.strictObject({ hosts: z.optional(z.nullable(z.record(z.string(), z.nullable(Host)))) }),
);

/**
 * Reads regi's own configuration, `$REGI_CONFIG` or `regi/config.yaml` in the user's settings: a
 * map of `hosts`, each as written in references.
 *
 * @returns by host in lower case; empty when there is no such file.
 * @throws {InvalidConfigError} when `REGI_CONFIG` names no file, or it cannot be read.
 * @throws {RegiError} INVALID_CONFIG when it is malformed.
 */
export async function readRegiConfig({
  env,
  home,
  cwd,
}: RegiConfigOptions): Promise<ReadonlyMap<string, HostConfig>> {
  const named = env['REGI_CONFIG'] ?? '';
  const path =
    named === ''
      ? join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'regi', 'config.yaml')
      : resolve(cwd, named);
  const name = showPath(path, home);
  const text = await readConfigFile(path, name);
  if (text === undefined) {
    if (named === '') return new Map();
    throw new InvalidConfigError(`Cannot find "${named}": expected the file of REGI_CONFIG`, {
      hint: 'correct REGI_CONFIG, or unset it',
    });
  }
  const hint = 'docs/mirrors-and-proxies.md describes the format';
  const { value, mistake } = await parseStrictYaml(text, { name, schema: File, hint });
  const configs = Object.entries(value?.hosts ?? {}).map(([host, entry]) => {
    if (!isHostRule(host, { networks: false }))
      throw mistake(['hosts', host], `expected HOST or HOST:PORT, found ${quote(host)}`);
    const mirrors = entry?.mirrors?.map((mirror, index): Mirror => {
      const { location, insecure = false } =
        typeof mirror === 'string' ? { location: mirror } : mirror;
      const bare = location.replace(/\/+$/, '');
      if (bare !== '' && !bare.includes('://')) return { location: bare, insecure, use: 'all' };
      throw mistake(
        ['hosts', host, 'mirrors', index],
        `expected HOST[:PORT][/PATH], found ${quote(location)}`,
      );
    });
    const ca = entry?.ca?.replace(/^~(?=\/)/, () => home);
    const config: HostConfig = {
      insecure: entry?.insecure ?? false,
      mirrors,
      ca: ca === undefined ? undefined : resolve(dirname(path), ca),
      concurrency: entry?.concurrency,
      chunkSize: entry?.chunkSize === undefined ? undefined : String(entry.chunkSize),
    };
    return [host.toLowerCase(), config] as const;
  });
  return new Map(configs);
}
