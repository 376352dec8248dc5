import { parse, TomlError } from 'smol-toml';
import * as z from 'zod/mini';

import { describeIssue } from '../json.ts';
import { InvalidConfigError } from '../errors.ts';
import { printable } from '../redact.ts';

/** The kind of references that a mirror is used for. */
export type MirrorUse = 'all' | 'digest-only' | 'tag-only';

export interface Mirror {
  /** `HOST[:PORT][/PATH]`. */
  readonly location: string;
  /** https unverified, then http. */
  readonly insecure: boolean;
  readonly use: MirrorUse;
}

/** One `[[registry]]` of registries.conf. */
export interface RegistryRule {
  /** The references it applies to: `HOST[:PORT][/PATH]` or `*.DOMAIN`. */
  readonly prefix: string;
  /** Replaces the prefix; an empty location changes nothing. */
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  /** In the order of use. */
  readonly mirrors: readonly Mirror[];
}

/** The content of one or several registries.conf. */
export interface RegistriesConf {
  readonly rules: readonly RegistryRule[];
  /**
   * Programs that podman asks for logins, and `containers-auth.json` for its auth files; empty for
   * its default, and undefined where the file does not say.
   */
  readonly credentialHelpers: readonly string[] | undefined;
}

const Texts = z.array(z.string());
const V1List = z.optional(z.object({ registries: z.optional(Texts) }));
const File = z.object({
  registry: z.optional(
    z.array(
      z.object({
        prefix: z.optional(z.string()),
        location: z.optional(z.string()),
        insecure: z.optional(z.boolean()),
        blocked: z.optional(z.boolean()),
        'mirror-by-digest-only': z.optional(z.boolean()),
        'pull-from-mirror': z.optional(z.string()),
        mirror: z.optional(
          z.array(
            z.object({
              location: z.optional(z.string()),
              insecure: z.optional(z.boolean()),
              'pull-from-mirror': z.optional(z.string()),
            }),
          ),
        ),
      }),
    ),
  ),
  'unqualified-search-registries': z.optional(Texts),
  'credential-helpers': z.optional(Texts),
  'short-name-mode': z.optional(z.enum(['disabled', 'enforcing', 'permissive'])),
  /** Version 1. */
  registries: z.optional(z.object({ search: V1List, block: V1List, insecure: V1List })),
});

type FileTable = z.infer<typeof File>;
type RegistryTable = NonNullable<FileTable['registry']>[number];
type MirrorTable = NonNullable<RegistryTable['mirror']>[number];

/**
 * Parses a registries.conf of version 2 or 1. Unknown keys and aliases of short names are ignored.
 *
 * @param shown the name of the file in messages.
 * @throws {InvalidConfigError} when podman and skopeo refuse it too.
 * @see https://github.com/containers/image/blob/v5.36.0/docs/containers-registries.conf.5.md
 */
export function parseRegistriesConf(text: string, shown: string): RegistriesConf {
  const file = parseFile(text, shown);
  const fail: Fail = (problem) => {
    throw new InvalidConfigError(`Cannot use "${shown}": ${printable(problem, 300)}`, {
      hint: 'man containers-registries.conf describes the format',
    });
  };
  const isV2 = file.registry !== undefined || file['unqualified-search-registries'] !== undefined;
  if (file.registries !== undefined && isV2)
    fail('expected version 1 ([registries.search]) or version 2 ([[registry]]), found both');
  const v1 = file.registries;
  const tables = v1 === undefined ? (file.registry ?? []) : tablesOfV1(v1, fail);
  const rules = tables.map((table) => ruleOf(table, fail));
  refuseConflicts(rules, fail);
  const search = v1?.search?.registries ?? file['unqualified-search-registries'] ?? [];
  for (const entry of search) {
    if (parseLocation(entry, fail).includes('/'))
      fail(`invalid search registry "${entry}": expected a host without a path`);
  }
  return { rules, credentialHelpers: file['credential-helpers'] };
}

/**
 * Merges drop-ins into a main file: tables for a prefix replace those of earlier files. Within one
 * file, the first table for a prefix counts. The last list of helpers counts.
 *
 * @returns rules sorted by prefix; `credentialHelpers` undefined for podman's default.
 */
