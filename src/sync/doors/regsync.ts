import { isJsonObject, type JsonObject } from '../../json.ts';
import { formatReference, referenceIn, repositoryName } from '../../oci/reference.ts';
import { fromGoRegex, fromMasterminds } from './go.ts';
import { mapOf, readOtherYaml, textOf, textsOf } from './read.ts';
import { writeFile, type WrittenEntry, type WrittenMap } from './written.ts';

interface Settings {
  fields: WrittenMap;
  notes: readonly string[];
}

/** Fields of steps that regi leaves to others, and what to do instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  backup:
    'nothing is kept before a tag moves; write to a repository of dates, or lock each run with --write-lock',
  interval: 'run regi sync from cron or a CronJob',
  schedule: 'run regi sync from cron or a CronJob',
  mediaTypes: 'every media type is copied',
  hooks: 'see "onChange"',
  fastCheck: 'unchanged tags always cost one HEAD a side',
  forceRecursive: 'see --force',
  referrerFilters: 'all referrers are copied',
  referrerSource: 'referrers come from the source',
  referrerTarget: 'referrers go to the destination',
  includeExternal: 'foreign layers stay at their own URLs',
};

/**
 * Converts a file of regsync.
 *
 * @see https://regclient.org/usage/regsync/
 */
export async function fromRegsync(text: string, name: string): Promise<string> {
  const file = await readOtherYaml(text, name, 'regsync');
  const defaults = mapOf(file['defaults']);
  const steps = Array.isArray(file['sync']) ? file['sync'].filter(isJsonObject) : [];
  const registries = new Map<string, Settings>();
  for (const value of Array.isArray(file['creds']) ? file['creds'] : []) {
    const registry = mapOf(value);
    const host = expand(textOf(registry['registry']) ?? '');
    if (host !== '') registries.set(host, settingsOf(registry, host));
  }
  const entries = steps.flatMap((step) => entriesOf(step, defaults));
  for (const step of steps) keepPulls({ ...defaults, ...step }, registries);
  const notes = Object.keys(ELSEWHERE)
    .filter((field) => defaults[field] !== undefined)
    .map((field) => `${field}: ${ELSEWHERE[field]}`);
  return writeFile({
    tool: 'regsync',
    notes,
    registries,
    defaults: copiesReferrers(defaults) ? {} : { referrers: false },
    entries,
  });
}

function settingsOf(registry: JsonObject, host: string): Settings {
  const notes: string[] = [];
  for (const field of ['user', 'pass', 'credHelper'])
    if (registry[field] !== undefined && notes.length === 0)
      notes.push(`${field}: log in with: regi login ${host}`);
  if (registry['regcert'] !== undefined)
    notes.push('regcert: write it to a file, and name that in "caFile"');
  const others = [
    'hostname',
    'pathPrefix',
    'mirrors',
    'repoAuth',
    'reqPerSec',
    'blobChunk',
    'blobMax',
  ];
  for (const field of others)
    if (registry[field] !== undefined) notes.push(`${field}: nothing here is equal`);
  const concurrency = Number(registry['reqConcurrent'] ?? 0);
  return {
    fields: {
      plainHttp: registry['tls'] === 'disabled' ? true : undefined,
      tlsSkipVerify: registry['tls'] === 'insecure' ? true : undefined,
      concurrency: concurrency > 0 ? concurrency : undefined,
    },
    notes,
  };
}

/** `ratelimit.min` of a step is a limit of the registry of its source. */
function keepPulls(step: JsonObject, registries: Map<string, Settings>): void {
  const least = Number(mapOf(step['ratelimit'])['min'] ?? 0);
  const source = expand(textOf(step['source']) ?? '');
  const host = step['type'] === 'registry' ? source : referenceIn(source)?.domain;
  if (!(least > 0) || host === undefined || host === '') return;
  const known = registries.get(host) ?? { fields: {}, notes: [] };
  const before = typeof known.fields['keepPulls'] === 'number' ? known.fields['keepPulls'] : 0;
  registries.set(host, {
    ...known,
    fields: { ...known.fields, keepPulls: Math.max(before, least) },
  });
}

