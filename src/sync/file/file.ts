import picomatch from 'picomatch';
import Range from 'semver/classes/range.js';

import {
  parseStrictYaml,
  type StrictYaml,
  type YamlPath,
} from '../../configuration/strict-yaml.ts';
import { RegiError } from '../../errors.ts';
import { canonicalHost } from '../../oci/canonical-host.ts';
import type { Reference } from '../../oci/reference.ts';
import { parsePlatform } from '../../oci/platform.ts';
import type { Platform } from '../../oci/descriptor.ts';
import { parseTagPattern } from '../../operations/tags/select-tags.ts';
import { quote } from '../../quote.ts';
import type { TrustedRoot } from '../../trust/keyless/trusted-root.ts';
import { parseRule, type TrustRule } from '../../trust/policy.ts';
import {
  explicitReference,
  parseWildcard,
  PLACEHOLDERS,
  placeholdersIn,
  restOf,
  type Wildcard,
} from './names.ts';
import { SYNC_SCHEMA, type WrittenEntry, type WrittenFile } from './schema.ts';
import type { PruneRule, SyncDestination, SyncEntry, SyncFile, SyncSource } from './entry.ts';
import { checkOverlaps } from './overlaps.ts';
import { isPlace, parseDestinationPlace, parseSourcePlace } from './places.ts';

export interface ParseSyncOptions {
  /** The file's name in messages. */
  readonly name: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For platforms of one word. */
  readonly host: Platform;
}

const HINT = 'see docs/sync.md for each field';

/**
 * Parses the file of `regi sync`. Reads nothing else and asks no registry.
 *
 * @throws {RegiError} INVALID_CONFIG with the line and column of the mistake.
 */
export async function parseSyncFile(text: string, options: ParseSyncOptions): Promise<SyncFile> {
  const yaml = await parseStrictYaml<WrittenFile>(text, {
    name: options.name,
    schema: SYNC_SCHEMA,
    ownKeys: 'x-',
    hint: HINT,
  });
  const { value } = yaml;
  const entries = value.images.map((written, index) =>
    parseEntry({ ...value.defaults, ...written }, new EntryPlace(yaml, index), options),
  );
  checkOverlaps(entries, yaml);
  return {
    entries,
    registries: new Map(Object.entries(value.registries ?? {})),
    readPolicies: async (readKey, root) => readPolicies(yaml, readKey, root),
    onChange: value.onChange,
  };
}

async function readPolicies(
  yaml: StrictYaml<WrittenFile>,
  readKey: (file: string) => Promise<string>,
  root: TrustedRoot | undefined,
): Promise<ReadonlyMap<string, TrustRule>> {
  const rules = new Map<string, TrustRule>();
  for (const [name, written] of Object.entries(yaml.value.policies ?? {}))
    rules.set(name, await parseRule(written, ['policies', name], yaml, { readKey, root }));
  return rules;
}

/** Where a field of an entry stands: in the entry, or in `defaults`. */
class EntryPlace {
  readonly #yaml: StrictYaml<WrittenFile>;
  readonly index: number;

  constructor(yaml: StrictYaml<WrittenFile>, index: number) {
    this.#yaml = yaml;
    this.index = index;
  }

  /** True if the entry itself has the field. */
  isOwn(field: keyof WrittenEntry): boolean {
    return this.#yaml.value.images[this.index]?.[field] !== undefined;
  }

