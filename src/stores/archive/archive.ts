import { stat } from 'node:fs/promises';
import { basename } from 'node:path';

import { ifPresent } from '../../disk/errno.ts';
import { formatCount } from '../../format.ts';
import type { Repository } from '../../oci/reference.ts';
import type { ImageLister, Place, Source, Store } from '../../store.ts';
import { type CarriedBlob, OMITTED_RECORD, parseBlobList } from '../../tar/carried-blobs.ts';
import { indexTar } from '../../tar/index-tar.ts';
import { decorate } from '../decorators/decorate.ts';
import { EMPTY_INDEX, type LayoutEntry, type LayoutIndex } from '../layout/index-json.ts';
import {
  type EntryName,
  findRepository,
  namesIn,
  NO_REGISTRY,
  repositoriesOf,
  repositoryNameOf,
  servedNames,
  unnamedRepository,
} from '../layout/names.ts';
import {
  type ArchiveContents,
  layoutRoot,
  noImages,
  type OpenTar,
  readMember,
  readOciContents,
} from './contents.ts';
import { DOCKER_MANIFEST, readDockerContents } from './docker-archive.ts';
import { type ArchiveFileOptions, openArchiveFile } from './file.ts';
import { readFolderContents } from './folder-contents.ts';
import { namedImages } from './named-images.ts';
import { ArchiveStore, type ReadOnlyStore } from './store.ts';

/** The images of a tar. `open('')` has them all, by tag or full name; the repositories are those that a registry would serve. */
export interface ArchivePlace extends Place, ImageLister {
  readonly format: ArchiveContents['format'];
  /** Layers that it leaves out because an earlier archive carried them; of most archives there are none. */
  readonly omitted: readonly CarriedBlob[];
  open(repository: string): ReadOnlyStore;
  /** What `open()` takes for a served name and the `ns` of a mirror's client. */
  repositoryFor(name: string, namespace: string | undefined): string;
  close(): Promise<void>;
}

export interface ArchiveOptions extends ArchiveFileOptions {
  /** The only format that is accepted; either when absent, of both in one tar the image layout. */
  readonly format?: ArchiveContents['format'] | undefined;
  /** How messages name the place; `archive:` and the path when absent. */
  readonly name?: string | undefined;
  /** Told what an image lacks. */
  readonly onNotice?: ((message: string, hint?: string) => void) | undefined;
}

/** No repository name has one. */
const NAMESPACE_MARK = '?ns=';

/**
 * Opens an image tar: an image layout (skopeo oci-archive, podman, buildah, regctl, oras, docker save since 25) or what docker save
 * wrote before (skopeo docker-archive, podman, crane, kaniko). `path` is absolute, or `-`. Nothing is unpacked but what cannot be
 * seeked; the caller closes it.
 *
 * @throws {ArchiveNotFoundError} when there is no file.
 * @throws {InvalidTarError} when it is no tar, or not a whole one.
 * @throws {InvalidArchiveError} when there are no images in it.
 */
export async function openArchive(path: string, options: ArchiveOptions): Promise<ArchivePlace> {
  const { close, ...read } = await readArchive(path, options);
  return placeOf(options.name ?? `archive:${path}`, { ...read, close, onNotice: options.onNotice });
}

/**
 * Opens several archives as one place: what one of them leaves out another may carry. A name that several have means the image of
 * the last, and it is said. Image layout folders may be among them, and are read as they are at this moment.
 *
 * @throws as `openArchive`, and as `openLayout` for folders.
 */
