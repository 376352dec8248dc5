import { basename } from 'node:path';

import { isTag, referenceIn, type Reference, type Repository } from '../../oci/reference.ts';
import type { LayoutEntry, LayoutIndex } from './index-json.ts';

/** Which tag of which repository an entry of index.json is. */
export interface EntryName {
  readonly entry: LayoutEntry;
  readonly repository: Repository;
  /** Undefined for a name that pins a digest only. */
  readonly tag: string | undefined;
  /** The name as it is written there. */
  readonly text: string;
}

/** The registry of names that are of none: bare tags, and what is pushed. A name of it is full, and no machine is called so elsewhere. */
export const NO_REGISTRY = 'localhost';

const HUB = 'docker.io';
/** What clients and mirrors call Docker Hub besides. */
const HUB_HOSTS: ReadonlySet<string> = new Set(['index.docker.io', 'registry-1.docker.io']);

/**
 * The entries that have a name, in their order.
 *
 * @param fallback the repository of bare tags.
 */
export function namesIn({ entries }: LayoutIndex, fallback: Repository): readonly EntryName[] {
  return entries.flatMap((entry) => parseEntry(entry, fallback) ?? []);
}

/** Every repository once. */
export function repositoriesOf(names: readonly EntryName[]): readonly Repository[] {
  return [
    ...new Map(
      names.map(({ repository }) => [`${repository.domain}/${repository.path}`, repository]),
    ).values(),
  ];
}

/** What repositories are served as: each by its path, but with the registry before it where several have the same path. */
export function servedNames(repositories: readonly Repository[]): readonly string[] {
  const uses = new Map<string, number>();
  for (const { path } of repositories) uses.set(path, (uses.get(path) ?? 0) + 1);
  return [
    ...new Set(
      repositories.map((repository) =>
        uses.get(repository.path) === 1 ? repository.path : qualified(repository),
      ),
    ),
  ];
}

/**
 * The repository that a served name means; undefined when there is none.
 *
 * A name with the registry before it is understood also where it need not be there. A path that several registries have means
 * what was pushed here, and without that nothing: a guess could be the wrong image.
 *
 * @param namespace the registry that a mirror's client wants it from (`?ns=`): then no other will do, but what was pushed here.
 */
export function findRepository(
  repositories: readonly Repository[],
  name: string,
  namespace: string | undefined,
): Repository | undefined {
  const same = repositories.filter(({ path }) => path === name);
  const here = same.find(({ domain }) => domain === NO_REGISTRY);
  if (namespace !== undefined)
    return same.find(({ domain }) => domain === domainOf(namespace)) ?? here;
  if (same.length > 0) return same.length === 1 ? same[0] : here;
  return repositories.find((repository) => qualified(repository) === name);
}

/**
 * A repository name made of a folder's: `My Images` becomes `my-images`.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
 */
export function repositoryNameOf(folder: string): string {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9._]+/g, '-')
    .replace(/[._-]{2,}/g, '-')
    .replace(/^[._-]+|[._-]+$/g, '');
  return name === '' ? 'images' : name.slice(0, 128).replace(/[._-]+$/, '');
}

/** The repository of what an archive or layout names by bare tags, or not at all: it is named after the file or folder. */
export function unnamedRepository(path: string): Repository {
  return {
    domain: NO_REGISTRY,
    path: repositoryNameOf(
      basename(path).replace(/(?:\.tar)?(?:\.(?:gz|tgz|zst|tzst|tar|\d{3}))*$/, ''),
    ),
  };
}

/** `registry.example:5000` has a ":", which no repository name may have. */
function qualified({ domain, path }: Repository): string {
  return `${repositoryNameOf(domain)}/${path}`;
}

function domainOf(namespace: string): string {
  return HUB_HOSTS.has(namespace) ? HUB : namespace;
}

function parseEntry(entry: LayoutEntry, fallback: Repository): EntryName | undefined {
  const full = entry.imageName === undefined ? undefined : referenceIn(entry.imageName);
  if (entry.imageName !== undefined && full !== undefined)
    return { entry, text: entry.imageName, ...named(full) };
  const text = entry.refName;
  if (text === undefined) return undefined;
  if (isTag(text)) return { entry, text, repository: fallback, tag: text };
  const reference = referenceIn(text);
  return reference === undefined ? undefined : { entry, text, ...named(reference) };
}

function named({ domain, path, tag, digest }: Reference): Pick<EntryName, 'repository' | 'tag'> {
  return {
    repository: { domain, path },
    tag: tag ?? (digest === undefined ? 'latest' : undefined),
  };
}
