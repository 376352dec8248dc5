import { bytesOf, verified } from '../bytes.ts';
import { LIMITS } from '../limits.ts';
import { InvalidManifestError, type Descriptor } from '../oci/descriptor.ts';
import { childrenOf } from '../oci/manifest.ts';
import { isForeignLayerType, isManifestType } from '../oci/media-types.ts';
import { canMount, type Bytes, type Source, type Store } from '../store.ts';
import type { OnEvent } from './events.ts';
import { Flights } from './flights.ts';
import { Lanes, type LaneWidths } from './lanes.ts';
import { readManifest, type ManifestNode } from './read-manifest.ts';

export interface CopySessionOptions {
  readonly onEvent?: OnEvent | undefined;
  /** Walk below manifests that are there already, and so find children that were lost. */
  readonly force?: boolean | undefined;
  readonly lanes?: LaneWidths | undefined;
}

/** From where to where a graph is copied. */
export interface Route {
  readonly source: Source;
  readonly destination: Store;
}

/**
 * What the images of one command share: each node lands once in each destination, a blob that one repository of a place has
 * is mounted into the next, and the lanes of each host are filled by all images together.
 */
export class CopySession {
  readonly onEvent: OnEvent;
  readonly #force: boolean;
  readonly #lanes: Lanes;
  readonly #landings = new Flights<void>();
  readonly #manifests = new Flights<ManifestNode>();
  /** By place and digest: who has the blob, or is about to. */
  readonly #holders = new Map<string, Map<string, Promise<void>>>();

  constructor({ onEvent = () => {}, force = false, lanes }: CopySessionOptions = {}) {
    this.onEvent = onEvent;
    this.#force = force;
    this.#lanes = new Lanes(lanes);
  }

  /** Runs one request to a store within its host's lanes. */
  async ask<T>(store: Source, signal: AbortSignal, request: () => Promise<T>): Promise<T> {
    return this.#lanes.run([store.place], 0, signal, request);
  }

