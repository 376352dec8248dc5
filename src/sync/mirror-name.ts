import type { Reference, Repository } from '../oci/reference.ts';
import type { SyncEntry } from './entry.ts';
import { globFilter } from './globs.ts';
import { explicitReference, fillTemplate, partsOfRepository, renamed, restOf } from './names.ts';

/**
 * Returns the repository to which the first matching entry mirrors an image. Undefined where no entry copies its
 * repository to a registry, or where the entry renames tags.
 */
export function mirrorOf(
  entries: readonly SyncEntry[],
  reference: Reference,
): Repository | undefined {
  for (const entry of entries) {
    const rest = restIn(entry, reference);
    if (rest === undefined) continue;
    const { tag = 'latest' } = reference;
    for (const destination of entry.to) {
      if (destination.kind !== 'registry') continue;
      const parts = { ...partsOfRepository(reference, rest), tag };
      const found = explicitReference(fillTemplate(destination.template, parts));
      if (found !== undefined && (found.tag ?? tag) === tag) {
        return { domain: found.domain, path: found.path };
      }
    }
  }
  return undefined;
}

function restIn(
  { from, repositories, rename }: SyncEntry,
  { domain, path, tag, digest }: Reference,
): string | undefined {
  if (from.kind === 'place') return undefined;
  if (from.kind === 'wildcard') {
    const rest = domain === from.wildcard.domain ? restOf(path, from.wildcard) : undefined;
    return rest !== undefined && globFilter(repositories)(rest) ? renamed(rest, rename) : undefined;
  }
  const source = from.kind === 'image' ? from.reference : from.repository;
  if (source.domain !== domain || source.path !== path) return undefined;
  if (from.kind === 'repository') return path;
  const isSame =
    from.reference.tag === (tag ?? 'latest') ||
    (digest !== undefined && from.reference.digest === digest);
  return isSame ? path : undefined;
}
