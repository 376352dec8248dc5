import type { Repository } from '../../oci/reference.ts';
import type { CallOptions } from '../../store.ts';
import { descriptorOf, type LayoutIndex } from './index-json.ts';
import {
  findRepository,
  namesIn,
  NO_REGISTRY,
  repositoriesOf,
  servedNames,
  type EntryName,
} from './names.ts';
import { readReferrer } from './referrers.ts';
import type { OciLayout } from './oci-layout.ts';

/** What a repository that is asked for is called in the layout, and which names it has there. */
export interface CatalogEntry {
  readonly repository: Repository;
  readonly names: readonly EntryName[];
}

/** Which repositories a layout holds. Other programs may write to it, so index.json is read each time. */
export class LayoutCatalog {
  readonly #layout: OciLayout;
  /** Of bare tags. */
  readonly #fallback: Repository;
  readonly #nameless = new Set<string>();

  /** @param defaultPath the repository of bare tags. */
  constructor(layout: OciLayout, defaultPath: string) {
    this.#layout = layout;
    this.#fallback = { domain: NO_REGISTRY, path: defaultPath };
  }

  /** The repository that is served as `name`; a new one without names when there is none. */
  async find(
    name: string,
    namespace: string | undefined,
    options?: CallOptions,
  ): Promise<CatalogEntry> {
    const names = await this.#read(options);
    const repository = findRepository(repositoriesOf(names), name, namespace) ?? {
      domain: NO_REGISTRY,
      path: name,
    };
    return { repository, names: names.filter((entry) => isSame(entry.repository, repository)) };
  }

  /** How a tag of the repository is written into index.json. Bare tags stay bare, so that `oci:DIR:TAG` goes on to find them. */
  nameOf(repository: Repository, tag: string): string {
    return isSame(repository, this.#fallback)
      ? tag
      : `${repository.domain}/${repository.path}:${tag}`;
  }

  /** The names in `index` that are of other repositories. */
  namesOutside(index: LayoutIndex, repository: Repository): readonly EntryName[] {
    return namesIn(index, this.#fallback).filter((name) => !isSame(name.repository, repository));
  }

  /** Yields what the repositories are served as. */
  async *list(options?: CallOptions): AsyncIterable<string> {
    const repositories = repositoriesOf(await this.#read(options));
    yield* servedNames(repositories);
    for (const name of this.#nameless)
      if (findRepository(repositories, name, undefined) === undefined) yield name;
  }

  /** Lists a repository until the process ends although nothing in it may have a name, as registries do. */
  keep(name: string): void {
    this.#nameless.add(name);
  }

  async #read(options?: CallOptions): Promise<readonly EntryName[]> {
    options?.signal?.throwIfAborted();
    const index = await this.#layout.readIndex();
    const [only, ...others] = index.entries;
    const names = namesIn(index, this.#fallback);
    if (names.length > 0 || only === undefined || others.length > 0) return names;
    // What `skopeo copy … oci:DIR` writes: one image without a name, which nobody could ask for otherwise.
    if ((await readReferrer(this.#layout, descriptorOf(only), options)) !== undefined) return [];
    return [{ entry: only, repository: this.#fallback, tag: 'latest', text: 'latest' }];
  }
}

function isSame(a: Repository, b: Repository): boolean {
  return a.domain === b.domain && a.path === b.path;
}
