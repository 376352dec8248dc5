import { bytesOf, verified } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { InvalidManifestError, type Descriptor } from '../../oci/descriptor.ts';
import { isForeignLayerType, isIndexType, isManifestType } from '../../oci/media-types.ts';
import { canMount, canOffer, canProve, type Bytes, type Source, type Store } from '../../store.ts';
import type { OnEvent } from './events.ts';
import { deferred } from '../../concurrency/deferred.ts';
import { isSmall, Lanes, type LaneOptions, type LaneWidths } from '../../concurrency/lanes.ts';
import { carriedChildren, type Carried } from './index-entries.ts';
import { otherSize } from './other-size.ts';
import { reported } from './reported.ts';
import {
  asChild,
  readKept,
  readManifest,
  type KeptManifests,
  type ManifestNode,
} from './read-manifest.ts';
import { nodeKey, SessionState } from './session-state.ts';
import { together } from '../../concurrency/together.ts';
import { unlessAborted } from '../../concurrency/unless-aborted.ts';
import { unknownBlobs } from './unknown-blobs.ts';
import { FOREIGN_WARNING, otherSizeWarning, unknownTypeWarning } from './warnings.ts';

/** Options shared by all images of a session. */
export interface CopySessionOptions {
  /** Called with each event, in order. */
  readonly onEvent?: OnEvent | undefined;
  /**
   * Walks below manifests that the destination has, hashes what it holds where it can, and so mends
   * lost and damaged nodes.
   */
  readonly force?: boolean | undefined;
  /**
   * `copy`: carries foreign layers like others. `skip`, the default: they stay at their own URLs.
   */
  readonly foreignLayers?: 'skip' | 'copy' | undefined;
  /** Requests at once, for all places or for each. */
  readonly lanes?: LaneWidths | ((place: string) => LaneWidths) | undefined;
  /** Asked before the source of a manifest. */
  readonly keptManifests?: KeptManifests | undefined;
}

/** The two ends of a copy. */
export interface Route {
  /** The repository to read. */
  readonly source: Source;
  /** The repository to write. */
  readonly destination: Store;
}

/**
 * The state shared by the images of one command. Each node lands once in each destination. A blob
 * that one repository of a place has is mounted into the next. All images together fill the lanes
 * of each host.
 */
export class CopySession {
  /** Called with each step of each image. */
  readonly onEvent: OnEvent;
  readonly #force: boolean;
  readonly #kept: KeptManifests | undefined;
  readonly #copiesForeign: boolean;
  /** The lanes of each host. */
  readonly lanes: Lanes;
  readonly #state: SessionState;

  /** @param shared another view of the same session. */
  constructor(options: CopySessionOptions = {}, shared?: CopySession) {
    this.#kept = options.keptManifests;
    this.onEvent = options.onEvent ?? (() => {});
    this.#copiesForeign = options.foreignLayers === 'copy';
    this.#force = options.force ?? false;
    this.lanes = shared?.lanes ?? new Lanes(options.lanes);
    this.#state = shared === undefined ? new SessionState() : shared.#state;
  }

  /** Returns a view of this session for one image: steps that it takes first are its own events. */
  withEvents(onEvent: OnEvent): CopySession {
    const foreignLayers = this.#copiesForeign ? 'copy' : 'skip';
    const options = {
      onEvent,
      force: this.#force,
      foreignLayers,
      keptManifests: this.#kept,
    } as const;
    return new CopySession(options, this);
  }

  /** True if a foreign layer stays at its own URLs; emits its event, and a warning at first. */
  leavesForeign(blob: Descriptor, to: string): boolean {
    if (this.#carries(blob)) return false;
    if (!this.#state.hasWarnedOfForeign) this.onEvent(FOREIGN_WARNING);
    this.#state.hasWarnedOfForeign = true;
    this.onEvent({ kind: 'foreign', target: blob, to });
    return true;
  }

  #carries({ mediaType }: Descriptor): boolean {
    return this.#copiesForeign || !isForeignLayerType(mediaType);
  }

  /** Runs one request to a store within its host's lanes. */
  async ask<T>(
    store: Source,
    signal: AbortSignal,
    request: () => Promise<T>,
    options: LaneOptions = {},
  ): Promise<T> {
    return this.lanes.run([store.place], 0, signal, request, options);
  }

  /** Reads a manifest of the source, once for all callers. */
  async read(source: Source, descriptor: Descriptor, signal: AbortSignal): Promise<ManifestNode> {
    return this.#state.manifests.run(
      nodeKey(source, descriptor),
      async (inner) => {
        const known = this.#kept && (await readKept(this.#kept, descriptor));
        if (known !== undefined) return known;
        const node = await this.ask(source, inner, () =>
          readManifest(source, descriptor, { signal: inner }),
        );
        await this.#kept?.put(node.descriptor.digest, node.bytes);
        this.#warnOfSize(descriptor, node.descriptor.size);
        return node;
      },
      signal,
    );
  }

