import type {
  BlobResolver,
  Deleter,
  Locator,
  Mirrored,
  Mounter,
  Offerer,
  Prover,
  ReferrerLister,
  Store,
  TagLister,
  UnnamedKeeper,
  Untagger,
} from '../../store.ts';

type Capabilities = BlobResolver &
  Mirrored &
  Mounter &
  Offerer &
  TagLister &
  ReferrerLister &
  Deleter &
  Locator &
  Prover &
  UnnamedKeeper &
  Untagger;

/** The methods that a decorator replaces; undefined removes a capability. */
export type StoreChanges = Partial<Omit<Store, 'place' | 'repository'>> & {
  readonly [Name in keyof Capabilities]?: Capabilities[Name] | undefined;
};

const CAPABILITIES = {
  resolveBlob: true,
  alternatives: true,
  mount: true,
  offer: true,
  listTags: true,
  listReferrers: true,
  delete: true,
  locate: true,
  prove: true,
  keepUnnamed: true,
  untag: true,
} as const satisfies Record<keyof Capabilities, true>;

/**
 * Makes a store that behaves like `inner`, except for `changes`. It has the capabilities of `inner`
 * and no more: changes to others are ignored, so that the guards of store.ts stay true.
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