  /** The names below `policies`. */
  policies(): readonly string[] {
    return Object.keys(this.#yaml.value.policies ?? {});
  }

  mistake(field: keyof WrittenEntry, below: YamlPath, message: string, hint?: string): RegiError {
    const path = this.isOwn(field) ? ['images', this.index, field] : ['defaults', field];
    return this.#yaml.mistake([...path, ...below], message, hint);
  }
}

function parseEntry(
  written: WrittenEntry,
  place: EntryPlace,
  { env, host }: ParseSyncOptions,
): SyncEntry {
  const from = parseSource(expand(written.from, env, 'from', [], place), place);
  const tos = typeof written.to === 'string' ? [written.to] : written.to;
  const to = tos.map((text, at) => {
    const below = typeof written.to === 'string' ? [] : [at];
    return parseDestination(expand(text, env, 'to', below, place), below, from, place);
  });
  const tags = (written.tags ?? []).map((text, at) => expand(text, env, 'tags', [at], place));
  checkArchiveFields(written, to, place);
  checkPatterns('tags', tags, place);
  checkPatterns('immutable', written.immutable ?? [], place);
  const latest =
    typeof written.latest === 'number'
      ? { count: written.latest, sort: 'semver' as const }
      : written.latest && { count: written.latest.count, sort: written.latest.sort ?? 'semver' };
  return {
    name: written.name ?? tos[0] ?? '',
    from,
    to,
    selection: { tags, latest, min: written.min },
    immutable: written.immutable ?? [],
    moved: written.moved ?? 'follow',
    prune: pruneOf(written, place),
    repositories: checkedGlobs(written.repositories ?? [], place),
    minRepositories: written.minRepositories ?? 1,
    rename: renameOf(written, place),
    platforms: (written.platforms ?? []).map((text, at) =>
      attempt(place, 'platforms', [at], () => parsePlatform(text, host)),
    ),
    requirePlatforms: written.requirePlatforms ?? false,
    sparse: written.sparse ?? false,
    referrers: written.referrers ?? 'new',
    verify: policyOf(written, place),
    since: written.since,
    writeList: written.writeList,
  };
}

/** Layers can be left out of new archives only. */
function checkArchiveFields(
  written: WrittenEntry,
  to: readonly SyncDestination[],
  place: EntryPlace,
): void {
  const isArchive = to.some((one) => one.kind === 'place' && /^(?:oci-)?archive:/.test(one.text));
  if (isArchive) return;
  for (const field of ['since', 'writeList'] as const)
    if (place.isOwn(field) && written[field] !== undefined)
      throw place.mistake(
        field,
        [],
        `expected "to: archive:FILE" beside it`,
        'layers can be left out of new archives only, and not of docker-archive:',
      );
}

/** Replaces `${NAME}`; `$${` is literal. A variable that is unset or empty is a mistake. */
function expand(
  text: string,
  env: ParseSyncOptions['env'],
  field: 'from' | 'tags' | 'to',
  below: YamlPath,
  place: EntryPlace,
): string {
  return text.replaceAll(/(\$?)\$\{([A-Za-z_]\w*)\}/g, (_, escape: string, name: string) => {
    if (escape !== '') return `\${${name}}`;
    const value = env[name];
    if (value !== undefined && value !== '') return value;
    throw place.mistake(
      field,
      below,
      `expected a value for \${${name}}, found ${value === undefined ? 'no such variable' : 'an empty one'}`,
      `set ${name}, or write $\${${name}} for the text itself`,
    );
  });
}

function parseSource(text: string, place: EntryPlace): SyncSource {
  if (isPlace(text)) return attempt(place, 'from', [], () => parseSourcePlace(text));
  if (text.includes('*')) {
    const wildcard = parseWildcard(text);
    if (wildcard !== undefined) return { kind: 'wildcard', wildcard };
    throw place.mistake(
      'from',
      [],
      `expected stars at the end only, behind a registry, found ${quote(text)}`,
      'write HOST/NAMESPACE/** for every repository below, /* for one level, HOST/** for a registry',
    );
  }
  const reference = explicitReference(text);
  if (reference === undefined) throw withoutRegistry('from', [], text, place);
  const { domain, path, tag, digest } = reference;
  return tag === undefined && digest === undefined
    ? { kind: 'repository', repository: { domain, path } }
    : { kind: 'image', reference };
}

function parseDestination(
  text: string,
  below: YamlPath,
  from: SyncSource,
  place: EntryPlace,
): SyncDestination {
  const unknown = placeholdersIn(text).find(
    (word) => !PLACEHOLDERS.some((known) => known === word),
  );
  if (unknown !== undefined) {
    throw place.mistake('to', below, `unknown placeholder {${unknown}}`, placeholderHint());
  }
  if (isPlace(text)) {
    const filled = text.replaceAll(/\{(?!tag\})\w+\}/g, 'x');
    attempt(place, 'to', below, () => parseDestinationPlace(filled));
    return { kind: 'place', text };
  }
  // A word stands in for each placeholder, to see whether the rest is a name.
  const probe = explicitReference(text.replaceAll(/\{\w+\}/g, 'x'));
  if (probe === undefined && !text.startsWith('{registry}/')) {
    throw withoutRegistry('to', below, text, place);
  }
  if (from.kind === 'wildcard' && probe !== undefined) {
    checkInside(text, probe, from.wildcard, below, place);
  }
  return { kind: 'registry', template: text };
}

