import type {
  BlobResolver,
  Deleter,
  Mounter,
  Offerer,
  ReferrerLister,
  Store,
  TagLister,
  UnnamedKeeper,
  Untagger,
} from '../../store.ts';

type Capabilities = BlobResolver &
  Mounter &
  Offerer &
  TagLister &
  ReferrerLister &
  Deleter &
  UnnamedKeeper &
  Untagger;

/** What a decorator does otherwise than the store it decorates; undefined is a capability taken away. */
export type StoreChanges = Partial<Omit<Store, 'place' | 'repository'>> & {
  readonly [Name in keyof Capabilities]?: Capabilities[Name] | undefined;
};

const CAPABILITIES = {
  resolveBlob: true,
  mount: true,
  offer: true,
  listTags: true,
  listReferrers: true,
  delete: true,
  keepUnnamed: true,
  untag: true,
} as const satisfies Record<keyof Capabilities, true>;

/**
 * A store that does what `inner` does, but for `changes`. It has exactly the capabilities of `inner`: a change to one that
 * `inner` lacks is left out, so that the guards of store.ts tell the truth about it.
 */
export function decorate(inner: Store, changes: StoreChanges): Store {
  const store: Store & StoreChanges = {
    place: inner.place,
    repository: inner.repository,
    resolve: (...args) => inner.resolve(...args),
    fetch: (...args) => inner.fetch(...args),
    exists: (...args) => inner.exists(...args),
    push: (...args) => inner.push(...args),
    tag: (...args) => inner.tag(...args),
    ...changes,
  };
  for (const name of Object.keys(CAPABILITIES)) {
    const own: unknown = Reflect.get(inner, name);
    if (typeof own !== 'function') Reflect.deleteProperty(store, name);
    else if (!Object.hasOwn(changes, name)) Reflect.set(store, name, own.bind(inner));
  }
  return store;
}
