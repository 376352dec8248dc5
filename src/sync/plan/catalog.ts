import { RegiError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import { canListNamespaces, type CallOptions } from '../../store.ts';
import type { Stores } from '../../targets/opened-store.ts';

/** Registries without a usable catalog: their own lists are read at once. */
const WITHOUT_CATALOG: ReadonlySet<string> = new Set(['docker.io', 'registry.gitlab.com']);

/** The lists of repositories of one run: each is asked for once. */
export class Catalogs {
  readonly #stores: Stores;
  readonly #options: CallOptions;
  readonly #catalogs = new Map<string, Promise<readonly string[]>>();
  readonly #namespaces = new Map<string, Promise<readonly string[] | undefined>>();

  constructor(stores: Stores, options: CallOptions) {
    this.#stores = stores;
    this.#options = options;
  }

  /**
   * Lists the repositories of a registry, whole; or those of a namespace, where only such a list
   * exists.
   *
   * @throws {RegiError} where the registry keeps no list, refuses it, or breaks off.
   */
  async list(host: string, namespace: string): Promise<readonly string[]> {
    if (host === 'ghcr.io') throw noList(host);
    if (WITHOUT_CATALOG.has(host)) return (await this.#listNamespace(host, namespace)) ?? refuse();
    try {
      return await this.catalog(host);
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      if (!(error instanceof RegiError) || !MAY_HAVE_OTHERS.has(error.code)) throw error;
      const names = await this.#listNamespace(host, namespace);
      if (names !== undefined) return names;
      throw error.code === 'NOT_FOUND' ? noList(host, error) : error;
    }

    function refuse(): never {
      throw noList(host);
    }
  }

  /**
   * Lists the repositories of a registry by its catalog. @throws {RegiError} where it has none for
   * this user.
   */
  catalog(host: string): Promise<readonly string[]> {
    const known = this.#catalogs.get(host);
    if (known !== undefined) return known;
    const listing = this.#readCatalog(host);
    this.#catalogs.set(host, listing);
    return listing;
  }

  async #readCatalog(host: string): Promise<readonly string[]> {
    const place = await this.#stores.openRegistry(host);
    const names = new Set<string>();
    for await (const name of place.repositories({ ...this.#options, whole: true })) names.add(name);
    return [...names].toSorted();
  }

  #listNamespace(host: string, namespace: string): Promise<readonly string[] | undefined> {
    const key = `${host}/${namespace}`;
    const known = this.#namespaces.get(key);
    if (known !== undefined) return known;
    const listing = this.#stores
      .openRegistry(host)
      .then((place) =>
        canListNamespaces(place) ? place.repositoriesIn(namespace, this.#options) : undefined,
      );
    this.#namespaces.set(key, listing);
    return listing;
  }
}

/** What registries say of a catalog that they do not keep, or not for this user. */
const MAY_HAVE_OTHERS: ReadonlySet<string> = new Set([
  'NOT_FOUND',
  'NOT_AUTHORISED',
  'REFUSED',
  'UNSUPPORTED',
]);

function noList(host: string, cause?: RegiError): RegiError {
  return new RegiError(
    'UNSUPPORTED',
    `Cannot list the repositories of ${quote(host)}: it keeps no list of them`,
    { hint: 'write an entry for each repository', cause },
  );
}
