import { resolve } from 'node:path';

import type { Context } from '../context.ts';
import { assertNever, RegiError, UsageError } from '../errors.ts';
import { identifierOf, repositoryName, withDefaultTag, type Reference } from '../oci/reference.ts';
import { canListTags, type CallOptions, type Place, type Store } from '../store.ts';
import type { LayoutStore } from '../stores/layout/oci-layout.ts';
import type { LocalStore } from '../stores/layout/local-store.ts';
import type {
  ArchiveLocation,
  FolderLocation,
  ImagesLocation,
  LayoutLocation,
  Location,
  NamedLocation,
} from './location.ts';
import type { ImageSource, OpenedStore, OpenOptions, Side, Stores } from './opened-store.ts';
import type { Registries } from './registries.ts';

export interface StoresOptions {
  /** Destinations record changes instead of making them. */
  readonly dryRun?: boolean | undefined;
  /** Destinations mount blobs, and refuse the bytes of one. */
  readonly mountOnly?: boolean | undefined;
}

/** Passes the stores of a command to `use`, and closes everything they share when it ends. */
export async function* withStores<Row>(
  context: Context,
  options: StoresOptions,
  use: (stores: Stores) => AsyncIterable<Row>,
): AsyncIterable<Row> {
  const stores = new CommandStores(context, options);
  try {
    // Not yield*, which wraps each row in two more promises.
    for await (const row of use(stores)) yield row;
  } finally {
    await stores.close();
  }
}

type Decorator = (store: Store) => Store;

/**
 * Chooses the Store of each kind of location; nothing else does. Network and file code is loaded
 * when the first location needs it, so `regi help` loads none of it.
 */
/** What a URL of a configuration file may send. */
const URL_LIMIT_BYTES = 1024 * 1024;

class CommandStores implements Stores {
  readonly #context: Context;
  readonly #options: StoresOptions;
  #registries: Promise<Registries> | undefined;
  #throttle: Promise<Decorator> | undefined;
  readonly #local = new Map<string, Promise<LocalStore>>();
  readonly #closers: (() => Promise<void>)[] = [];

  constructor(context: Context, options: StoresOptions) {
    this.#context = context;
    this.#options = options;
  }

  async open(location: Location, side: Side, options: OpenOptions = {}): Promise<OpenedStore> {
    const opened = await this.#open(location, side, options);
    return { ...opened, store: await this.#decorate(opened.store, side) };
  }

  #open(location: Location, side: Side, options: OpenOptions): Promise<OpenedStore> {
    switch (location.kind) {
      case 'registry':
        return side === 'source'
          ? this.#openSource(location, options)
          : this.#openInRegistry(location.reference, side, options);
      case 'oci':
        return this.#openLayout(location, side, options);
      case 'archive':
      case 'docker-archive':
      case 'oci-archive':
      case 'dir':
        return this.#openFile(location, side);
      case 'local':
        return this.#openInLocalStore(location.reference, side);
      default:
        return assertNever(location);
    }
  }

