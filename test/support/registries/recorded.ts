import { decorate } from '../../../src/stores/decorators/decorate.ts';
import { canMount, type Store } from '../../../src/store.ts';

export interface Call {
  readonly method: 'resolve' | 'fetch' | 'exists' | 'push' | 'tag' | 'mount';
  /** A digest, or the reference that was resolved. */
  readonly target: string;
  readonly tag?: string | undefined;
}

export interface Recorded {
  readonly store: Store;
  readonly calls: Call[];
}

/** A store that records its calls in order. `fetch` is recorded when it is opened. */
export function recorded(inner: Store): Recorded {
  const calls: Call[] = [];
  const store = decorate(inner, {
    async resolve(reference, options) {
      calls.push({ method: 'resolve', target: reference });
      return inner.resolve(reference, options);
    },
    fetch(target, options) {
      return {
        async *[Symbol.asyncIterator]() {
          calls.push({ method: 'fetch', target: target.digest });
          yield* inner.fetch(target, options);
        },
      };
    },
    async exists(target, options) {
      calls.push({ method: 'exists', target: target.digest });
      return inner.exists(target, options);
    },
    async push(expected, content, options) {
      calls.push({ method: 'push', target: expected.digest, tag: options?.tag });
      await inner.push(expected, content, options);
    },
    async tag(target, reference, options) {
      calls.push({ method: 'tag', target: target.digest, tag: reference });
      await inner.tag(target, reference, options);
    },
    async mount(target, from, content, options) {
      calls.push({ method: 'mount', target: target.digest });
      if (!canMount(inner)) throw new Error('The inner store cannot mount');
      return inner.mount(target, from, content, options);
    },
  });
  return { store, calls };
}
