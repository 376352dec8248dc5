import { resolve } from 'node:path';

import { assertNever, RegiError } from '../../errors.ts';
import {
  explicitReference,
  fillTemplate,
  partsOfRepository,
  renamed,
  repositoryKey,
  restOf,
  type NameParts,
  type Wildcard,
} from '../file/names.ts';
import { quote } from '../../quote.ts';
import { repositoryName, type Reference, type Repository } from '../../oci/reference.ts';
import { tagFilter } from '../../operations/tags/select-tags.ts';
import type { Stores } from '../../targets/opened-store.ts';
import type { SyncEntry } from '../file/entry.ts';
import type { SourcePlace } from '../file/places.ts';
import type { Catalogs } from './catalog.ts';
import { placeDestination, registryDestination, type Destination } from './destinations.ts';
import { globFilter } from './globs.ts';
import { heldSources, type HeldSource } from './held.ts';

/** One repository of a source, and one destination of it. */
export interface Route extends Destination {
  readonly entry: SyncEntry;
  readonly source: Repository;
  /** Reads a source that is no registry. */
  readonly held?: HeldSource | undefined;
  /** The only image that is copied; undefined where tags are selected. */
  readonly only: Reference | undefined;
  readonly parts: NameParts;
}

/** What routes are made with. */
export interface ExpandOptions {
  readonly signal: AbortSignal | undefined;
  /** Relative paths begin here. */
  readonly folder: string;
  readonly warn: (message: string) => void;
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
  /** Repositories of destinations whose source has left the list of a wildcard. */
  readonly orphans?: readonly string[] | undefined;
}

/**
 * Lists the repositories of wildcards and pairs each source with its destinations. Reads catalogs
 * and nothing else.
 */
export async function expandEntries(
  entries: readonly SyncEntry[],
  stores: Stores,
  catalogs: Catalogs,
  options: ExpandOptions,
): Promise<SyncWork> {
  const routes: Route[] = [];
  const unlisted: UnlistedEntry[] = [];
  for (const entry of entries) {
    try {
      for (const found of await sourcesOf(entry, stores, catalogs, options))
        routes.push(...routesOf(entry, found, options.folder));
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
  /** The repository with `rename` applied: the name that files record. */
  readonly recorded: Repository;
  readonly only?: Reference | undefined;
  readonly held?: HeldSource | undefined;
}

async function sourcesOf(
  entry: SyncEntry,
  stores: Stores,
  catalogs: Catalogs,
  options: ExpandOptions,
): Promise<readonly FoundSource[]> {
  const { from } = entry;
  switch (from.kind) {
    case 'image': {
      const { domain, path } = from.reference;
      const repository = { domain, path };
      return [{ repository, rest: path, recorded: repository, only: from.reference }];
    }
    case 'repository': {
      const { repository } = from;
      return [{ repository, rest: repository.path, recorded: repository }];
    }
    case 'place':
      return enough(entry, await sourcesIn(from, entry, stores, options));
    case 'wildcard':
      return enough(entry, await sourcesBelow(from.wildcard, entry, catalogs));
    default:
      return assertNever(from);
  }
}

/** Lists the repositories of an archive, a layout or the local store. */
async function sourcesIn(
  { location, only, text }: SourcePlace,
  { repositories, rename }: SyncEntry,
  stores: Stores,
  { signal, folder, warn }: ExpandOptions,
): Promise<readonly FoundSource[]> {
  const source = await stores.openImages(
    location === 'local' ? location : { ...location, path: resolve(folder, location.path) },
  );
  const accepts = globFilter(repositories);
  const all = await heldSources(source, { only, signal, warn, text });
  return all
    .filter(({ name: { path } }) => accepts(path))
    .map((held): FoundSource => {
      const { domain, path } = held.name;
      const rest = renamed(path, rename);
      return { repository: held.name, rest, recorded: { domain, path: rest }, held };
    });
}

/** Lists the repositories of a registry that a wildcard takes. */
async function sourcesBelow(
  wildcard: Wildcard,
  entry: SyncEntry,
  catalogs: Catalogs,
): Promise<readonly FoundSource[]> {
  const { domain, prefix } = wildcard;
  const listed = await catalogs.list(domain, prefix);
  const accepts = globFilter(entry.repositories);
  return listed.flatMap((path): FoundSource[] => {
    const taken = restOf(path, wildcard);
    if (taken === undefined || !accepts(taken)) return [];
    const rest = renamed(taken, entry.rename);
    const recorded = { domain, path: path.slice(0, path.length - taken.length) + rest };
    return [{ repository: { domain, path }, rest, recorded }];
  });
}

function enough(entry: SyncEntry, found: readonly FoundSource[]): readonly FoundSource[] {
  if (found.length < entry.minRepositories)
    throw new RegiError(
      'NOT_FOUND',
      `Cannot sync ${quote(entry.name)}: expected at least ${entry.minRepositories} repositories, found ${found.length}`,
      { hint: 'the catalog may be incomplete for this login; check it with: regi repos list' },
    );
  return found;
}

function routesOf(entry: SyncEntry, found: FoundSource, folder: string): readonly Route[] {
  const { repository, rest, only, held } = found;
  const parts = partsOfRepository(repository, rest);
  return entry.to.map((to) => ({
    entry,
    source: repository,
    held,
    only,
    parts,
    ...(to.kind === 'place'
      ? placeDestination(to.text, parts, found.recorded, folder)
      : registryDestination(to.template, parts, repository)),
  }));
}

/** Returns where the same entry copies another repository, in the same registry. */
export function siblingOf(
  { entry, destination }: Route,
  { domain, path }: Repository,
): Reference | undefined {
  if (destination.kind !== 'registry') return undefined;
  const repository = { domain, path };
  const parts = partsOfRepository(repository, renamed(path, entry.rename));
  for (const to of entry.to) {
    if (to.kind === 'place') continue;
    const other = registryDestination(to.template, parts, repository).destination;
    if (other.kind === 'registry' && other.reference.domain === destination.reference.domain)
      return other.reference;
  }
  return undefined;
}

/**
 * The routes of one image that its source names by a digest, with the names that the entry gives.
 */
export function routesOfImage(entry: SyncEntry, only: Reference, folder: string): readonly Route[] {
  const { domain, path } = only;
  const repository = { domain, path };
  const rest = restIn(entry, only) ?? path;
  const recorded =
    entry.from.kind === 'wildcard'
      ? { domain, path: [entry.from.wildcard.prefix, rest].filter(Boolean).join('/') }
      : repository;
  return routesOf(entry, { repository, rest, recorded, only }, folder);
}

/**
 * Groups routes that write to a common repository or file: only together can their tags be
 * compared.
 */
export function groupRoutes(routes: readonly Route[]): readonly (readonly Route[])[] {
  const groups = new Map<string, Route[]>();
  for (const route of routes) {
    const key = keyOf(route);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [route]);
    else group.push(route);
  }
  return [...groups.values()];
}

function keyOf({ destination, name, within }: Route): string {
  if (!('path' in destination)) return repositoryKey(name);
  return `${destination.kind}:${destination.path}:${within === undefined ? '' : repositoryName(within)}`;
}

/**
 * True if `keep`, `immutable` or another list of patterns takes the tag; an empty list takes none.
 */
export function matchesAny(patterns: readonly string[]): (tag: string) => boolean {
  return patterns.length === 0 ? () => false : tagFilter(patterns);
}

/**
 * Returns the repository to which the first matching entry mirrors an image. Undefined where no
 * entry copies its repository to a registry, or where the entry renames tags.
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
