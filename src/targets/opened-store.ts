import type { RegiError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference, Repository } from '../oci/reference.ts';
import type { CallOptions, NamedImage, Place, Store } from '../store.ts';
import type { LocalStore } from '../stores/layout/local-store.ts';
import type { CarriedBlob } from '../tar/carried-blobs.ts';
import type { ImagesLocation, Location } from './location.ts';

/**
 * The purpose for which a location is opened. A `source` is read; a `destination` is written, and
 * created when it is missing; a `change` reads and writes a place that exists.
 */
export type Side = 'source' | 'destination' | 'change';

/** One location, opened. */
export interface OpenedStore {
  readonly store: Store;
  /** The text to resolve in the store: a digest, tag or full name; empty for the only image. */
  readonly reference: string;
  /**
   * The tag of the image: as typed, or the name of the only image of a path, or `latest` for a
   * reference without tag and digest.
   */
  readonly tag: string | undefined;
  /** The digest that was typed. */
  readonly pinned: Digest | undefined;
  /** The full name of the image, where an archive knows more than was typed. */
  readonly fullName?: Reference | undefined;
  /** True where the manifests are made by regi, of an archive in docker's old format. */
  readonly isMade?: boolean | undefined;
  /** True for a server, which checks manifests itself and may refuse to delete single tags. */
  readonly isRemote?: boolean | undefined;
  /** The name without tag and digest, for people: `registry.example/team/app`, `oci:./dir`. */
  readonly name: string;
}

export interface OpenOptions {
  /** Many tags will be written. A registry is then asked once whether the repository is new. */
  readonly manyTags?: boolean | undefined;
  /** A source that its registry does not give is taken from the local store, which is noted. */
  readonly orLocal?: boolean | undefined;
  /** The local store is asked before the registry, as docker does. */
  readonly preferLocal?: boolean | undefined;
  /**
   * The repository of a layout whose tags are those of its full names; the whole layout when
   * absent.
   */
  readonly repository?: Repository | undefined;
}

/**
 * Opens the locations of one command. Shared resources, such as connections, are closed when it
 * ends.
 */
export interface Stores {
  /** @throws {RegiError} NOT_FOUND for a missing source, USAGE for a file that is to be changed. */
  open(location: Location, side: Side, options?: OpenOptions): Promise<OpenedStore>;
  /**
   * Reads a URL of a configuration file, without credentials; undefined for a 404.
   *
   * @throws {RegiError} for any other status than 200, and for more than 1 MiB.
   */
  readUrl(url: URL, options?: CallOptions): Promise<Uint8Array | undefined>;
  /** Opens a whole registry for reading. `host` is `HOST[:PORT]`. */
  openRegistry(host: string): Promise<Place>;
  /**
   * Opens all images of an archive, a layout or the local store for reading, or the one that the
   * location names.
   *
   * @param bases archives, as typed, that carry the layers which this one leaves out.
   */
  openImages(location: ImagesLocation | 'local', bases?: readonly string[]): Promise<ImageSource>;
  /**
   * Opens the local store, or the layout in a folder that has full names like it. It is created for
   * a destination; a missing source is an empty store.
   *
   * @param folder absolute.
   */
  openLocal(side: 'source' | 'destination', folder?: string): Promise<LocalStore>;
}

/** A place that lists its images: an archive, a layout or the local store. */
export interface ImageSource {
  readonly store: Store;
  /** All images, or the one that the location names. */
  readonly images: readonly NamedImage[];
  /**
   * Errors of entries that cannot be read, and were left out with a warning. Empty where the
   * location names one image.
   */
  readonly unusable?: readonly RegiError[] | undefined;
  /** The repository of images without a full name. */
  readonly unnamed: Repository;
  /** Layers that an archive leaves out because an earlier one carried them. */
  readonly omitted: readonly CarriedBlob[];
  /** True where the manifests are made by regi, of an archive in docker's old format. */
  readonly isMade?: boolean | undefined;
  /** Platforms of an index may be absent, as in files that docker writes. */
  readonly isSparse?: boolean | undefined;
  /** Everything in the place, needed or not; undefined where it can be read only once. */
  readonly blobs?: AsyncIterable<{ readonly digest: Digest; readonly size: number }> | undefined;
}
