import type { StrictYaml } from '../../configuration/strict-yaml.ts';
import { quote } from '../../quote.ts';
import type { SyncEntry } from './entry.ts';
import { repositoryKey } from './names.ts';
import type { WrittenFile } from './schema.ts';
import { plainNames } from '../plan/select.ts';

/**
 * Refuses entries that contradict each other, as far as the file alone shows it. What only lists of
 * tags show fails in the plan.
 *
 * @throws {RegiError} at the second of the two.
 */
export function checkOverlaps(entries: readonly SyncEntry[], yaml: StrictYaml<WrittenFile>): void {
  checkNames(entries, yaml);
  checkPrunes(entries, yaml);
  checkSources(entries, yaml);
}

function checkNames(entries: readonly SyncEntry[], yaml: StrictYaml<WrittenFile>): void {
  const seen = new Set<string>();
  for (const [index, { name }] of entries.entries()) {
    if (yaml.value.images[index]?.name === undefined) continue;
    if (seen.has(name)) {
      throw yaml.mistake(
        ['images', index, 'name'],
        `expected each name once, found ${quote(name)} again`,
      );
    }
    seen.add(name);
  }
}

/**
 * Two entries that prune one repository have to agree, or each would delete what the other keeps.
 */
function checkPrunes(entries: readonly SyncEntry[], yaml: StrictYaml<WrittenFile>): void {
  const rules = new Map<string, string>();
  for (const [index, { prune, to }] of entries.entries()) {
    if (prune === undefined) continue;
    for (const destination of to) {
      if (destination.kind !== 'registry' || destination.template.includes('{')) continue;
      const repository = destination.template.replace(/:[^:/]*$/, '');
      const rule = JSON.stringify(prune);
      const key = repositoryKey(repository);
      const other = rules.get(key);
      if (other !== undefined && other !== rule) {
        throw yaml.mistake(
          ['images', index, 'prune'],
          `expected the same prune as the other entry that writes to ${quote(repository)}`,
        );
      }
      rules.set(key, rule);
    }
  }
}

/** One tag of a destination can have one source. Overlaps that only lists show fail in the plan. */
function checkSources(entries: readonly SyncEntry[], yaml: StrictYaml<WrittenFile>): void {
  const sources = new Map<string, string>();
  for (const [index, entry] of entries.entries()) {
    for (const [at, destination] of entry.to.entries()) {
      if (destination.kind !== 'registry') continue;
      for (const { tag, source } of plainImages(entry)) {
        const key = destinationKey(destination.template, tag);
        if (key === undefined) continue;
        const other = sources.get(key);
        if (other !== undefined && other !== source) {
          const path = Array.isArray(yaml.value.images[index]?.to) ? [at] : [];
          throw yaml.mistake(
            ['images', index, 'to', ...path],
            `expected one source for ${quote(key)}, found ${quote(other)} and ${quote(source)}`,
          );
        }
        sources.set(key, source);
      }
    }
  }
}

function plainImages({ from, selection }: SyncEntry): readonly { tag: string; source: string }[] {
  if (from.kind === 'repository') {
    const { domain, path } = from.repository;
    return plainNames(selection.tags).map((tag) => ({ tag, source: `${domain}/${path}:${tag}` }));
  }
  if (from.kind !== 'image' || from.reference.tag === undefined) return [];
  const { domain, path, tag, digest } = from.reference;
  const version = digest === undefined ? `:${tag}` : `@${digest}`;
  return [{ tag, source: `${domain}/${path}${version}` }];
}

function destinationKey(template: string, tag: string): string | undefined {
  const filled = template.replaceAll('{tag}', tag);
  if (filled.includes('{')) return undefined;
  return repositoryKey(/:[^:/]*$/.test(filled) ? filled : `${filled}:${tag}`);
}
