import { stat } from 'node:fs/promises';
import { basename } from 'node:path';

import { ifPresent } from '../../disk/errno.ts';
import { formatCount } from '../../format.ts';
import type { Repository } from '../../oci/reference.ts';
import { quote, quotePath } from '../../quote.ts';
import { canLocate, type ImageLister, type Place, type Source, type Store } from '../../store.ts';
import { type CarriedBlob, OMITTED_RECORD, parseBlobList } from '../../tar/carried-blobs.ts';
import { indexTar } from '../../tar/index-tar.ts';
import { decorate } from '../decorators/decorate.ts';
import { EMPTY_INDEX, type LayoutEntry, type LayoutIndex } from '../layout/index-json.ts';
import {
  type EntryName,
  findRepository,
  namedImages,
  namesIn,
  namesOrLatest,
  namesWithin,
  NO_REGISTRY,
  repositoryNameOf,
  servedAs,
  servedNames,
  splitServed,
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
import { DOCKER_MANIFEST, readDockerContents, readDockerNames } from './docker-archive.ts';
import { type ArchiveFileOptions, openArchiveFile } from './file.ts';
import { readFolderContents } from './folder-contents.ts';
import { ArchiveStore, type ReadOnlyStore } from './store.ts';
import { withDockerNames } from './two-views.ts';

/**
 * The images of a tar. `open('')` has them all, by tag or full name; the repositories are those of
 * a registry over it.
 */
export interface ArchivePlace extends Place, ImageLister {
  /** The format of the archive. */
  readonly format: ArchiveContents['format'];
  /** Layers that it leaves out because an earlier archive carried them; most archives have none. */
  readonly omitted: readonly CarriedBlob[];
  /** Opens one repository; the empty name has all images. */
  open(repository: string): ReadOnlyStore;
  /** Returns the argument of `open()` for a served name, and for the `ns` of a mirror's client. */
  repositoryFor(name: string, namespace: string | undefined): string;
  /** Closes the files. */
  close(): Promise<void>;
}

/** How archives are opened. */
export interface ArchiveOptions extends ArchiveFileOptions {
  /**
   * The only accepted format. When absent either is; where one tar has both, it is read as an image
   * layout.
   */
  readonly format?: ArchiveContents['format'] | undefined;
  /** Names the place in messages; `archive:` and the path when absent. */
  readonly name?: string | undefined;
  /** Called when an image lacks platforms, or a name is replaced. */
  readonly onNotice?: ((message: string, hint?: string) => void) | undefined;
}

/**
 * Opens an image tar: an image layout (skopeo oci-archive, podman, buildah, regctl, oras, docker
 * save since 25) or the format of docker save before (skopeo docker-archive, podman, crane,
 * kaniko). `path` is absolute, or `-`. Only a compressed archive, or one from a pipe, is unpacked.
 * The caller closes it.
 *
 * @throws {RegiError} NOT_FOUND when there is no file, INVALID_ARCHIVE when it is no whole tar or
 *   has no images.
 */
export async function openArchive(path: string, options: ArchiveOptions): Promise<ArchivePlace> {
  const { close, ...read } = await readArchive(path, options);
  return placeOf(options.name ?? `archive:${path}`, { ...read, close, onNotice: options.onNotice });
}

/**
 * Opens several archives as one place: one may carry layers that another leaves out. A name of
 * several images means that of the last, with a notice. Image layout folders may be among them, and
 * are read as a snapshot of this moment.
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
  /** The names under which the images are served. */
  readonly served: readonly EntryName[];
}

async function readArchive(path: string, options: ArchiveOptions): Promise<ReadArchive> {
  const file = await openArchiveFile(path, options);
  try {
    const tar = await indexTar(file, {
      signal: options.signal,
      what: `the archive ${quotePath(path)}${file.volumes === undefined ? '' : ` in ${formatCount(file.volumes, 'file')}`}`,
    });
    const contents = await readContents({ path, file, tar }, options);
    const omitted = await readOmitted({ path, file, tar }, options);
    return {
      name: `archive:${path}`,
      path,
      contents,
      ...namesOf(contents.index, unnamedRepository(path)),
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
    ...namesOf(contents.index, repository),
    omitted: [],
    close: async () => undefined,
  };
}

function namesOf(
  index: LayoutIndex,
  repository: Repository,
): Pick<ReadArchive, 'names' | 'served'> {
  return { names: namesIn(index, repository), served: namesOrLatest(index, repository) };
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
          `${quote(key)} is the image in ${quotePath(path)}; ${quotePath(before.path)} has another one of that name`,
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
  if (root !== undefined && format !== 'docker') {
    const contents = await readOciContents(open, root, { signal });
    if (root !== '' || open.tar.find(DOCKER_MANIFEST) === undefined) return contents;
    const { path } = open;
    const store = new ArchiveStore({ place: path, repository: '', contents, index: EMPTY_INDEX });
    const docker = await readDockerNames(open, { signal });
    const index = await withDockerNames(contents.index, docker, store, { path, signal });
    return { ...contents, index };
  }
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
    `${OMITTED_RECORD} of the archive ${quotePath(open.path)}`,
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
    images: async (call) => namedImages(index, names, { ...call, onNotice }),
    async *repositories({ signal } = {}) {
      for (const name of servedNames(served)) {
        signal?.throwIfAborted();
        yield name;
      }
    },
    open(name) {
      if (name === '') return storeOf('', index);
      const { name: wanted, namespace } = splitServed(name);
      const repository = findRepository(served, wanted, namespace);
      const own = repository === undefined ? [] : namesWithin(served, repository);
      return storeOf(wanted, { ...index, entries: taggedEntries(own) });
    },
    repositoryFor: servedAs,
  };
}

/** The entries of a repository under their bare tags. */
function taggedEntries(names: readonly EntryName[]): readonly LayoutEntry[] {
  return names.flatMap(({ entry, tag }) =>
    tag === undefined ? [] : [{ ...entry, refName: tag, imageName: undefined }],
  );
}

/** An archive together with earlier ones. */
export interface StoreWithBases {
  readonly store: Store;
  /** Closes the earlier ones. */
  readonly close: () => Promise<void>;
}

/**
 * Adds the content of earlier archives to an incremental one. Names are resolved in `store` alone.
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
        // Its own error names what is missing.
        yield* store.fetch(target, call);
      },
    }),
    locate: (digest) =>
      stores
        .map((candidate) => (canLocate(candidate) ? candidate.locate(digest) : []))
        .find((parts) => parts.length > 0) ?? [],
  });
  return { store: joined, close };
}
