import { resolve } from 'node:path';

import type { Context } from '../context.ts';
import { assertNever, RegiError, type RegiErrorOptions } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { identifierOf, type Reference } from '../oci/reference.ts';
import type { Place, Store } from '../store.ts';
import type { LocalStore } from '../stores/layout/local-store.ts';
import type { LayoutStore } from '../stores/layout/oci-layout.ts';
import { refuseFileName } from './file-not-image.ts';
import type { ImageSource } from './image-source.ts';
import type { ArchiveLocation, LayoutLocation, Location } from './location.ts';
import type { Registries } from './registries.ts';

export type Side = 'source' | 'destination';

/** A location, opened. */
export interface OpenedStore {
  readonly store: Store;
  /** What to resolve there: a digest or tag; empty for the only image. */
  readonly reference: string;
  /** The tag that was typed, or the name of the only image of a folder or file. */
  readonly tag: string | undefined;
  /** The digest that was typed. */
  readonly pinned: Digest | undefined;
  /** The image's name in full, where the place knows more than was typed: an archive. */
  readonly fullName?: Reference | undefined;
  /** What an image is called there when nobody says. */
  readonly defaultTag: string | undefined;
  /** Without tag and digest, as a person reads it: `registry.example/team/app`, `oci:./dir`. */
  readonly name: string;
}

/** Opens locations for one command; what they share, such as connections, is closed at its end. */
export interface Stores {
  /**
   * @throws {RegiError} NOT_FOUND for a source that does not exist, UNSUPPORTED for places that regi does not know yet.
   */
  open(location: Location, side: Side): Promise<OpenedStore>;
  /** All of a registry, to read. `host` is `HOST[:PORT]`. */
  openRegistry(host: string): Promise<Place>;
  /** Everything that an archive or layout holds, or the one image that the location names, to read. */
  openImages(location: ArchiveLocation | LayoutLocation): Promise<ImageSource>;
  /** Has `close` called at the end of the command, before what it may use is closed. */
  atEnd(close: () => Promise<void>): void;
  /** The local store: as a source it need not be there, as a destination it is made. */
  openLocal(side: Side): Promise<LocalStore>;
}

export interface StoresOptions {
  /** Destinations only remember what they are told. */
  readonly dryRun?: boolean | undefined;
}

/** A kind of place that this version cannot open. */
export class UnsupportedLocationError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('UNSUPPORTED', message, options);
  }
}

/** Gives `use` the stores of a command, and closes whatever they share however it ends. */
export async function* withStores<Row>(
  context: Context,
  options: StoresOptions,
  use: (stores: Stores) => AsyncIterable<Row>,
): AsyncIterable<Row> {
  const stores = new CommandStores(context, options);
  try {
    yield* use(stores);
  } finally {
    await stores.close();
  }
}

type Decorator = (store: Store) => Store;

/** Network and file code is loaded only when a location needs it: `regi help` pays for none of it. */
class CommandStores implements Stores {
  readonly #context: Context;
  readonly #options: StoresOptions;
  #registries: Promise<Registries> | undefined;
  #throttle: Promise<Decorator> | undefined;
  readonly #local = new Map<Side, Promise<LocalStore>>();
  readonly #closers: (() => Promise<void>)[] = [];

  constructor(context: Context, options: StoresOptions) {
    this.#context = context;
    this.#options = options;
  }