export function mergeRegistriesConf(files: readonly RegistriesConf[]): RegistriesConf {
  const rules = new Map(
    files.flatMap((file) => file.rules.toReversed()).map((rule) => [rule.prefix, rule]),
  );
  const helpers = files.findLast((file) => file.credentialHelpers !== undefined);
  return {
    rules: [...rules.values()].toSorted((a, b) => (a.prefix < b.prefix ? -1 : 1)),
    credentialHelpers:
      helpers?.credentialHelpers?.length === 0 ? undefined : helpers?.credentialHelpers,
  };
}

type Fail = (problem: string) => never;

function parseFile(text: string, shown: string): FileTable {
  const file = z.safeParse(File, parseToml(text, shown));
  if (file.success) return file.data;
  throw new InvalidConfigError(`Cannot use "${shown}": ${describeIssue(file.error)}`, {
    hint: 'correct that value',
  });
}

function parseToml(text: string, shown: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const { line, column } = cause;
    throw new InvalidConfigError(
      `Cannot read "${shown}": expected TOML in line ${line}, column ${column}`,
      { hint: 'correct that line', cause },
    );
  }
}

/**
 * Parses a location, and removes slashes at its end.
 *
 * @param fail called with the problem.
 */
export function parseLocation(text: string, fail: Fail): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    return fail(`invalid location "${text}": expected HOST[:PORT][/PATH] without a scheme`);
  return text.replace(/\/+$/, '');
}

function ruleOf(table: RegistryTable, fail: Fail): RegistryRule {
  const location = parseLocation(table.location ?? '', fail);
  const prefix =
    table.prefix === undefined || table.prefix === ''
      ? location
      : parseLocation(table.prefix, fail);
  if (prefix === '') fail('expected a prefix or a location in each [[registry]]');
  if (location === '' && !prefix.startsWith('*.'))
    fail(
      `expected a location for the prefix "${prefix}": only a prefix such as *.example.com needs none`,
    );
  if ((table['pull-from-mirror'] ?? '') !== '')
    fail(`pull-from-mirror is for mirrors, and must not be set for the registry "${prefix}"`);
  const byDigest = table['mirror-by-digest-only'] ?? false;
  const mirrors = (table.mirror ?? []).map((mirror) => mirrorOf(mirror, prefix, byDigest, fail));
  return {
    prefix,
    location,
    insecure: table.insecure ?? false,
    blocked: table.blocked ?? false,
    mirrors,
  };
}

function mirrorOf(table: MirrorTable, prefix: string, byDigest: boolean, fail: Fail): Mirror {
  const location = parseLocation(table.location ?? '', fail);
  if (location === '') fail(`expected a location in each mirror of "${prefix}"`);
  const use = table['pull-from-mirror'] ?? '';
  if (byDigest && use !== '')
    fail(
      `cannot set mirror-by-digest-only for "${prefix}" and pull-from-mirror for its mirror "${location}" at the same time`,
    );
  if (use !== '' && use !== 'all' && use !== 'digest-only' && use !== 'tag-only') {
    return fail(
      `unsupported pull-from-mirror "${use}" of the mirror "${location}": expected all, digest-only or tag-only`,
    );
  }
  return {
    location,
    insecure: table.insecure ?? false,
    use: byDigest ? 'digest-only' : use === '' ? 'all' : use,
  };
}

function tablesOfV1(
  { block, insecure }: NonNullable<FileTable['registries']>,
  fail: Fail,
): readonly RegistryTable[] {
  const blocked = (block?.registries ?? []).map((entry) => parseLocation(entry, fail));
  const loose = (insecure?.registries ?? []).map((entry) => parseLocation(entry, fail));
  return [...new Set([...blocked, ...loose])].map((location) => ({
    location,
    blocked: blocked.includes(location),
    insecure: loose.includes(location),
  }));
}

/** Refuses a location with several prefixes that differ in `insecure` or `blocked`. */
function refuseConflicts(rules: readonly RegistryRule[], fail: Fail): void {
  const seen = new Map<string, RegistryRule>();
  for (const rule of rules) {
    const place = rule.location || rule.prefix;
    const other = seen.get(place) ?? rule;
    seen.set(place, other);
    for (const key of ['insecure', 'blocked'] as const) {
      if (rule[key] !== other[key])
        fail(`registry "${place}" is defined multiple times with conflicting "${key}"`);
    }
  }
}
