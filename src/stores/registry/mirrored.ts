import { RegiError, type ErrorCode } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isDigest } from '../../oci/digest.ts';
import {
  canListReferrers,
  canResolveBlobs,
  type Bytes,
  type CallOptions,
  type FetchOptions,
  type ReferrerOptions,
  type Store,
} from '../../store.ts';
import { decorate } from '../decorators/decorate.ts';

/** A store that may be read instead of another one. */
export interface Alternative {
  /** As a person reads it. */
  readonly name: string;
  readonly store: Store;
  /** Whether it is asked for what a tag names, and for what a digest names. */
  readonly takes: (kind: 'tag' | 'digest') => boolean;
}

export interface MirroredOptions {
  /** In the order in which they are asked; the last one is the registry itself, and takes all. */
  readonly alternatives: readonly Alternative[];
  /** One answered that did not answer the last time. */
  readonly onAnswer?: ((alternative: Alternative) => void) | undefined;
  /** One does not have it, or does not answer; then it is not asked again. The next one is. */
  readonly onFailure?: ((alternative: Alternative, error: RegiError) => void) | undefined;
}

/** Failures of the user's, that the next one would have, too. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'INTERRUPTED',
  'INVALID_CONFIG',
  'INVALID_DIGEST',
  'INVALID_REFERENCE',
  'USAGE',
]);

/**
 * The store of a registry that is read from its mirrors where they have it. Tags are listed, and everything is written, at the registry
 * itself.
 *
 * @param upstream the registry as the user named it.
 */
export function mirrored(upstream: Store, options: MirroredOptions): Store {
  const mirrors = new Mirrors(options);
  return decorate(upstream, {
    resolve: (reference, call) =>
      mirrors.ask(isDigest(reference) ? 'digest' : 'tag', call, (store) =>
        store.resolve(reference, call),
      ),
    resolveBlob: (digest, call) =>
      mirrors.ask('digest', call, async (store) =>
        canResolveBlobs(store) ? store.resolveBlob(digest, call) : store.resolve(digest, call),
      ),
    fetch: (target, call) => mirrors.fetch(target, call),
    exists: (target, call) => mirrors.exists(target, call),
    listReferrers: (target, call) => mirrors.listReferrers(target, call),
  });
}

class Mirrors {
  readonly #options: MirroredOptions;
  readonly #down = new Set<Alternative>();
  #answered: Alternative | undefined;

  constructor(options: MirroredOptions) {
    this.#options = options;
  }

  async ask<T>(
    kind: 'tag' | 'digest',
    { signal }: CallOptions = {},
    request: (store: Store) => Promise<T>,
  ): Promise<T> {
    for (const { alternative, isLast } of this.#order(kind)) {
      try {
        const answer = await request(alternative.store);
        this.#note(alternative);
        return answer;
      } catch (error) {
        this.#goOn(alternative, isLast, error, signal);
      }
    }
    throw new Error('A mirrored registry has nobody to ask');
  }

  async exists(target: Descriptor, { signal }: CallOptions = {}): Promise<boolean> {
    for (const { alternative, isLast } of this.#order('digest', this.#answered)) {
      try {
        if (await alternative.store.exists(target, { signal })) return true;
      } catch (error) {
        this.#goOn(alternative, isLast, error, signal);
      }
    }
    return false;
  }

  /** Whoever breaks off is followed by the next one from there on: what comes is one content, whose digest is checked by who reads it. */
  fetch(target: Descriptor, { offset = 0, signal }: FetchOptions = {}): Bytes {
    const open = this.#fetch.bind(this);
    return { [Symbol.asyncIterator]: () => open(target, offset, signal) };
  }

  async *#fetch(
    target: Descriptor,
    offset: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    let position = offset;
    for (const { alternative, isLast } of this.#order('digest', this.#answered)) {
      try {
        for await (const chunk of alternative.store.fetch(target, { offset: position, signal })) {
          position += chunk.byteLength;
          yield chunk;
        }
        return;
      } catch (error) {
        this.#goOn(alternative, isLast, error, signal);
      }
    }
  }

  /** A mirror that copies only what it is asked for knows no referrers: one that has none is not the last word. */
  async *listReferrers(target: Descriptor, call: ReferrerOptions = {}): AsyncIterable<Descriptor> {
    for (const { alternative, isLast } of this.#order('digest', this.#answered)) {
      const { store } = alternative;
      let isEmpty = true;
      try {
        if (!canListReferrers(store)) continue;
        for await (const referrer of store.listReferrers(target, call)) {
          isEmpty = false;
          yield referrer;
        }
        if (!isEmpty) return;
      } catch (error) {
        if (!isEmpty) throw error;
        this.#goOn(alternative, isLast, error, call.signal);
      }
    }
  }

  /** @param first who has just answered: a mirror is followed by all others, the registry itself by nobody. */
  *#order(
    kind: 'tag' | 'digest',
    first?: Alternative,
  ): Iterable<{ alternative: Alternative; isLast: boolean }> {
    const registry = this.#options.alternatives.at(-1);
    const usable = this.#options.alternatives.filter(
      (alternative) => alternative.takes(kind) && !this.#down.has(alternative),
    );
    const others = first === registry ? [] : usable.filter((alternative) => alternative !== first);
    const order = first === undefined || this.#down.has(first) ? usable : [first, ...others];
    for (const [index, alternative] of order.entries())
      yield { alternative, isLast: index === order.length - 1 };
  }

  #note(alternative: Alternative): void {
    if (this.#answered === alternative) return;
    this.#answered = alternative;
    this.#options.onAnswer?.(alternative);
  }

  /** Returns where the next one may be asked, and throws where not. */
  #goOn(
    alternative: Alternative,
    isLast: boolean,
    error: unknown,
    signal: AbortSignal | undefined,
  ): void {
    if (
      isLast ||
      signal?.aborted === true ||
      !(error instanceof RegiError) ||
      FINAL.has(error.code)
    )
      throw error;
    // Whatever does not answer now would be waited for again with each blob. The registry itself stays the last resort.
    if (error.code !== 'NOT_FOUND' && alternative !== this.#options.alternatives.at(-1))
      this.#down.add(alternative);
    this.#options.onFailure?.(alternative, error);
  }
}