  /** Reads a manifest of the source, once for all who need it. */
  async read(source: Source, descriptor: Descriptor, signal: AbortSignal): Promise<ManifestNode> {
    return this.#manifests.join(nodeKey(source, descriptor), signal, (inner) =>
      this.ask(source, inner, () => readManifest(source, descriptor, { signal: inner })),
    );
  }

  /**
   * Brings a node and all below it to the destination, children first.
   *
   * @throws {InvalidManifestError} when indexes nest deeper than any real image.
   */
  async land(route: Route, node: Descriptor, signal: AbortSignal, depth = 0): Promise<void> {
    if (depth > LIMITS.indexDepth) throw new InvalidManifestError(`Cannot copy ${node.digest}: expected at most ${LIMITS.indexDepth} levels of indexes`);
    await this.#landings.join(nodeKey(route.destination, node), signal, (inner) =>
      isManifestType(node.mediaType) ? this.#landManifest(route, node, inner, depth) : this.#landBlob(route, node, inner),
    );
  }

  /** Brings everything below a manifest to the destination; all of it has settled before the first failure is thrown. */
  async landChildren(route: Route, { manifest }: ManifestNode, signal: AbortSignal, depth = 0): Promise<void> {
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const results = await Promise.allSettled(
      childrenOf(manifest).map(async (child) => {
        try {
          await this.land(route, child, either, depth + 1);
        } catch (error) {
          failed.abort(error);
          throw error;
        }
      }),
    );
    signal.throwIfAborted();
    if (results.some(({ status }) => status === 'rejected')) throw failed.signal.reason;
  }

  /** Sends a manifest whose children are there, and names it in the same step when `tag` is given. */
  async sendManifest(destination: Store, { descriptor, bytes }: ManifestNode, signal: AbortSignal, tag?: string): Promise<void> {
    await this.ask(destination, signal, () => destination.push(descriptor, bytesOf(bytes), { signal, tag }));
    this.onEvent({ kind: 'copied', target: descriptor, to: destination.repository });
  }

  async #landManifest(route: Route, node: Descriptor, signal: AbortSignal, depth: number): Promise<void> {
    const { destination, source } = route;
    if (!this.#force && (await this.#isThere(destination, node, signal))) {
      this.onEvent({ kind: 'skipped', target: node, to: destination.repository });
      return;
    }
    const read = await this.read(source, node, signal);
    await this.landChildren(route, read, signal, depth);
    if (this.#force && (await this.#isThere(destination, node, signal))) {
      this.onEvent({ kind: 'skipped', target: node, to: destination.repository });
      return;
    }
    await this.sendManifest(destination, read, signal);
  }

  async #landBlob(route: Route, blob: Descriptor, signal: AbortSignal): Promise<void> {
    const { destination } = route;
    if (isForeignLayerType(blob.mediaType)) {
      this.onEvent({ kind: 'foreign', target: blob, to: destination.repository });
      return;
    }
    const { holder, arrived } = await this.#holder(route, blob);
    const arrival = this.#transfer(route, blob, holder, signal);
    arrived(arrival);
    await arrival;
  }

  async #transfer(route: Route, blob: Descriptor, holder: string | undefined, signal: AbortSignal): Promise<void> {
    const { destination, source } = route;
    const to = destination.repository;
    if (await this.#isThere(destination, blob, signal)) {
      this.onEvent({ kind: 'skipped', target: blob, to });
      return;
    }
    const content = verified(this.#counted(route, blob, signal), blob);
    if (holder !== undefined && canMount(destination)) {
      const outcome = await this.#lanes.run([source.place, destination.place], blob.size, signal, () => destination.mount(blob, holder, content, { signal }));
      this.onEvent(outcome === 'mounted' ? { kind: 'mounted', target: blob, from: holder, to } : { kind: 'copied', target: blob, to });
      return;
    }
    await this.#lanes.run([source.place, destination.place], blob.size, signal, () => destination.push(blob, content, { signal }));
    this.onEvent({ kind: 'copied', target: blob, to });
  }

  /** Finds a repository of the destination's place that has the blob, waiting for one that is just getting it. */
  async #holder({ source, destination }: Route, blob: Descriptor): Promise<{ holder: string | undefined; arrived: (arrival: Promise<void>) => void }> {
    const key = `${destination.place} ${blob.digest}`;
    const repositories = this.#holders.get(key) ?? new Map<string, Promise<void>>();
    this.#holders.set(key, repositories);
    const first = [...repositories].find(([repository]) => repository !== destination.repository);
    // Registered before anything is awaited: the next image must see that this one is already on its way.
    const { promise, settle } = deferred();
    repositories.set(destination.repository, promise);
    const arrived = (arrival: Promise<void>): void => {
      arrival.then(
        () => settle(),
        () => {
          repositories.delete(destination.repository);
          settle();
        },
      );
    };
    if (first !== undefined) {
      await first[1];
      if (repositories.has(first[0])) return { holder: first[0], arrived };
    }
    const holder = source.place === destination.place && source.repository !== destination.repository ? source.repository : undefined;
    return { holder, arrived };
  }

  async #isThere(destination: Store, node: Descriptor, signal: AbortSignal): Promise<boolean> {
    return this.ask(destination, signal, () => destination.exists(node, { signal }));
  }

  /** The source's bytes, each opening and each chunk told as an event. */
  #counted({ source, destination }: Route, target: Descriptor, signal: AbortSignal): Bytes {
    const { onEvent } = this;
    const to = destination.repository;
    return {
      async *[Symbol.asyncIterator]() {
        onEvent({ kind: 'started', target, from: source.repository, to });
        for await (const chunk of source.fetch(target, { signal })) {
          onEvent({ kind: 'progress', target, bytes: chunk.byteLength, to });
          yield chunk;
        }
      },
    };
  }
}

function nodeKey(store: Source, { digest, size }: Descriptor): string {
  return `${store.place} ${store.repository} ${digest} ${size}`;
}

function deferred(): { promise: Promise<void>; settle: () => void } {
  let settle = (): void => {};
  const promise = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { promise, settle };
}
