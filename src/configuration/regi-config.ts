import { dirname, join, resolve } from 'node:path';

import * as z from 'zod/mini';
import { $ZodError } from 'zod/v4/core';

import { readConfigFile, showPath } from '../disk/config-file.ts';
import { InvalidConfigError } from '../errors.ts';
import { isHostRule } from '../http/hosts.ts';
import { describeIssue } from '../oci/describe-issue.ts';
import { printable } from '../redact.ts';
import type { Mirror } from './registries-conf.ts';

/** What regi's own config.yaml says of one registry. */
export interface HostConfig {
  /** https unverified, then http. */
  readonly insecure: boolean;
  /** Asked before the registry, in this order, instead of what registries.conf lists; undefined leaves it to that file. */
  readonly mirrors: readonly Mirror[] | undefined;
  /** Absolute path of a PEM file of authorities. */
  readonly ca: string | undefined;
  /** Connections at once. */
  readonly concurrency: number | undefined;
  /** Upload in chunks of this size: `5M`. Not yet checked. */
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
 * Reads regi's own configuration, `$REGI_CONFIG` or `config.yaml` in regi's folder of the user's settings: a map of `hosts`, each as written in
 * references.
 *
 * @returns by host in lower case; empty when there is no such file.
 * @throws {InvalidConfigError} when it cannot be read or is malformed, or `REGI_CONFIG` names no file.
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
  const shown = showPath(path, home);
  const text = await readConfigFile(path, shown);
  if (text === undefined) {
    if (named === '') return new Map();
    throw new InvalidConfigError(
      `Cannot find "${named}": expected the file that REGI_CONFIG names`,
      { hint: 'correct REGI_CONFIG, or unset it' },
    );
  }
  const { hosts } = (await parseFile(text, shown)) ?? {};
  return new Map(
    Object.entries(hosts ?? {}).map(([host, entry]) => [
      checkHost(host, shown),
      hostConfig(entry ?? {}, { host, shown, home, folder: dirname(path) }),
    ]),
  );
}

async function parseFile(text: string, shown: string): Promise<z.infer<typeof File>> {
  const { parse, YAMLParseError } = await import('../yaml.ts');
  try {
    // Aliases could make a small file a large one; nobody needs them here.
    return z.parse(File, parse(text, { maxAliasCount: 0 }) ?? null);
  } catch (cause) {
    if (cause instanceof $ZodError) throw invalid(shown, describeIssue(cause), cause);
    const line = cause instanceof YAMLParseError ? cause.linePos?.[0]?.line : undefined;
    throw invalid(
      shown,
      line === undefined ? 'expected YAML' : `expected YAML in line ${line}`,
      cause,
    );
  }
}

interface Place {
  readonly host: string;
  readonly shown: string;
  readonly home: string;
  readonly folder: string;
}

function hostConfig(entry: z.infer<typeof Host>, { host, shown, home, folder }: Place): HostConfig {
  const mirrors = entry.mirrors?.map((mirror): Mirror => {
    const { location, insecure = false } =
      typeof mirror === 'string' ? { location: mirror } : mirror;
    const bare = location.replace(/\/+$/, '');
    if (bare === '' || bare.includes('://'))
      throw invalid(
        shown,
        `mirrors of ${host}: expected HOST[:PORT][/PATH], found "${printable(location, 160)}"`,
      );
    return { location: bare, insecure, use: 'all' };
  });
  const ca = entry.ca?.replace(/^~(?=\/)/, () => home);
  return {
    insecure: entry.insecure ?? false,
    mirrors,
    ca: ca === undefined ? undefined : resolve(folder, ca),
    concurrency: entry.concurrency,
    chunkSize: entry.chunkSize === undefined ? undefined : String(entry.chunkSize),
  };
}

function checkHost(host: string, shown: string): string {
  if (isHostRule(host, { networks: false })) return host.toLowerCase();
  throw invalid(shown, `hosts: expected HOST or HOST:PORT, found "${printable(host, 160)}"`);
}

function invalid(shown: string, problem: string, cause?: unknown): InvalidConfigError {
  return new InvalidConfigError(`Cannot use "${shown}": ${problem}`, {
    hint: 'its form is in docs/mirrors-and-proxies.md',
    cause,
  });
}