  async open(location: Location, side: Side): Promise<OpenedStore> {
    const opened = await this.#openPlain(location, side);
    return { ...opened, store: await this.#decorate(opened.store, side) };
  }

  async openRegistry(host: string): Promise<Place> {
    return (await this.#connect()).openPlace(host);
  }

  async openImages(location: ArchiveLocation | LayoutLocation): Promise<ImageSource> {
    const { openImageSource } = await import('./image-source.ts');
    const opened = await openImageSource(location, this.#context);
    this.#closers.push(opened.close);
    return { ...opened, store: await this.#decorate(opened.store, 'source') };
  }

  atEnd(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  openLocal(side: Side): Promise<LocalStore> {
    const known = this.#local.get(side);
    if (known !== undefined) return known;
    const opened = this.#openLocal(side);
    this.#local.set(side, opened);
    return opened;
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.map((close) => close()));
    await (await this.#registries)?.close();
  }

  async #openLocal(side: Side): Promise<LocalStore> {
    const [{ LocalStore: Local }, { localStoreFolder }] = await Promise.all([
      import('../stores/layout/local-store.ts'),
      import('./local-folder.ts'),
    ]);
    const { io, signal, note } = this.#context;
    const create = side === 'destination' && this.#options.dryRun !== true;
    const folder = localStoreFolder(io);
    const onPartial = create ? await this.#journaled(folder) : undefined;
    const store = await Local.open(folder, {
      create,
      clock: io.clock,
      signal,
      onWait: note,
      onPartial,
    });
    this.#closers.push(() => store.close());
    return store;
  }

  /** Has what stays unfinished in a layout remembered. */
  async #journaled(path: string): Promise<() => Promise<void>> {
    const { journaledLayout } = await import('./unfinished.ts');
    const { onPartial, close } = journaledLayout(path, this.#context);
    this.#closers.push(close);
    return onPartial;
  }

  #connect(): Promise<Registries> {
    this.#registries ??= import('./registries.ts').then(({ createRegistries }) =>
      createRegistries(this.#context),
    );
    return this.#registries;
  }

  async #openPlain(location: Location, side: Side): Promise<OpenedStore> {
    switch (location.kind) {
      case 'registry': {
        const { reference } = location;
        if (side === 'source') await refuseFileName(reference, this.#context.io);
        const store = (await this.#connect()).open(reference, side);
        return {
          store,
          reference: identifierOf(reference),
          tag: reference.tag,
          pinned: reference.digest,
          defaultTag: 'latest',
          name: `${reference.domain}/${reference.path}`,
        };
      }
      case 'oci': {
        const { openLayout } = await import('../stores/layout/oci-layout.ts');
        const { io, signal, note } = this.#context;
        const create = side === 'destination' && this.#options.dryRun !== true;
        const path = resolve(io.cwd, location.path);
        const onPartial = create ? await this.#journaled(path) : undefined;
        const store = await openLayout(path, {
          create,
          clock: io.clock,
          signal,
          onPartial,
          onWait: note,
        });
        return {
          store,
          reference: location.digest ?? location.reference ?? '',
          tag:
            location.reference ??
            (side === 'source' && location.digest === undefined
              ? await onlyName(store, signal)
              : undefined),
          pinned: location.digest,
          defaultTag: undefined,
          name: `oci:${location.path}`,
        };
      }
      case 'archive':
      case 'docker-archive':
      case 'oci-archive':
      case 'dir': {
        const { openPath } = await import('./open-path.ts');
        const { opened, close } = await openPath(location, side, this.#context);
        this.#closers.push(close);
        return opened;
      }
      case 'local': {
        const { openLocalImage } = await import('./local-images.ts');
        return openLocalImage(await this.openLocal(side), location.reference, side, this.#context);
      }
      default:
        return assertNever(location);
    }
  }

  async #decorate(store: Store, side: Side): Promise<Store> {
    if (side === 'destination') {
      if (this.#options.dryRun !== true) return store;
      const { dryRun } = await import('../stores/decorators/dry-run.ts');
      return dryRun(store);
    }
    const { limitRate } = this.#context.settings;
    if (limitRate === undefined) return store;
    this.#throttle ??= this.#createThrottle(limitRate);
    return (await this.#throttle)(store);
  }

  /** One limit for the whole command, whatever number of sources it reads. */
  async #createThrottle(bytesPerSecond: number): Promise<Decorator> {
    const [{ throttled }, { createRateLimit }] = await Promise.all([
      import('../stores/decorators/throttled.ts'),
      import('../stores/decorators/throttled.ts'),
    ]);
    const limit = createRateLimit(bytesPerSecond, this.#context.io.clock);
    return (store) => throttled(store, limit);
  }
}

/** Of a layout with one image: it keeps its name where it is copied to. */
async function onlyName(layout: LayoutStore, signal: AbortSignal): Promise<string | undefined> {
  const names: string[] = [];
  for await (const name of layout.listTags({ signal })) names.push(name);
  return names.length === 1 ? names[0] : undefined;
}
