import { isDigest, type Digest } from '../../oci/digest.ts';
import {
  familiarReference,
  formatReference,
  parseTag,
  referenceIn,
  repositoryName,
  type Reference,
  type Repository,
} from '../../oci/reference.ts';
import type { CallOptions, ImageLister, NamedImage } from '../../store.ts';
import { LOCAL_STORE, NotInStoreError } from '../not-found.ts';
import type { StoredBlob } from './blobs.ts';
import { LayoutFolder, type LayoutOptions } from './folder.ts';
import { sweepLayout, withoutNameless, type Sweep } from './garbage.ts';
import { readReferrerIfWhole } from './graph.ts';
import {
  annotationOf,
  descriptorOf,
  entriesNamed,
  nameOf,
  withAnnotation,
  withoutName,
  type LayoutEntry,
  type LayoutIndex,
} from './index-json.ts';
import { sameRepository } from './names.ts';
import { LayoutRepository, type LayoutStore, type Naming, wholeLayout } from './oci-layout.ts';

/** A name of the local store, or an image without one. */
export interface LocalImage extends NamedImage {
  /** Undefined for an image without a name, and for a name that is no reference. */
  readonly reference: Reference | undefined;
  /**
   * The digest that the name had where it was pulled from: of an index, when `root` is one platform
   * of it. Unchecked: for showing and comparing.
   */
  readonly pulled: string | undefined;
}

/** The digest that a name had in its registry when one platform of it was pulled. */
const PULLED = 'io.regi.pulled.digest';

/**
 * The images of this machine: an OCI layout whose names are full references
 * (`docker.io/library/nginx:latest`). Other programs read them as
 * `oci:DIR:docker.io/library/nginx:latest`.
 *
 * Any number of processes may use it at once. index.json changes under the lock of the layout.
 * Content is written first and named last; until then a lease of its process (`lease.ts`) keeps it
 * from `prune()` and `remove()` of another.
 */
export class LocalStore implements ImageLister {
  /** All content and names as one repository. */
  readonly whole: LayoutStore;
  readonly #folder: LayoutFolder;

  private constructor(folder: LayoutFolder) {
    this.whole = wholeLayout(folder);
    this.#folder = folder;
  }

  /** @param path absolute. A missing folder is an empty store, unless `create` makes it. */
  static async open(path: string, options: Omit<LayoutOptions, 'isShared'>): Promise<LocalStore> {
    return new LocalStore(
      await LayoutFolder.open(path, { ...options, isShared: true, isOptional: true }),
    );
  }

  /** Opens one repository, whose tags are the names `repository:tag` here. */
  openRepository(repository: Repository): LayoutStore {
    return new LayoutRepository(this.#folder, namingOf(repository));
  }

  /**
   * Lists every image, by each of its names, and images without one.
   *
   * @param options `referrers` adds manifests without a name that only refer to another image.
   */
  async images({
    referrers = false,
    ...options
  }: CallOptions & { readonly referrers?: boolean } = {}): Promise<readonly LocalImage[]> {
    const { entries } = await this.#folder.readIndex(options);
    const images: LocalImage[] = [];
    for (const entry of entries) {
      const image = imageOf(entry);
      const isImage =
        referrers ||
        image.name !== undefined ||
        (await readReferrerIfWhole(this.#folder.blobs, image.root, options)) === undefined;
      if (isImage) images.push(image);
    }
    return images;
  }

  /** Lists every blob, whether an image needs it or not. */
  blobs(options?: CallOptions): AsyncIterable<StoredBlob> {
    return this.#folder.blobs.list(options);
  }

  /** Records the digest that a name had in its registry. */
  async recordPulled(
    reference: Reference,
    pulled: Digest | undefined,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#folder.change(options, async (index) =>
      withAnnotation(index, formatReference(reference), [PULLED, pulled]),
    );
  }

  /** Removes names, and the content that only they needed. */
  async remove(
    names: readonly string[],
    { now, signal }: { readonly now: number } & CallOptions,
  ): Promise<Sweep> {
    return sweepLayout(
      this.#folder,
      async (index) => names.reduce((left, name) => withoutName(left, name), index),
      { scope: 'forgotten', now, signal },
    );
  }

  /** Removes images without a name, and the content that only they needed. */
  async removeNameless(
    digests: readonly Digest[],
    { now, signal }: { readonly now: number } & CallOptions,
  ): Promise<Sweep> {
    const forget = async (index: LayoutIndex): Promise<LayoutIndex> => ({
      ...index,
      entries: index.entries.filter(
        (entry) =>
          nameOf(entry) !== undefined || !digests.some((digest) => digest === entry.digest),
      ),
    });
    return sweepLayout(this.#folder, forget, { scope: 'forgotten', now, signal });
  }

  /** Removes all content that no name leads to and no living process has claimed. */
  async prune({
    now,
    dryRun,
    signal,
  }: {
    readonly now: number;
    readonly dryRun?: boolean | undefined;
  } & CallOptions): Promise<Sweep> {
    if (this.#folder.isMissing) return { removed: [], youngBytes: 0 };
    return sweepLayout(
      this.#folder,
      async (index) => withoutNameless(this.#folder, index, { signal }),
      { scope: 'everything', now, dryRun, signal },
    );
  }

  close(): Promise<void> {
    return this.#folder.close();
  }
}

function imageOf(entry: LayoutEntry): LocalImage {
  const name = entry.imageName ?? entry.refName;
  const reference = name === undefined ? undefined : referenceIn(name);
  return {
    name,
    tag: reference?.tag,
    repository: reference && { domain: reference.domain, path: reference.path },
    reference,
    root: descriptorOf(entry),
    pulled: annotationOf(entry, PULLED),
  };
}

/** Names tags in full: `docker.io/library/nginx:latest`; and untagged images by their digest. */
function namingOf(repository: Repository): Naming {
  const full = repositoryName(repository);
  return {
    repository: full,
    keepsReplaced: true,
    find: async (index, tag) => {
      const name = `${full}:${tag}`;
      return { entries: entriesNamed(index, name), name };
    },
    tags: async ({ entries }) =>
      entries.flatMap(({ imageName }) => {
        const found = imageName === undefined ? undefined : referenceIn(imageName);
        return found?.tag !== undefined && sameRepository(found, repository) ? [found.tag] : [];
      }),
    untaggedName: (digest) => `${full}@${digest}`,
    missing: (reference) => {
      const part = isDigest(reference) ? { digest: reference } : { tag: parseTag(reference) };
      const name = familiarReference({ ...repository, ...part });
      return new NotInStoreError(
        name,
        LOCAL_STORE,
        `type: regi pull ${name}; regi images lists the images of the local store`,
      );
    },
  };
}
