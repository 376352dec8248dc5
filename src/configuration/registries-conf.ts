import { parse, TomlError } from 'smol-toml';
import * as z from 'zod/mini';
import { $ZodError } from 'zod/v4/core';

import { InvalidConfigError } from '../errors.ts';
import { describeIssue } from '../oci/describe-issue.ts';
import { printable } from '../redact.ts';

/** For which references a mirror is asked. */
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
  /** What it is about: `HOST[:PORT][/PATH]` or `*.DOMAIN`. */
  readonly prefix: string;
  /** What takes the place of the prefix; empty leaves references as they are. */
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  /** In the order in which they are asked. */
  readonly mirrors: readonly Mirror[];
}

/** What a registries.conf says. Undefined where a file is silent, so that another may speak. */
export interface RegistriesConf {
  /** Sorted by prefix. */
  readonly registries: readonly RegistryRule[];
  /** Of short names; regi reads those as docker does. */
  readonly search: readonly string[] | undefined;
  readonly credentialHelpers: readonly string[] | undefined;
  readonly shortNameMode: (typeof SHORT_NAME_MODES)[number] | undefined;
}

const SHORT_NAME_MODES = ['disabled', 'enforcing', 'permissive'] as const;

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
  'short-name-mode': z.optional(z.enum(SHORT_NAME_MODES)),
  /** Version 1. */
  registries: z.optional(z.object({ search: V1List, block: V1List, insecure: V1List })),
});

type FileTable = z.infer<typeof File>;
type RegistryTable = NonNullable<FileTable['registry']>[number];
type MirrorTable = NonNullable<RegistryTable['mirror']>[number];

/**
 * Parses a registries.conf of version 2, or of the older version 1. Keys that it does not know, and aliases of short names, are passed over.
 *
 * @param shown how the file is called in messages.
 * @throws {InvalidConfigError} where podman and skopeo refuse it.
 * @see https://github.com/containers/image/blob/v5.36.0/docs/containers-registries.conf.5.md
 */
export function parseRegistriesConf(text: string, shown: string): RegistriesConf {
  const file = parseFile(text, shown);
  const fail: Fail = (problem) => {
    throw new InvalidConfigError(`Cannot use "${shown}": ${printable(problem, 300)}`, {
      hint: 'see man containers-registries.conf for its form',
    });
  };
  const isV2 = file.registry !== undefined || file['unqualified-search-registries'] !== undefined;
  if (file.registries !== undefined && isV2)
    fail('expected version 1 ([registries.search]) or version 2 ([[registry]]), found both');
  const v1 = file.registries;
  const tables = v1 === undefined ? (file.registry ?? []) : tablesOfV1(v1, fail);
  const rules = tables.map((table) => ruleOf(table, fail));
  refuseConflicts(rules, fail);
  const search =
    v1 === undefined ? file['unqualified-search-registries'] : (v1.search?.registries ?? []);
  return {
    registries: firstOfEach(rules),
    search: search?.map((entry) => hostOnly(parseLocation(entry, fail), fail)),
    credentialHelpers: file['credential-helpers'],
    shortNameMode: file['short-name-mode'],
  };
}

/** Drop-ins over a main file: what a later one says of a prefix replaces the whole table of an earlier one. */
export function mergeRegistriesConf(files: readonly RegistriesConf[]): RegistriesConf {
  const last = <Key extends keyof RegistriesConf>(key: Key): RegistriesConf[Key] | undefined =>
    files.findLast((file) => file[key] !== undefined)?.[key];
  const helpers = last('credentialHelpers') ?? [];
  const rules = new Map(
    files.flatMap(({ registries }) => registries).map((rule) => [rule.prefix, rule]),
  );
  return {
    registries: sorted([...rules.values()]),
    search: last('search'),
    credentialHelpers: helpers.length === 0 ? ['containers-auth.json'] : helpers,
    shortNameMode: last('shortNameMode') ?? 'permissive',
  };
}

type Fail = (problem: string) => never;

function parseFile(text: string, shown: string): FileTable {
  try {
    return z.parse(File, parse(text));
  } catch (cause) {
    if (cause instanceof TomlError) {
      throw new InvalidConfigError(
        `Cannot read "${shown}": expected TOML in line ${cause.line}, column ${cause.column}`,
        { hint: 'correct that line', cause },
      );
    }
    if (!(cause instanceof $ZodError)) throw cause;
    throw new InvalidConfigError(`Cannot use "${shown}": ${describeIssue(cause)}`, {
      hint: 'correct that value',
      cause,
    });
  }
}

/**
 * A location without the slashes at its end.
 *
 * @param fail is told what is wrong.
 */
export function parseLocation(text: string, fail: Fail): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    return fail(`invalid location "${text}": expected HOST[:PORT][/PATH] without a scheme`);
  return text.replace(/\/+$/, '');
}

function hostOnly(location: string, fail: Fail): string {
  return location.includes('/')
    ? fail(`invalid search registry "${location}": expected a host without a path`)
    : location;
}

function ruleOf(table: RegistryTable, fail: Fail): RegistryRule {
  const location = parseLocation(table.location ?? '', fail);
  const prefix =
    table.prefix === undefined || table.prefix === ''
      ? location
      : parseLocation(table.prefix, fail);
  if (prefix === '') fail('expected a prefix or a location in each [[registry]]');
  if (location === '' && !prefix.startsWith('*.'))
    fail(`expected a location for the prefix "${prefix}": only one as in *.example.com needs none`);
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

/** One place with several prefixes is either insecure for all of them or for none. */
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

function firstOfEach(rules: readonly RegistryRule[]): readonly RegistryRule[] {
  return sorted(
    rules.filter(
      (rule, index) => rules.findIndex(({ prefix }) => prefix === rule.prefix) === index,
    ),
  );
}

function sorted(rules: readonly RegistryRule[]): readonly RegistryRule[] {
  return rules.toSorted((a, b) => (a.prefix < b.prefix ? -1 : a.prefix > b.prefix ? 1 : 0));
}
