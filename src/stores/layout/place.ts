import { basename } from 'node:path';

import type { CallOptions, ImageLister, Place } from '../../store.ts';
import type { StoredBlob } from './blobs.ts';
import { LayoutCatalog } from './catalog.ts';
import { namesIn, repositoryNameOf, unnamedRepository } from './names.ts';
import { namedImages } from '../archive/named-images.ts';
import { LayoutRepository, type LayoutRepositoryStore } from './repository.ts';
import { OciLayout, type LayoutOptions, type LayoutStore } from './oci-layout.ts';

/** The repositories of a layout folder. */
export interface LayoutPlace extends Place, ImageLister {
  /** The whole layout as one repository, whose tags are the names in index.json. */
  readonly whole: LayoutStore;
  open(repository: string): LayoutRepositoryStore;
  /** Lists every blob, whether an image needs it or not. */
  blobs(options?: CallOptions): AsyncIterable<StoredBlob>;
  /** What `open()` takes for a served name and the `ns` of a mirror's client. */
  readonly repositoryFor: (name: string, namespace: string | undefined) => string;
  /** A new path in the folder for a file that is not finished. */
  readonly nextTemp: () => Promise<string>;
  /** Gives up what was claimed of a shared layout. */
  readonly close: () => Promise<void>;
}

/** No repository name has one. */
const NAMESPACE_MARK = '?ns=';

/**
 * Opens a layout folder as a place of many repositories; `path` is absolute.
 *
 * A full reference in index.json (`registry.example/team/app:1`) is a tag of the repository that is served as `team/app`; where
 * several registries have that path, each is served as `registry.example/team/app`. Bare tags are those of a repository named
 * after the folder, and so is, as `latest`, the only image of a layout when it has no name. What is pushed to a new repository is
 * written as `localhost/team/app:1`.
 *
 * @throws as `openLayout`.
 */
export async function openLayoutPlace(path: string, options: LayoutOptions): Promise<LayoutPlace> {
  options.signal?.throwIfAborted();
  const layout = new OciLayout(path, options);
  await layout.open();
  const catalog = new LayoutCatalog(layout, repositoryNameOf(basename(path)));
  return {
    name: layout.place,
    whole: layout,
    images: async ({ signal }: CallOptions = {}) => {
      signal?.throwIfAborted();
      const index = await layout.readIndex();
      return namedImages(index, namesIn(index, unnamedRepository(path)));
    },
    blobs: (call) => layout.blobs(call),
    repositories: (call?: CallOptions) => catalog.list(call),
    open: (repository) => {
      const [name = '', namespace] = repository.split(NAMESPACE_MARK, 2);
      return new LayoutRepository(layout, catalog, { name, namespace });
    },
    repositoryFor: (name, namespace) =>
      namespace === undefined ? name : `${name}${NAMESPACE_MARK}${namespace}`,
    nextTemp: () => layout.nextTemp(),
    close: () => layout.close(),
  };
}
