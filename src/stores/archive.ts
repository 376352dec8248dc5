import type { Repository } from '../oci/reference.ts';
import type { Place } from '../store.ts';
import { OMITTED_RECORD, parseBlobList, type CarriedBlob } from '../tar/carried-blobs.ts';
import { indexTar } from '../tar/index-tar.ts';
import { layoutRoot, noImages, readMember, readOciContents, type ArchiveContents, type OpenTar } from './archive-contents.ts';
import { openArchiveFile, type ArchiveFileOptions } from './archive-file.ts';
import { ArchiveStore, type ReadOnlyStore } from './archive-store.ts';
import { DOCKER_MANIFEST, readDockerContents } from './docker-archive.ts';
import type { LayoutIndex } from './layout-index.ts';
import { findRepository, namesIn, repositoriesOf, servedNames, unnamedRepository, type EntryName } from './layout-names.ts';
import { namedImages, type NamedImage } from './named-images.ts';

/** The images of a tar. `open('')` has them all, by tag or full name; the repositories are those that a registry would serve. */
export interface ArchivePlace extends Place {
  readonly format: ArchiveContents['format'];
  /** Every name once, and images without one, in the archive's order. */
  images(): readonly NamedImage[];
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
  const file = await openArchiveFile(path, options);
  try {
    const tar = await indexTar(file, { signal: options.signal, what: `the archive ${JSON.stringify(path)}` });
    const contents = await readContents({ path, file, tar }, options);
    const omitted = await readOmitted({ path, file, tar }, options);
    return placeOf(options.name ?? `archive:${path}`, path, { file, contents, omitted, close: () => file.close(), onNotice: options.onNotice });
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readContents(open: OpenTar, { format, signal }: ArchiveOptions): Promise<ArchiveContents> {
  const root = layoutRoot(open.tar);
  if (root !== undefined && format !== 'docker') return readOciContents(open, root, { signal });
  if (open.tar.find(DOCKER_MANIFEST) !== undefined && format !== 'oci') return readDockerContents(open, { signal });
  throw noImages(open, format);
}

async function readOmitted(open: OpenTar, { signal }: ArchiveOptions): Promise<readonly CarriedBlob[]> {
  if (open.tar.find(OMITTED_RECORD) === undefined) return [];
  return parseBlobList('omitted', await readMember(open, OMITTED_RECORD, { signal }), `${OMITTED_RECORD} of the archive ${JSON.stringify(open.path)}`);
}

type Opened = Pick<ConstructorParameters<typeof ArchiveStore>[0], 'file' | 'contents' | 'onNotice'> & Pick<ArchivePlace, 'close' | 'omitted'>;

function placeOf(place: string, path: string, { file, contents, omitted, onNotice, close }: Opened): ArchivePlace {
  const { index, format } = contents;
  const names = namesIn(index, unnamedRepository(path));
  const storeOf = (repository: string, own: LayoutIndex): ReadOnlyStore => new ArchiveStore({ place, repository, file, contents, index: own, onNotice });
  return {
    name: place,
    format,
    omitted,
    close,
    images: () => namedImages(index, names),
    async *repositories({ signal } = {}) {
      for (const name of servedNames(repositoriesOf(names))) {
        signal?.throwIfAborted();
        yield name;
      }
    },
    open(name) {
      if (name === '') return storeOf('', index);
      const [wanted = '', namespace] = name.split(NAMESPACE_MARK, 2);
      return storeOf(wanted, indexOf(index, names, findRepository(repositoriesOf(names), wanted, namespace)));
    },
    repositoryFor: (name, namespace) => (namespace === undefined ? name : `${name}${NAMESPACE_MARK}${namespace}`),
  };
}

/** The tags of one repository. */
function indexOf(index: LayoutIndex, names: readonly EntryName[], wanted: Repository | undefined): LayoutIndex {
  const own = names.filter(({ repository }) => repository.domain === wanted?.domain && repository.path === wanted.path);
  return { ...index, entries: own.flatMap(({ entry, tag }) => (tag === undefined ? [] : [{ ...entry, refName: tag, imageName: undefined }])) };
}