  async readUrl(url: URL, { signal }: CallOptions = {}): Promise<Uint8Array | undefined> {
    const [{ discard, readAtMost }, { responseError }] = await Promise.all([
      import('../http/body.ts'),
      import('../registry/errors.ts'),
    ]);
    const connection = (await this.#connect()).connect(url.host, 'source');
    const response = await connection.sendAnonymously('GET', url, { signal });
    const what = `the signature at ${url.host}${url.pathname}`;
    if (response.status === 404) {
      await discard(response);
      return undefined;
    }
    if (response.status !== 200) throw await responseError(`Cannot read ${what}`, response);
    return readAtMost(response, URL_LIMIT_BYTES, what);
  }

  async openRegistry(host: string): Promise<Place> {
    return (await this.#connect()).openPlace(host);
  }

  async openImages(
    location: ImagesLocation | 'local',
    bases: readonly string[] = [],
  ): Promise<ImageSource> {
    const { openImageSource, wholeLocalStore } = await import('./image-source.ts');
    if (location === 'local')
      return wholeLocalStore(await this.openLocal('source'), this.#context.signal);
    const { opened, close } = await this.#context.wait(`Reading ${location.path}`, () =>
      openImageSource(location, bases, this.#context),
    );
    this.#closers.push(close);
    return { ...opened, store: await this.#decorate(opened.store, 'source') };
  }

  openLocal(side: 'source' | 'destination', folder?: string): Promise<LocalStore> {
    const key = `${side} ${folder ?? ''}`;
    const known = this.#local.get(key);
    if (known !== undefined) return known;
    const opened = this.#openLocal(side, folder);
    this.#local.set(key, opened);
    return opened;
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.map((close) => close()));
    await (await this.#registries)?.close();
  }

  #connect(): Promise<Registries> {
    this.#registries ??= import('./registries.ts').then(({ createRegistries }) =>
      createRegistries(this.#context),
    );
    return this.#registries;
  }

  /**
   * Opens an image of a registry, or the image of that name in the local store if the options allow
   * it.
   */
  async #openSource(location: NamedLocation, options: OpenOptions): Promise<OpenedStore> {
    const { reference, isExplicit } = location;
    const opened = await this.#openInRegistry(reference, 'source', options);
    if (isExplicit === true) return opened;
    const { hintingAtPath, localImage } = await import('./instead.ts');
    const { orLocal, preferLocal } = options;
    const found =
      orLocal === true || preferLocal === true
        ? await localImage(reference, () => this.openLocal('source'), this.#context)
        : undefined;
    if (found !== undefined) {
      const used = await found.instead(preferLocal === true ? undefined : opened);
      if (used !== undefined) return used;
    }
    return { ...opened, store: await hintingAtPath(opened.store, reference, this.#context) };
  }

  async #openInRegistry(
    reference: Reference,
    side: Side,
    { manyTags = false }: OpenOptions,
  ): Promise<OpenedStore> {
    const { signal } = this.#context;
    const isSource = side === 'source';
    const registries = await this.#connect();
    let store = registries.open(reference, isSource ? 'source' : 'destination');
    if (manyTags && !isSource && canListTags(store)) {
      const { probeNewRepository } = await import('../stores/registry/new-repository-probe.ts');
      const probed = probeNewRepository(store, { signal });
      this.#closers.push(probed.close);
      ({ store } = probed);
    }
    return {
      store,
      reference: identifierOf(reference),
      tag: withDefaultTag(reference).tag,
      pinned: reference.digest,
      isRemote: true,
      name: repositoryName(reference),
    };
  }

  async #openLayout(
    { path, reference, digest }: LayoutLocation,
    side: Side,
    { repository }: OpenOptions,
  ): Promise<OpenedStore> {
    const { openLayout } = await import('../stores/layout/oci-layout.ts');
    const { io, signal, note } = this.#context;
    const isWritten = side !== 'source' && this.#options.dryRun !== true;
    const folder = resolve(io.cwd, path);
    if (repository !== undefined) {
      const layout = await this.openLocal(side === 'source' ? side : 'destination', folder);
      return {
        store: layout.openRepository(repository),
        reference: digest ?? reference ?? '',
        tag: reference,
        pinned: digest,
        name: `oci:${path}:${repositoryName(repository)}`,
      };
    }
    const store = await openLayout(folder, {
      create: isWritten && side === 'destination',
      // A dry run makes no folder, and plans as if it had.
      isOptional: side === 'destination',
      clock: io.clock,
      signal,
      onPartial: isWritten ? await this.#journaled(folder) : undefined,
      onWait: note,
    });
    const isOnly = reference === undefined && digest === undefined && side === 'source';
    return {
      store,
      reference: digest ?? reference ?? '',
      tag: isOnly ? await onlyName(store, signal) : reference,
      pinned: digest,
      name: `oci:${path}`,
    };
  }

  async #openFile(location: ArchiveLocation | FolderLocation, side: Side): Promise<OpenedStore> {
    const name = `${location.kind}:${location.path}`;
    switch (side) {
      case 'source': {
        const { openImageFile } = await import('./image-source.ts');
        const { opened, close } = await this.#context.wait(`Reading ${location.path}`, () =>
          openImageFile(location, this.#context),
        );
        this.#closers.push(close);
        return opened;
      }
      case 'destination':
        throw new RegiError('UNSUPPORTED', `Cannot write to "${name}" image by image`, {
          hint:
            location.kind === 'dir'
              ? 'write oci:DIR or archive:FILE'
              : 'write all images at once: regi export REF… -o FILE',
        });
      case 'change':
        throw new UsageError(
          `Cannot change "${name}": expected a registry, an OCI layout or the local store`,
          { hint: `copy it into a layout first: regi copy ${name} oci:DIR:TAG` },
        );
      default:
        return assertNever(side);
    }
  }

  async #openInLocalStore(reference: Reference, side: Side): Promise<OpenedStore> {
    const { openLocalImage } = await import('./local.ts');
    const open = async (as: 'source' | 'destination'): Promise<OpenedStore> =>
      openLocalImage(await this.openLocal(as), reference, as, this.#context);
    if (side !== 'change') return open(side);
    const found = await open('source');
    await found.store.resolve(found.reference, { signal: this.#context.signal });
    return { ...(await open('destination')), reference: found.reference };
  }

  async #openLocal(side: 'source' | 'destination', path?: string): Promise<LocalStore> {
    const [{ LocalStore: Local }, { localStoreFolder }] = await Promise.all([
      import('../stores/layout/local-store.ts'),
      import('./local.ts'),
    ]);
    const { io, signal, note } = this.#context;
    const create = side === 'destination' && this.#options.dryRun !== true;
    const folder = path ?? localStoreFolder(io);
    const store = await Local.open(folder, {
      create,
      clock: io.clock,
      signal,
      onWait: note,
      onPartial: create ? await this.#journaled(folder) : undefined,
    });
    this.#closers.push(() => store.close());
    return store;
  }

  /** Records partial blobs of a layout in the journal. */
  async #journaled(path: string): Promise<() => Promise<void>> {
    const { journaledLayout } = await import('./unfinished.ts');
    const { onPartial, close } = journaledLayout(path, this.#context);
    this.#closers.push(close);
    return onPartial;
  }

  async #decorate(store: Store, side: Side): Promise<Store> {
    const { dryRun, mountOnly } = this.#options;
    if (side === 'source') return (await this.#throttled())(store);
    if (dryRun === true) return (await import('../stores/decorators/dry-run.ts')).dryRun(store);
    if (mountOnly === true)
      return (await import('../stores/decorators/mount-only.ts')).mountOnly(store);
    return store;
  }

  /** Applies one limit to the whole command, however many sources it reads. */
  #throttled(): Promise<Decorator> {
    this.#throttle ??= this.#createThrottle();
    return this.#throttle;
  }

  async #createThrottle(): Promise<Decorator> {
    const { settings, io } = this.#context;
    if (settings.limitRate === undefined) return (store) => store;
    const { createRateLimit, throttled } = await import('../stores/decorators/throttled.ts');
    const limit = createRateLimit(settings.limitRate, io.clock);
    return (store) => throttled(store, limit);
  }
}

/** Returns the name of the only image in a layout, which it keeps where it is copied to. */
async function onlyName(layout: LayoutStore, signal: AbortSignal): Promise<string | undefined> {
  const names: string[] = [];
  for await (const name of layout.listTags({ signal })) names.push(name);
  return names.length === 1 ? names[0] : undefined;
}