function entriesOf(own: JsonObject, defaults: JsonObject): readonly WrittenEntry[] {
  const step = { ...defaults, ...own };
  const sets = Array.isArray(step['tagSets']) ? step['tagSets'] : [step['tags']];
  const notes = Object.keys(own).flatMap((field) => {
    const instead = ELSEWHERE[field];
    return instead === undefined ? [] : [`${field}: ${instead}`];
  });
  const wanted = copiesReferrers(step);
  const referrers = wanted === copiesReferrers(defaults) ? undefined : wanted ? 'new' : false;
  return sets.map((tags: unknown) => {
    const entry = entryOf(step, mapOf(tags));
    return {
      ...entry,
      fields: { ...entry.fields, referrers },
      notes: [...entry.notes, ...notes],
    };
  });
}

function entryOf(step: JsonObject, tags: JsonObject): WrittenEntry {
  const [source, target] = [step['source'], step['target']].map((one) => expand(textOf(one) ?? ''));
  const problems: string[] = [];
  const notes: string[] = [];
  const names = namesOf(step, source ?? '', target ?? '', problems);
  const patterns = [
    ...textsOf(tags['allow']).map((text) => ({
      text: `^${text}$`,
      sign: '',
      convert: fromGoRegex,
    })),
    ...textsOf(tags['semverRange']).map((text) => ({ text, sign: '', convert: fromMasterminds })),
    ...textsOf(tags['deny']).map((text) => ({
      text: `^${text}$`,
      sign: '!',
      convert: fromGoRegex,
    })),
  ].map(({ text, sign, convert }) => {
    const converted = convert(text);
    if ('pattern' in converted) return sign + converted.pattern;
    problems.push(converted.problem);
    return sign + text;
  });
  if (textsOf(tags['allow']).length > 0 && textsOf(tags['semverRange']).length > 0)
    problems.push(
      '"allow" and "semverRange" must both take a tag there; one pattern is enough here',
    );
  const { repos } = step;
  if (repos !== undefined)
    problems.push('"repos" holds regular expressions; write globs in "repositories"');
  const platforms = textsOf(step['platforms']);
  const platform = textOf(step['platform']);
  if (platforms.length > 0)
    notes.push(
      'platforms: regsync keeps the index and its digest; without "sparse" regi narrows it',
    );
  return {
    fields: {
      ...names,
      tags: patterns.length > 0 ? patterns : undefined,
      platforms:
        platform === undefined ? (platforms.length > 0 ? platforms : undefined) : [platform],
      sparse: platforms.length > 0 ? true : undefined,
    },
    notes,
    problem: problems.length > 0 ? problems.join('; ') : undefined,
  };
}

function namesOf(
  { type }: JsonObject,
  source: string,
  target: string,
  problems: string[],
): { readonly from: string; readonly to: string } {
  for (const text of [source, target])
    if (text.includes('{{')) problems.push(`the template ${text}`);
  if (type === 'registry') return { from: `${source}/**`, to: `${target}/{rest}` };
  const from = nameOf(source, problems);
  const to = nameOf(target, problems);
  return { from, to };
}

/** Names that have no registry are of Docker Hub. */
function nameOf(text: string, problems: string[]): string {
  if (text.startsWith('ocidir://')) return `oci:${text.slice('ocidir://'.length)}`;
  const reference = referenceIn(text.replaceAll(/\$\{\w+\}/g, 'x'));
  if (reference === undefined) {
    if (!text.includes('{{')) problems.push(`the name ${text}`);
    return text;
  }
  if (text.includes('${')) return text;
  return reference.tag === undefined && reference.digest === undefined
    ? repositoryName(reference)
    : formatReference(reference);
}

function copiesReferrers(step: JsonObject): boolean {
  return step['referrers'] === true || step['digestTags'] === true;
}

/** Replaces `{{env "NAME"}}`, which this file has too. Other templates stay and are told. */
function expand(text: string): string {
  return text.replaceAll(/\{\{\s*env\s+"(\w+)"\s*\}\}/g, (_, name: string) => `\${${name}}`);
}