export async function openArchives(
  paths: readonly string[],
  options: Omit<ArchiveOptions, 'name'>,
): Promise<ArchivePlace> {
  const opened: ReadArchive[] = [];
  const close = async (): Promise<void> =>
    void (await Promise.all(opened.map((archive) => archive.close())));
  try {
    for (const path of paths)
      opened.push(
        await ((await isFolder(path)) ? readFolder(path, options) : readArchive(path, options)),
      );
    const [only, ...others] = opened;
    const merged =
      only !== undefined && others.length === 0 ? only : mergeArchives(opened, options);
    return placeOf(opened.map(({ name }) => name).join(' '), {
      ...merged,
      close,
      onNotice: options.onNotice,
    });
  } catch (error) {
    await close();
    throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return path !== '-' && (await ifPresent('open', path, stat(path)))?.isDirectory() === true;
}

interface ReadArchive extends Pick<ArchivePlace, 'name' | 'omitted' | 'close'> {
  readonly path: string;
  readonly contents: ArchiveContents;
  readonly names: readonly EntryName[];
  /** By which the images are served. */
  readonly served: readonly EntryName[];
}

async function readArchive(path: string, options: ArchiveOptions): Promise<ReadArchive> {
  const file = await openArchiveFile(path, options);
  try {
    const tar = await indexTar(file, {
      signal: options.signal,
      what: `the archive ${JSON.stringify(path)}${file.volumes === undefined ? '' : ` in ${formatCount(file.volumes, 'file')}`}`,
    });
    const contents = await readContents({ path, file, tar }, options);
    const omitted = await readOmitted({ path, file, tar }, options);
    return {
      name: `archive:${path}`,
      path,
      contents,
      ...namesOf(contents, unnamedRepository(path)),
      omitted,
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readFolder(
  path: string,
  { signal }: Pick<ArchiveOptions, 'signal'>,
): Promise<ReadArchive> {
  const contents = await readFolderContents(path, { signal });
  const repository = { domain: NO_REGISTRY, path: repositoryNameOf(basename(path)) };
  return {
    name: `oci:${path}`,
    path,
    contents,
    ...namesOf(contents, repository),
    omitted: [],
    close: async () => undefined,
  };
}

/** The only image without a name, as skopeo and podman write it, could not be asked for by any: it is served as `latest`. */
function namesOf(
  { index }: ArchiveContents,
  repository: Repository,
): Pick<ReadArchive, 'names' | 'served'> {
  const names = namesIn(index, repository);
  const [only, ...others] = index.entries;
  if (names.length > 0 || only === undefined || others.length > 0) return { names, served: names };
  return { names, served: [{ entry: only, repository, tag: 'latest', text: 'latest' }] };
}

type Merged = Pick<ReadArchive, 'contents' | 'names' | 'served' | 'omitted'>;

function mergeArchives(
  opened: readonly ReadArchive[],
  { onNotice }: Pick<ArchiveOptions, 'onNotice'>,
): Merged {
  const byName = new Map<string, { readonly name: EntryName; readonly path: string }>();
  const replaced = new Set<LayoutEntry>();
  for (const { served, path } of opened) {
    for (const name of served) {
      if (name.tag === undefined) continue;
      const key = `${name.repository.domain}/${name.repository.path}:${name.tag}`;
      const before = byName.get(key);
      byName.set(key, { name, path });
      if (before === undefined) continue;
      replaced.add(before.name.entry);
      if (before.name.entry.digest !== name.entry.digest)
        onNotice?.(
          `${JSON.stringify(key)} is that of ${JSON.stringify(path)}; ${JSON.stringify(before.path)} has another of that name`,
        );
    }
  }
  const find: ArchiveContents['find'] = (digest) =>
    opened.map(({ contents }) => contents.find(digest)).find((found) => found !== undefined);
  const entries = opened
    .flatMap(({ contents }) => contents.index.entries)
    .filter((entry) => !replaced.has(entry));
  return {
    contents: {
      format: opened.some(({ contents }) => contents.format === 'oci') ? 'oci' : 'docker',
      index: { ...EMPTY_INDEX, entries },
      find,
    },
    names: opened.flatMap(({ names }) => names).filter(({ entry }) => !replaced.has(entry)),
    served: opened.flatMap(({ served }) => served).filter(({ entry }) => !replaced.has(entry)),
    omitted: opened
      .flatMap(({ omitted }) => omitted)
      .filter(({ digest }) => find(digest) === undefined),
  };
}

async function readContents(
  open: OpenTar,
  { format, signal }: ArchiveOptions,
): Promise<ArchiveContents> {
  const root = layoutRoot(open.tar);
  if (root !== undefined && format !== 'docker') return readOciContents(open, root, { signal });
  if (open.tar.find(DOCKER_MANIFEST) !== undefined && format !== 'oci')
    return readDockerContents(open, { signal });
  throw noImages(open, format);
}

async function readOmitted(
  open: OpenTar,
  { signal }: ArchiveOptions,
): Promise<readonly CarriedBlob[]> {
  if (open.tar.find(OMITTED_RECORD) === undefined) return [];
  return parseBlobList(
    'omitted',
    await readMember(open, OMITTED_RECORD, { signal }),
    `${OMITTED_RECORD} of the archive ${JSON.stringify(open.path)}`,
  );
}

type Opened = Pick<ConstructorParameters<typeof ArchiveStore>[0], 'contents' | 'onNotice'> &
  Pick<ArchivePlace, 'close' | 'omitted'> &
  Pick<ReadArchive, 'names' | 'served'>;

function placeOf(
  place: string,
  { contents, names, served, omitted, onNotice, close }: Opened,
): ArchivePlace {
  const { index, format } = contents;
  const storeOf = (repository: string, own: LayoutIndex): ReadOnlyStore =>
    new ArchiveStore({ place, repository, contents, index: own, onNotice });
  return {
    name: place,
    format,
    omitted,
    close,
    images: async () => namedImages(index, names),
    async *repositories({ signal } = {}) {
      for (const name of servedNames(repositoriesOf(served))) {
        signal?.throwIfAborted();
        yield name;
      }
    },
    open(name) {
      if (name === '') return storeOf('', index);
      const [wanted = '', namespace] = name.split(NAMESPACE_MARK, 2);
      return storeOf(
        wanted,
        indexOf(index, served, findRepository(repositoriesOf(served), wanted, namespace)),
      );
    },
    repositoryFor: (name, namespace) =>
      namespace === undefined ? name : `${name}${NAMESPACE_MARK}${namespace}`,
  };
}

/** The tags of one repository. */
function indexOf(
  index: LayoutIndex,
  names: readonly EntryName[],
  wanted: Repository | undefined,
): LayoutIndex {
  const own = names.filter(
    ({ repository }) => repository.domain === wanted?.domain && repository.path === wanted.path,
  );
  return {
    ...index,
    entries: own.flatMap(({ entry, tag }) =>
      tag === undefined ? [] : [{ ...entry, refName: tag, imageName: undefined }],
    ),
  };
}

/** An archive together with earlier ones. */
export interface StoreWithBases {
  readonly store: Store;
  /** Closes the earlier ones. */
  readonly close: () => Promise<void>;
}

/**
 * An archive that has, besides its own, the content of earlier ones: what an incremental archive leaves out is in them. Names mean
 * what they mean in `store`.
 *
 * @param bases absolute paths.
 * @throws as `openArchive`.
 */
export async function withBases(
  store: Store,
  bases: readonly string[],
  options: Omit<ArchiveOptions, 'name'>,
): Promise<StoreWithBases> {
  const opened: ArchivePlace[] = [];
  const close = async (): Promise<void> =>
    void (await Promise.all(opened.map((base) => base.close())));
  try {
    for (const path of bases) opened.push(await openArchive(path, options));
  } catch (error) {
    await close();
    throw error;
  }
  const stores: readonly Source[] = [store, ...opened.map((base) => base.open(''))];
  const joined = decorate(store, {
    async exists(target, call) {
      for (const candidate of stores) if (await candidate.exists(target, call)) return true;
      return false;
    },
    fetch: (target, call) => ({
      async *[Symbol.asyncIterator]() {
        for (const candidate of stores)
          if (await candidate.exists(target, call)) return yield* candidate.fetch(target, call);
        // The archive itself explains best which content it lacks.
        yield* store.fetch(target, call);
      },
    }),
  });
  return { store: joined, close };
}
