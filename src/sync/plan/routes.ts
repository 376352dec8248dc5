import { RegiError } from '../../errors.ts';
import {
  explicitReference,
  fillTemplate,
  partsOfRepository,
  renamed,
  restOf,
  type NameParts,
} from '../file/names.ts';
import { quote } from '../../quote.ts';
import { repositoryName, type Reference, type Repository } from '../../oci/reference.ts';
import { tagFilter } from '../../operations/tags/select-tags.ts';
import type { CallOptions } from '../../store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import type { SyncEntry } from '../file/entry.ts';
import { globFilter } from './globs.ts';

/** One repository of a source, and one destination of it. */
export interface Route {
  readonly entry: SyncEntry;
  readonly source: Repository;
  /** The only image that is copied; undefined where tags are selected. */
  readonly only: Reference | undefined;
  readonly parts: NameParts;
  readonly destination: Repository;
  /** The tag at the destination, with `{tag}`. */
  readonly tag: string;
}

/** An entry whose repositories cannot be listed. */
export interface UnlistedEntry {
  readonly entry: SyncEntry;
  readonly error: RegiError;
}

/** Everything that a run does. */
export interface SyncWork {
  readonly routes: readonly Route[];
  readonly unlisted: readonly UnlistedEntry[];
}

/**
 * Lists the repositories of wildcards and pairs each source with its destinations. Reads catalogs and
 * nothing else.
 */
export async function expandEntries(
  entries: readonly SyncEntry[],
  stores: Stores,
  options: CallOptions,
): Promise<SyncWork> {
  const routes: Route[] = [];
  const unlisted: UnlistedEntry[] = [];
  const catalogs = new Map<string, Promise<readonly string[]>>();
  for (const entry of entries) {
    try {
      for (const found of await sourcesOf(entry, stores, catalogs, options))
        routes.push(...routesOf(entry, found));
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof RegiError)) throw error;
      unlisted.push({ entry, error });
    }
  }
  return { routes, unlisted };
}

interface FoundSource {
  readonly repository: Repository;
  readonly rest: string;
  readonly only?: Reference | undefined;
}

async function sourcesOf(
  entry: SyncEntry,
  stores: Stores,
  catalogs: Map<string, Promise<readonly string[]>>,
  options: CallOptions,
): Promise<readonly FoundSource[]> {
  const { from } = entry;
  switch (from.kind) {
    case 'image': {
      const { domain, path } = from.reference;
      return [{ repository: { domain, path }, rest: path, only: from.reference }];
    }
    case 'repository':
      return [{ repository: from.repository, rest: from.repository.path }];
    case 'place':
      throw new RegiError('UNSUPPORTED', `Cannot sync from ${quote(from.text)}`, {
        hint: 'registries are the only sources and destinations',
      });
    default:
      break;
  }
  const { wildcard } = from;
  const { domain } = wildcard;
  let listing = catalogs.get(domain);
  if (listing === undefined) {
    listing = listCatalog(domain, stores, options);
    catalogs.set(domain, listing);
  }
  const accepts = globFilter(entry.repositories);
  const found = (await listing).flatMap((path): FoundSource[] => {
    const rest = restOf(path, wildcard);
    if (rest === undefined || !accepts(rest)) return [];
    return [{ repository: { domain, path }, rest: renamed(rest, entry.rename) }];
  });
  if (found.length < entry.minRepositories)
    throw new RegiError(
      'NOT_FOUND',
      `Cannot sync ${quote(entry.name)}: expected at least ${entry.minRepositories} repositories, found ${found.length}`,
      { hint: 'the catalog may be incomplete for this login; check it with: regi repos list' },
    );
  return found;
}

async function listCatalog(
  host: string,
  stores: Stores,
  { signal }: CallOptions,
): Promise<readonly string[]> {
  if (host === 'ghcr.io')
    throw new RegiError(
      'UNSUPPORTED',
      `Cannot list the repositories of "${host}": it keeps no list`,
      {
        hint: 'write an entry for each repository',
      },
    );
  const place = await stores.openRegistry(host);
  const names: string[] = [];
  try {
    for await (const name of place.repositories({ signal, whole: true })) names.push(name);
  } catch (error) {
    if (!(error instanceof RegiError) || error.code !== 'NOT_FOUND') throw error;
    throw new RegiError(
      'UNSUPPORTED',
      `Cannot list the repositories of ${quote(host)}: it keeps no catalog`,
      { hint: 'write an entry for each repository', cause: error },
    );
  }
  return [...new Set(names)].toSorted();
}

function routesOf(entry: SyncEntry, { repository, rest, only }: FoundSource): readonly Route[] {
  const parts = partsOfRepository(repository, rest);
  return entry.to.map((to) => {
    if (to.kind === 'place')
      throw new RegiError('UNSUPPORTED', `Cannot sync to ${quote(to.text)}`, {
        hint: 'registries are the only sources and destinations',
      });
    const { template, tag } = splitTemplate(to.template);
    const name = fillTemplate(template, parts);
    const reference = explicitReference(name);
    if (reference === undefined || reference.tag !== undefined)
      throw new RegiError(
        'INVALID_REFERENCE',
        `Cannot use ${quote(name)} as the destination of ${quote(repositoryName(repository))}: expected a repository with its registry`,
        { hint: 'check "to" and "rename" of the entry' },
      );
    const { domain, path } = reference;
    return { entry, source: repository, only, parts, destination: { domain, path }, tag };
  });
}

/** Splits `R:up-{tag}` into repository and tag; the tag of the source where there is none. */
function splitTemplate(text: string): { readonly template: string; readonly tag: string } {
  const { template = text, tag = '{tag}' } =
    /^(?<template>.+):(?<tag>[^:/]+)$/.exec(text)?.groups ?? {};
  return { template, tag };
}

/** Groups routes that write to a common repository: only together can their tags be compared. */
export function groupRoutes(routes: readonly Route[]): readonly (readonly Route[])[] {
  const groups = new Map<string, Route[]>();
  for (const route of routes) {
    const key = repositoryName(route.destination);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [route]);
    else group.push(route);
  }
  return [...groups.values()];
}

/** True if `keep`, `immutable` or another list of patterns takes the tag; an empty list takes none. */
export function matchesAny(patterns: readonly string[]): (tag: string) => boolean {
  return patterns.length === 0 ? () => false : tagFilter(patterns);
}

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
