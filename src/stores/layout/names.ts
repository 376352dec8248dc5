import { basename } from 'node:path';

import { InvalidManifestError, type Descriptor } from '../../oci/descriptor.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { isTag, referenceIn, type Reference, type Repository } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import type { ImageListOptions, NamedImage } from '../../store.ts';
import { descriptorOf, type LayoutEntry, type LayoutIndex } from './index-json.ts';

/** The tag and repository of an entry of index.json. */
export interface EntryName {
  readonly entry: LayoutEntry;
  readonly repository: Repository;
  /** Undefined for a name with a digest and no tag. */
  readonly tag: string | undefined;
  /** The name as it is written there. */
  readonly text: string;
  /** The entry has no name: clients find it as `latest`. */
  readonly isMade?: boolean | undefined;
}

/**
 * The registry of names without one: bare tags, and new repositories. It makes a full name, and is
 * no machine elsewhere.
 */
export const NO_REGISTRY = 'localhost';

const HUB = 'docker.io';
/** Other names of Docker Hub among clients and mirrors. */
const HUB_HOSTS: ReadonlySet<string> = new Set(['index.docker.io', 'registry-1.docker.io']);

/**
 * Lists the entries that have a name, in their order.
 *
 * @param fallback the repository of bare tags.
 */
export function namesIn({ entries }: LayoutIndex, fallback: Repository): readonly EntryName[] {
  return entries.flatMap((entry) => parseEntry(entry, fallback) ?? []);
}

/**
 * The same; the only image without a name, as skopeo and podman write it, is `latest`: clients
 * could not ask for it otherwise.
 */
export function namesOrLatest(index: LayoutIndex, fallback: Repository): readonly EntryName[] {
  const names = namesIn(index, fallback);
  const [only, ...others] = index.entries;
  if (names.length > 0 || only === undefined || others.length > 0) return names;
  return [{ entry: only, repository: fallback, tag: 'latest', text: 'latest', isMade: true }];
}

interface NamedImagesOptions extends Pick<ImageListOptions, 'onUnusable'> {
  readonly onNotice?: ((message: string) => void) | undefined;
}

/**
 * Lists the images of an index.json in their order.
 *
 * @param names its names.
 * @param onNotice called for each entry that is left out because its type is not that of a
 *   manifest, which the image-spec allows.
 * @throws {InvalidManifestError} at the first entry that cannot be read, without `onUnusable`.
 */
export function namedImages(
  { entries }: LayoutIndex,
  names: readonly EntryName[],
  { onNotice, onUnusable }: NamedImagesOptions = {},
): readonly NamedImage[] {
  const byEntry = new Map(names.map((named) => [named.entry, named]));
  return entries.flatMap((entry) => {
    const named = byEntry.get(entry);
    const text = named?.text ?? entry.imageName ?? entry.refName;
    const { mediaType } = entry.json;
    if (typeof mediaType === 'string' && mediaType !== '' && !isManifestType(mediaType)) {
      const shown = text ?? (typeof entry.digest === 'string' ? entry.digest : 'an unnamed entry');
      onNotice?.(
        `Left out ${quote(shown)} of index.json: its type ${quote(mediaType)} is not that of an image`,
      );
      return [];
    }
    const root = rootOf(entry, onUnusable);
    if (root === undefined) return [];
    return {
      name: text,
      tag: named?.tag,
      repository: named === undefined || isTag(named.text) ? undefined : named.repository,
      root,
    };
  });
}

/** Returns the descriptor of an entry; undefined after `onUnusable`. */
function rootOf(
  entry: LayoutEntry,
  onUnusable: ImageListOptions['onUnusable'],
): Descriptor | undefined {
  try {
    return descriptorOf(entry);
  } catch (error) {
    if (onUnusable === undefined || !(error instanceof InvalidManifestError)) throw error;
    onUnusable(error);
    return undefined;
  }
}

/**
 * The names that the repositories of images are served as: the path, with the registry before it
 * where several have the same path.
 */
export function servedNames(names: readonly EntryName[]): readonly string[] {
  const repositories = repositoriesOf(names);
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

/** Lists every repository once. */
function repositoriesOf(names: readonly EntryName[]): readonly Repository[] {
  return [
    ...new Map(
      names.map(({ repository }) => [`${repository.domain}/${repository.path}`, repository]),
    ).values(),
  ];
}

/** Nothing in a repository name looks like it. */
const NAMESPACE_MARK = '?ns=';

/** Joins a served name and the registry that a mirror's client wants it from (`?ns=`). */
export function servedAs(name: string, namespace: string | undefined): string {
  return namespace === undefined ? name : `${name}${NAMESPACE_MARK}${namespace}`;
}

/** Splits the result of `servedAs`. */
export function splitServed(served: string): {
  readonly name: string;
  readonly namespace: string | undefined;
} {
  const [name = '', namespace] = served.split(NAMESPACE_MARK, 2);
  return { name, namespace };
}

export function sameRepository(one: Repository, other: Repository): boolean {
  return one.domain === other.domain && one.path === other.path;
}

/** Keeps the names of one repository. */
export function namesWithin(names: readonly EntryName[], wanted: Repository): readonly EntryName[] {
  return names.filter(({ repository }) => sameRepository(repository, wanted));
}

/**
 * Finds the repository of a served name among those of images; undefined when there is none.
 *
 * A name may have the registry before it even where the path alone is enough. A path that several
 * registries have means the repository that was pushed here, or none: a guess could be the wrong
 * image.
 *
 * @param namespace the registry that a mirror's client wants it from: only that one matches, or a
 *   repository that was pushed here.
 */
export function findRepository(
  names: readonly EntryName[],
  name: string,
  namespace: string | undefined,
): Repository | undefined {
  const repositories = repositoriesOf(names);
  const same = repositories.filter(({ path }) => path === name);
  const here = same.find(({ domain }) => domain === NO_REGISTRY);
  if (namespace !== undefined)
    return same.find(({ domain }) => domain === domainOf(namespace)) ?? here;
  if (same.length > 0) return same.length === 1 ? same[0] : here;
  return repositories.find((repository) => qualified(repository) === name);
}

/**
 * Makes a repository name of a folder's: `My Images` becomes `my-images`.
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

/**
 * The repository of images with a bare tag or no name in an archive or layout: it is named after
 * the file or folder.
 */
export function unnamedRepository(path: string): Repository {
  return {
    domain: NO_REGISTRY,
    path: repositoryNameOf(
      basename(path).replace(/(?:\.tar)?(?:\.(?:gz|tgz|zst|tzst|xz|txz|bz2|tbz2|tar|\d{3}))*$/, ''),
    ),
  };
}

/** A repository name with the registry before it, without the ":" of `registry.example:5000`. */
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