  /**
   * Copies a node and all below it to the destination, children first.
   *
   * @throws {InvalidManifestError} when indexes nest deeper than any real image.
   */
  async land(
    route: Route,
    node: Descriptor,
    signal: AbortSignal,
    { depth = 0, carried, isManifest = isManifestType(node.mediaType) }: BelowOptions = {},
  ): Promise<void> {
    if (depth > LIMITS.indexDepth)
      throw new InvalidManifestError(
        `Cannot copy ${node.digest}: expected at most ${LIMITS.indexDepth} levels of indexes`,
      );
    if (carried !== undefined && isIndexType(node.mediaType)) {
      // No flight: another image may carry other children of the same index.
      this.onEvent({ kind: 'found', target: node, to: route.destination.repository });
      return this.#landManifest(route, node, signal, { depth, carried });
    }
    await this.#state.landings.run(
      nodeKey(route.destination, node),
      (inner) => {
        this.onEvent({ kind: 'found', target: node, to: route.destination.repository });
        return isManifest
          ? this.#landManifest(route, node, inner, { depth })
          : this.#landBlob(route, node, inner);
      },
      signal,
    );
  }

  /** Copies what is below a manifest; all of it has settled before the first failure is thrown. */
  async landChildren(
    route: Route,
    { manifest }: ManifestNode,
    signal: AbortSignal,
    { depth = 0, carried }: BelowOptions = {},
  ): Promise<void> {
    const below = { depth: depth + 1, carried };
    await together(
      carriedChildren(manifest, carried).map(
        (child) => (either: AbortSignal) =>
          isIndexType(manifest.mediaType) && !isManifestType(child.mediaType)
            ? this.#landUnknown(route, child, either, below)
            : this.land(route, child, either, below),
      ),
      signal,
    );
  }

  /**
   * Pushes a manifest whose children are at the destination, and tags it in the same step if `tag`
   * is given. A blob that the destination said it has, and then does not know, is sent, and the
   * manifest once more.
   */
  async sendManifest(
    route: Route,
    node: ManifestNode,
    signal: AbortSignal,
    tag?: string,
  ): Promise<void> {
    const { destination } = route;
    const { descriptor, bytes } = node;
    const push = (): Promise<void> =>
      this.ask(destination, signal, () =>
        destination.push(descriptor, bytesOf(bytes), { signal, tag, asManifest: true }),
      );
    try {
      await push();
    } catch (error) {
      const lacking = unknownBlobs(error, node).filter((blob) => this.#carries(blob));
      if (lacking.length === 0) throw error;
      await together(
        lacking.map((blob) => (either: AbortSignal) => this.#upload(route, blob, either)),
        signal,
      );
      await push();
    }
    this.onEvent({ kind: 'copied', target: descriptor, to: destination.repository });
    if (!isManifestType(descriptor.mediaType)) this.onEvent(unknownTypeWarning(descriptor));
  }

  /**
   * Returns whether the destination has a node. With `force` its bytes are proved, where the
   * destination can do that.
   */
  async isThere(destination: Store, node: Descriptor, signal: AbortSignal): Promise<boolean> {
    return this.ask(destination, signal, () =>
      this.#force && canProve(destination)
        ? destination.prove(node, { signal })
        : destination.exists(node, { signal }),
    );
  }

  /**
   * Copies an entry of an index whose type is unknown. Most are blobs, such as the layers of a build
   * cache; the image-spec allows manifests of other types too.
   */
  async #landUnknown(
    route: Route,
    node: Descriptor,
    signal: AbortSignal,
    below: BelowOptions,
  ): Promise<void> {
    try {
      await this.land(route, node, signal, below);
    } catch (error) {
      if (!(error instanceof RegiError) || error.code !== 'NOT_FOUND') throw error;
      const asManifest = this.land(route, node, signal, { ...below, isManifest: true });
      await asManifest.catch((again: unknown) => {
        throw again instanceof RegiError && again.code === 'NOT_FOUND' ? error : again;
      });
    }
  }

  async #landManifest(
    route: Route,
    node: Descriptor,
    signal: AbortSignal,
    below: BelowOptions,
  ): Promise<void> {
    const { destination, source } = route;
    const isSkipped = async (): Promise<boolean> => {
      if (!(await this.isThere(destination, node, signal))) return false;
      this.onEvent({ kind: 'skipped', target: node, to: destination.repository });
      return true;
    };
    // The destination may hold a sparse index with other children.
    const childrenFirst = this.#force || below.carried !== undefined;
    if (!childrenFirst && (await isSkipped())) return;
    const reading = this.read(source, node, signal);
    const read = await ((below.depth ?? 0) === 0 ? reading : asChild(reading));
    await this.landChildren(route, read, signal, below);
    if (childrenFirst && (await isSkipped())) return;
    await this.sendManifest(route, read, signal);
  }

  async #landBlob(route: Route, blob: Descriptor, signal: AbortSignal): Promise<void> {
    const { destination } = route;
    if (this.leavesForeign(blob, destination.repository)) return;
    if (!canMount(destination)) return this.#transfer(route, blob, undefined, signal);
    const repositories = this.#state.repositoriesWith(destination, blob);
    const other = [...repositories].find(([repository]) => repository !== destination.repository);
    // Registered before the first await: the next image must see that this blob is already in
    // progress.
    const { promise: arrival, resolve: arrived } = deferred<boolean>();
    repositories.set(destination.repository, arrival);
    try {
      await this.#transfer(route, blob, await holderOf(route, other, signal), signal);
      arrived(true);
    } catch (error) {
      if (repositories.get(destination.repository) === arrival)
        repositories.delete(destination.repository);
      arrived(false);
      throw error;
    }
  }

  /** Sends a blob, and once more by its real size where the descriptor states another. */
  async #transfer(
    route: Route,
    blob: Descriptor,
    holder: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#transferAs(route, blob, holder, signal);
    } catch (error) {
      const size = await otherSize(route.source, blob, error, { signal });
      if (size === undefined) throw error;
      await this.#transferAs(route, { ...blob, size }, holder, signal);
      this.#warnOfSize(blob, size);
    }
  }

  #warnOfSize(node: Descriptor, real: number): void {
    if (node.size !== real) this.onEvent(otherSizeWarning(node, real));
  }

  async #transferAs(
    route: Route,
    blob: Descriptor,
    holder: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { destination } = route;
    const to = destination.repository;
    if (!this.#force && holder === undefined && canOffer(destination) && isSmall(blob.size)) {
      const outcome = await this.#send(route, blob, signal, (content) =>
        destination.offer(blob, content, { signal }),
      );
      this.onEvent({ kind: outcome === 'there' ? 'skipped' : 'copied', target: blob, to });
      return;
    }
    if (await this.isThere(destination, blob, signal)) {
      this.onEvent({ kind: 'skipped', target: blob, to });
      return;
    }
    // With force, no claim of a registry replaces the bytes.
    if (!this.#force && holder !== undefined && canMount(destination)) {
      const outcome = await this.#send(route, blob, signal, (content) =>
        destination.mount(blob, holder, content, { signal }),
      );
      this.onEvent(
        outcome === 'mounted'
          ? { kind: 'mounted', target: blob, from: holder, to }
          : { kind: 'copied', target: blob, to },
      );
      return;
    }
    await this.#upload(route, blob, signal);
    this.onEvent({ kind: 'copied', target: blob, to });
  }

  async #upload(route: Route, blob: Descriptor, signal: AbortSignal): Promise<void> {
    await this.#send(route, blob, signal, (content) =>
      route.destination.push(blob, content, { signal }),
    );
  }

  /**
   * Sends a blob within the lanes of both hosts. The lane of the source is left when its bytes have
   * arrived, because only the response of the destination is still awaited. Bytes that are read
   * again after that use no lane.
   */
  async #send<T>(
    route: Route,
    blob: Descriptor,
    signal: AbortSignal,
    send: (content: Bytes) => Promise<T>,
  ): Promise<T> {
    const { source, destination } = route;
    return this.lanes.run([source.place, destination.place], blob.size, signal, async (leave) => {
      const onEnd = (): void => {
        if (source.place !== destination.place) leave(source.place);
      };
      const { onEvent } = this;
      const to = destination.repository;
      return send(verified(reported(source, blob, { to, onEvent, signal, onEnd }), blob));
    });
  }
}

interface BelowOptions {
  /** Levels above the node. */
  readonly depth?: number | undefined;
  /** True for a manifest of an unknown type. */
  readonly isManifest?: boolean | undefined;
  /** The manifests to copy below indexes; all when undefined. */
  readonly carried?: Carried | undefined;
}

/**
 * Finds a repository of the destination's place to mount from; waits for one that is receiving the
 * blob.
 */
async function holderOf(
  { source, destination }: Route,
  other: readonly [string, Promise<boolean>] | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (other !== undefined && (await unlessAborted(other[1], signal))) return other[0];
  return source.place === destination.place && source.repository !== destination.repository
    ? source.repository
    : undefined;
}
