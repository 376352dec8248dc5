import { basename } from 'node:path';

import { isTag, type Repository } from '../../oci/reference.ts';
import type { CallOptions, ImageLister, Place } from '../../store.ts';
import { describeNames, NotInStoreError } from '../not-found.ts';
import type { StoredBlob } from './blobs.ts';
import { LayoutFolder, type LayoutOptions } from './folder.ts';
import { readReferrer } from './graph.ts';
import { descriptorOf, type LayoutIndex } from './index-json.ts';
import {
  type EntryName,
  findRepository,
  namedImages,
  namesIn,
  namesOrLatest,
  namesWithin,
  NO_REGISTRY,
  repositoryNameOf,
  sameRepository,
  servedAs,
  servedNames,
  splitServed,
  unnamedRepository,
} from './names.ts';
import { LayoutRepository, type LayoutStore, type Naming, wholeLayout } from './oci-layout.ts';

/** The repositories of a layout folder. */
export interface LayoutPlace extends Place, ImageLister {
  /** The whole layout as one repository, whose tags are the names in index.json. */
  readonly whole: LayoutStore;
  /** Opens one repository. */
  open(repository: string): LayoutStore;
  /** Lists every blob, whether an image needs it or not. */
  blobs(options?: CallOptions): AsyncIterable<StoredBlob>;
  /** Returns the argument of `open()` for a served name, and for the `ns` of a mirror's client. */
  readonly repositoryFor: (name: string, namespace: string | undefined) => string;
  /**
   * Returns a new path in the folder for an unfinished file. The next process that writes removes
   * what a killed one left.
   */
  readonly nextTemp: () => Promise<string>;
  /** Gives up the claims on a shared layout. */
  readonly close: () => Promise<void>;
}

/**
 * Opens a layout folder as a place of many repositories; `path` is absolute.
 *
 * A full reference in index.json (`registry.example/team/app:1`) is a tag of the repository that is
 * served as `team/app`; where several registries have that path, each is served as
 * `registry.example/team/app`. Bare tags belong to a repository named after the folder, and so
 * does, as `latest`, the only image of a layout when it has no name. A push to a new repository is
 * written as `localhost/team/app:1`.
 *
 * @throws as `openLayout`.
 */
export async function openLayoutPlace(path: string, options: LayoutOptions): Promise<LayoutPlace> {
  const folder = await LayoutFolder.open(path, options);
  const served = new ServedNames(folder, repositoryNameOf(basename(path)));
  return {
    name: folder.place,
    whole: wholeLayout(folder),
    images: async (call) => {
      const index = await folder.readIndex(call);
      return namedImages(index, namesIn(index, unnamedRepository(path)), {
        ...call,
        onNotice: options.onNotice,
      });
    },
    blobs: (call) => folder.blobs.list(call),
    repositories: (call) => served.repositories(call),
    open: (repository) => new LayoutRepository(folder, served.naming(repository)),
    repositoryFor: servedAs,
    nextTemp: () => folder.temps.next(),
    close: () => folder.close(),
  };
}

/**
 * Which repositories a layout holds. Other programs may write to it, so index.json is read each
 * time.
 */
class ServedNames {
  readonly #folder: LayoutFolder;
  /** The repository of bare tags. */
  readonly #bare: Repository;
  /**
   * Repositories that are listed until the process ends although they may have no tag, as
   * registries list them.
   */
  readonly #untagged = new Set<string>();

  constructor(folder: LayoutFolder, bareTags: string) {
    this.#folder = folder;
    this.#bare = { domain: NO_REGISTRY, path: bareTags };
  }

  async *repositories(options?: CallOptions): AsyncIterable<string> {
    const names = await this.#names(await this.#folder.readIndex(options), options);
    yield* servedNames(names);
    for (const name of this.#untagged)
      if (findRepository(names, name, undefined) === undefined) yield name;
  }

  naming(repository: string): Naming {
    const { name, namespace } = splitServed(repository);
    const find = (names: readonly EntryName[]): Repository =>
      findRepository(names, name, namespace) ?? { domain: NO_REGISTRY, path: name };
    const own = (names: readonly EntryName[]): readonly EntryName[] =>
      namesWithin(names, find(names));
    return {
      repository: name,
      keepsReplaced: false,
      find: async (index, tag, options) => {
        const names = await this.#names(index, options);
        const tagged = own(names).filter((named) => named.tag === tag);
        return {
          entries: tagged.map(({ entry }) => entry),
          name: tagged[0]?.text ?? this.#newName(find(names), tag),
        };
      },
      tags: async (index, options) =>
        own(await this.#names(index, options)).flatMap(({ tag }) => tag ?? []),
      untaggedName: () => '',
      missing: (reference, tags) =>
        new NotInStoreError(reference, `${this.#folder.place} ${name}`, describeNames(tags)),
      foreign: (index) => {
        const names = namesIn(index, this.#bare);
        const kept = new Set(own(names));
        return new Set(names.filter((named) => !kept.has(named)).map(({ entry }) => entry));
      },
      remember: () => void this.#untagged.add(name),
    };
  }

  /** Keeps bare tags bare, so that `oci:DIR:TAG` still finds them. */
  #newName(repository: Repository, tag: string): string {
    return isTag(tag) && sameRepository(repository, this.#bare)
      ? tag
      : `${repository.domain}/${repository.path}:${tag}`;
  }

  async #names(index: LayoutIndex, options?: CallOptions): Promise<readonly EntryName[]> {
    const names = namesOrLatest(index, this.#bare);
    const [only] = names;
    if (only?.isMade !== true) return names;
    const root = descriptorOf(only.entry);
    return (await readReferrer(this.#folder.blobs, root, options)) === undefined ? names : [];
  }
}