/** A destination inside its own wildcard would be a source of the next run. */
function checkInside(
  text: string,
  probe: Reference,
  wildcard: Wildcard,
  below: YamlPath,
  place: EntryPlace,
): void {
  if (!/\{(?:rest|repository|name)\}/.test(text)) {
    throw place.mistake(
      'to',
      below,
      'expected {rest} in it, or all repositories go to one',
      placeholderHint(),
    );
  }
  if (
    canonicalHost(probe.domain) === canonicalHost(wildcard.domain) &&
    restOf(probe.path, wildcard) !== undefined
  ) {
    throw place.mistake(
      'to',
      below,
      `expected a place outside ${quote(`${wildcard.domain}/${wildcard.prefix}`)}: the next run would copy the copies`,
      'write another namespace or registry',
    );
  }
}

function placeholderHint(): string {
  return `the placeholders are ${PLACEHOLDERS.map((word) => `{${word}}`).join(' ')}`;
}

function withoutRegistry(
  field: 'from' | 'to',
  below: YamlPath,
  text: string,
  place: EntryPlace,
): RegiError {
  return place.mistake(
    field,
    below,
    `expected a name with its registry, found ${quote(text)}`,
    `write docker.io/${text} for Docker Hub, or HOST/${text}`,
  );
}

function checkPatterns(
  field: 'immutable' | 'tags',
  patterns: readonly string[],
  place: EntryPlace,
): void {
  for (const [at, pattern] of patterns.entries()) {
    attempt(place, field, [at], () => parseTagPattern(pattern));
    const range = pattern.replace(/^!/, '');
    if (/^[\^~<>=]|\s/.test(range) && !range.startsWith('/') && !isSatisfiable(range)) {
      throw place.mistake(field, [at], `expected versions that exist, found ${quote(pattern)}`);
    }
  }
}

function isSatisfiable(text: string): boolean {
  const range = new Range(text, { loose: true });
  return range.intersects(range);
}

function checkedGlobs(globs: readonly string[], place: EntryPlace): readonly string[] {
  for (const [at, glob] of globs.entries()) {
    attempt(place, 'repositories', [at], () =>
      picomatch.makeRe(glob.replace(/^!/, ''), { strictBrackets: true }),
    );
  }
  return globs;
}

function policyOf({ verify }: WrittenEntry, place: EntryPlace): string | undefined {
  const known = place.policies();
  if (verify === undefined || known.includes(verify)) return verify;
  throw place.mistake(
    'verify',
    [],
    `expected a name below "policies", found ${quote(verify)}`,
    known.length === 0
      ? 'write the rule below "policies"'
      : `the policies are ${known.map((name) => quote(name)).join(', ')}`,
  );
}

function renameOf({ rename }: WrittenEntry, place: EntryPlace): SyncEntry['rename'] {
  if (rename === undefined) return undefined;
  return {
    match: attempt(place, 'rename', ['match'], () => new RegExp(rename.match)),
    to: rename.to,
  };
}

function pruneOf({ prune }: WrittenEntry, place: EntryPlace): PruneRule | undefined {
  if (prune === undefined || prune === false) return undefined;
  const { gone = true, old = false, keep = [], viaDummy = false } = prune === true ? {} : prune;
  for (const [at, pattern] of keep.entries()) {
    attempt(place, 'prune', ['keep', at], () => parseTagPattern(pattern));
  }
  return { gone, old, keep, viaDummy };
}

/** Gives a parser's error the line of the value. */
function attempt<T>(
  place: EntryPlace,
  field: keyof WrittenEntry,
  below: YamlPath,
  parse: () => T,
): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RegiError) throw place.mistake(field, below, error.message, error.hint);
    if (error instanceof SyntaxError) {
      throw place.mistake(field, below, `expected another pattern: ${error.message}`);
    }
    throw error;
  }
}
