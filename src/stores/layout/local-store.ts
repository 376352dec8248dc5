import type { Digest } from '../../oci/digest.ts';
import {
  formatReference,
  referenceIn,
  type Reference,
  type Repository,
} from '../../oci/reference.ts';
import type { CallOptions, ImageLister, NamedImage } from '../../store.ts';
import {
  annotationOf,
  descriptorOf,
  EMPTY_INDEX,
  nameOf,
  withAnnotation,
  withoutName,
  type LayoutEntry,
  type LayoutIndex,
} from './index-json.ts';
import { sweepLayout, withoutNameless, type Sweep } from './garbage.ts';
import { LayoutNotFoundError } from './marker.ts';
import { readReferrerIfWhole } from './referrers.ts';
import { LocalRepository } from './local-repository.ts';
import { MissingIndexError, OciLayout, type LayoutOptions } from './oci-layout.ts';

/** A name of the local store, or an image without one. */
export interface LocalImage extends NamedImage {
  /** Undefined for an image without a name, and for a name that is no reference. */
  readonly reference: Reference | undefined;
  /** What the name pointed at where it was pulled from: an index, of which `root` is one platform. Unchecked: for showing and comparing. */
  readonly pulled: string | undefined;
}

/** The digest that a name had in its registry when one platform of it was pulled. */
const PULLED = 'io.regi.pulled.digest';

/**
 * The images of this machine: an OCI layout whose names are full references (`docker.io/library/nginx:latest`), which other programs read
 * as `oci:DIR:docker.io/library/nginx:latest`.
 *
 * Any number of processes may use it at once. index.json changes under the lock of the layout; content is written first and named last,
 * and until then it is in a lease of its process (`layout-lease.ts`), which `prune()` and `remove()` of another respect.
 */
export class LocalStore implements ImageLister {
  readonly #layout: OciLayout;
  readonly #isThere: boolean;

  private constructor(layout: OciLayout, isThere: boolean) {
    this.#layout = layout;
    this.#isThere = isThere;
  }

  /** @param folder absolute. One that is not there is an empty store, unless `create` makes it. */
  static async open(folder: string, options: Omit<LayoutOptions, 'isShared'>): Promise<LocalStore> {
    const layout = new OciLayout(folder, { ...options, isShared: true });
    try {
      await layout.open();
      return new LocalStore(layout, true);
    } catch (error) {
      // Without an index.json it is just being made by another, or was when that was killed.
      if (
        options.create ||
        !(error instanceof LayoutNotFoundError || error instanceof MissingIndexError)
      )
        throw error;
      return new LocalStore(layout, false);
    }
  }

  /** One repository: its tags are `repository:tag` here. */
  openRepository(repository: Repository): LocalRepository {
    return new LocalRepository(this.#layout, repository, (options) => this.readIndex(options));
  }

  /** Every image, by each of its names; those without one too, but not what only refers to another. */
  async images(options: CallOptions = {}): Promise<readonly LocalImage[]> {
    const { entries } = await this.readIndex(options);
    const images: LocalImage[] = [];
    for (const entry of entries) {
      const image = imageOf(entry);
      if (
        image.name !== undefined ||
        (await readReferrerIfWhole(this.#layout, image.root, options)) === undefined
      )
        images.push(image);
    }
    return images;
  }

  /** index.json as it is now; an empty one for a store that is not there. */
  async readIndex({ signal }: CallOptions): Promise<LayoutIndex> {
    signal?.throwIfAborted();
    return this.#isThere ? this.#layout.readIndex() : EMPTY_INDEX;
  }

  /** All content, whatever names it: for reading images that have no name. */
  get content(): OciLayout {
    return this.#layout;
  }

  /** Keeps what a name pointed at in its registry. */
  async recordPulled(
    reference: Reference,
    pulled: Digest | undefined,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#layout.change(options, async (index) =>
      withAnnotation(index, formatReference(reference), [PULLED, pulled]),
    );
  }

  /** Removes names, and the content that nothing needs any more. */
  async remove(
    names: readonly string[],
    { now, signal }: { readonly now: number } & CallOptions,
  ): Promise<Sweep> {
    return sweepLayout(
      this.#layout,
      async (index) => names.reduce((left, name) => withoutName(left, name), index),
      { scope: 'forgotten', now, signal },
    );
  }

  /** Removes images without a name from index.json, and the content that they alone were made of. */
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
    return sweepLayout(this.#layout, forget, { scope: 'forgotten', now, signal });
  }

  /** Removes whatever no name leads to, and no living process has claimed. */
  async prune({
    now,
    dryRun,
    signal,
  }: {
    readonly now: number;
    readonly dryRun?: boolean | undefined;
  } & CallOptions): Promise<Sweep> {
    if (!this.#isThere) return { removed: [], youngBytes: 0 };
    return sweepLayout(
      this.#layout,
      async (index) => withoutNameless(this.#layout, index, { signal }),
      { scope: 'everything', now, dryRun, signal },
    );
  }

  close(): Promise<void> {
    return this.#layout.close();
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
