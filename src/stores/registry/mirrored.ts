import { RegiError, UnprovedAbsenceError, type ErrorCode } from '../../errors.ts';
import { formatCount } from '../../format.ts';
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
  /** Its name for people. */
  readonly name: string;
  readonly store: Store;
  /** Returns whether it serves references of a kind. */
  readonly takes: (kind: 'tag' | 'digest') => boolean;
}

export interface MirroredOptions {
  /** In the order of their use; the last one is the registry itself, and takes both kinds. */
  readonly alternatives: readonly Alternative[];
  /** Called when another one than before served a request. */
  readonly onUse?: ((alternative: Alternative) => void) | undefined;
  /**
   * Called when one lacks the content, or fails and is not used again. The next one is used
   * instead.
   */
  readonly onFailure?: ((alternative: Alternative, error: RegiError) => void) | undefined;
}

/** Failures of the user's own, which the next one would have, too. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'INTERRUPTED',
  'INVALID_CONFIG',
  'INVALID_DIGEST',
  'INVALID_REFERENCE',
  'USAGE',
]);

/**
 * Makes a store that reads a registry from its mirrors where they have the content. Tags are
 * listed, and everything is written, at the registry itself.
 *
 * @param upstream the registry as the user named it.
 */
export function mirrored(upstream: Store, options: MirroredOptions): Store {
  const mirrors = new Mirrors(options);
  const store = decorate(upstream, {
    resolve: (reference, call) =>
      mirrors.request(isDigest(reference) ? 'digest' : 'tag', call, (store) =>
        store.resolve(reference, call),
      ),
    resolveBlob: (digest, call) =>
      mirrors.request('digest', call, async (store) =>
        canResolveBlobs(store) ? store.resolveBlob(digest, call) : store.resolve(digest, call),
      ),
    fetch: (target, call) => mirrors.fetch(target, call),
    exists: (target, call) => mirrors.exists(target, call),
    listReferrers: (target, call) => mirrors.listReferrers(target, call),
  });
  return Object.assign(store, {
    alternatives: () => options.alternatives.map((alternative) => alternative.store),
  });
}

interface Candidate {
  readonly alternative: Alternative;
  readonly isLast: boolean;
}

class Mirrors {
  readonly #options: MirroredOptions;
  readonly #down = new Set<Alternative>();
  /** Served the last request for a manifest. */
  #current: Alternative | undefined;

  constructor(options: MirroredOptions) {
    this.#options = options;
  }

  async request<T>(
    kind: 'tag' | 'digest',
    { signal }: CallOptions = {},
    send: (store: Store) => Promise<T>,
  ): Promise<T> {
    const missing: RegiError[] = [];
    for (const candidate of this.#order(kind)) {
      try {
        const found = await send(candidate.alternative.store);
        this.#use(candidate.alternative);
        return found;
      } catch (error) {
        this.#skip(candidate, error, signal, missing);
      }
    }
    throw new Error('A mirrored registry has no alternatives');
  }

  async exists(target: Descriptor, { signal }: CallOptions = {}): Promise<boolean> {
    for (const candidate of this.#order('digest', this.#current)) {
      try {
        if (await candidate.alternative.store.exists(target, { signal })) return true;
      } catch (error) {
        this.#skip(candidate, error, signal);
      }
    }
    return false;
  }

  /** Reads from the next one where one breaks off: the reader verifies the digest of the whole. */
  fetch(target: Descriptor, call: FetchOptions = {}): Bytes {
    const open = this.#fetch.bind(this);
    return { [Symbol.asyncIterator]: () => open(target, call) };
  }

  async *#fetch(target: Descriptor, call: FetchOptions): AsyncGenerator<Uint8Array> {
    let position = call.offset ?? 0;
    const missing: RegiError[] = [];
    for (const candidate of this.#order('digest', this.#current)) {
      try {
        const content = candidate.alternative.store.fetch(target, { ...call, offset: position });
        for await (const chunk of content) {
          position += chunk.byteLength;
          yield chunk;
        }
        return;
      } catch (error) {
        this.#skip(candidate, error, call.signal, missing);
      }
    }
  }

  /** A mirror that copies content on demand has no referrers: an empty list is not final. */
  async *listReferrers(target: Descriptor, call: ReferrerOptions = {}): AsyncIterable<Descriptor> {
    for (const candidate of this.#order('digest', this.#current)) {
      const { store } = candidate.alternative;
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
        this.#skip(candidate, error, call.signal);
      }
    }
  }

  /**
   * @param first served the last request: a mirror is followed by all others, the registry itself
   *   by none.
   */
  *#order(kind: 'tag' | 'digest', first?: Alternative): Iterable<Candidate> {
    const registry = this.#options.alternatives.at(-1);
    const usable = this.#options.alternatives.filter(
      (alternative) => alternative.takes(kind) && !this.#down.has(alternative),
    );
    const others = first === registry ? [] : usable.filter((alternative) => alternative !== first);
    const order = first === undefined || this.#down.has(first) ? usable : [first, ...others];
    for (const [index, alternative] of order.entries())
      yield { alternative, isLast: index === order.length - 1 };
  }

  #use(alternative: Alternative): void {
    if (this.#current === alternative) return;
    this.#current = alternative;
    this.#options.onUse?.(alternative);
  }

  /**
   * Returns where the next one may be used, and throws the error where not.
   *
   * @param missing collects the responses of those that lack the content.
   */
  #skip(
    { alternative, isLast }: Candidate,
    error: unknown,
    signal: AbortSignal | undefined,
    missing: RegiError[] = [],
  ): void {
    if (!(error instanceof RegiError)) throw error;
    if (isLast && UNREACHED.has(error.code) && missing.length > 0)
      throw unprovedAbsence(missing, error);
    if (isLast || signal?.aborted === true || FINAL.has(error.code)) throw error;
    if (error.code === 'NOT_FOUND') missing.push(error);
    // Each blob would wait again for a mirror that does not respond. The registry itself stays the
    // last resort.
    else if (alternative !== this.#options.alternatives.at(-1)) this.#down.add(alternative);
    this.#options.onFailure?.(alternative, error);
  }
}

const UNREACHED: ReadonlySet<ErrorCode> = new Set(['NETWORK', 'TIMEOUT', 'TLS']);

function unprovedAbsence([first, ...others]: readonly RegiError[], last: RegiError): RegiError {
  const more = others.length === 0 ? '' : `, and ${formatCount(others.length, 'other mirror')}`;
  return new UnprovedAbsenceError(`${first?.message}${more}; then: ${last.message}`, {
    hint: 'the mirror lacks it, and the registry itself cannot be reached: check the network and the mirror',
    cause: last,
  });
}
