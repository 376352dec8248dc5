import { describe, expect, test } from 'vitest';

import {
  canDelete,
  canListReferrers,
  canListTags,
  canMount,
  canUntag,
  type Store,
} from '../../../src/store.ts';
import { decorate } from '../../../src/stores/decorators/decorate.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import { makeImage } from '../../support/images/images.ts';
import { listAll } from '../../support/registries/watched.ts';

function capabilitiesOf(store: Store): readonly boolean[] {
  return [
    canMount(store),
    canListTags(store),
    canListReferrers(store),
    canDelete(store),
    canUntag(store),
  ];
}

/** A store that can nothing but what every store can. */
function plainStore(): Store {
  const { place, repository, ...memory } = {
    ...methodsOf(createMemoryStore()),
    place: 'plain',
    repository: '',
  };
  return { place, repository, ...memory };
}

function methodsOf(store: Store): Pick<Store, 'resolve' | 'fetch' | 'exists' | 'push' | 'tag'> {
  return {
    resolve: (...args) => store.resolve(...args),
    fetch: (...args) => store.fetch(...args),
    exists: (...args) => store.exists(...args),
    push: (...args) => store.push(...args),
    tag: (...args) => store.tag(...args),
  };
}

describe('decorate()', () => {
  test('has every capability of the store', () => {
    expect(capabilitiesOf(decorate(createMemoryStore(), {}))).toEqual([
      true,
      true,
      true,
      true,
      true,
    ]);
  });

  test('has no capability that the store lacks, though the change offers it', () => {
    expect(
      capabilitiesOf(
        decorate(plainStore(), { mount: async () => 'mounted', untag: async () => undefined }),
      ),
    ).toEqual([false, false, false, false, false]);
  });

  test('runs the change in place of the method', async () => {
    const { root } = makeImage();
    expect(await decorate(createMemoryStore(), { resolve: async () => root }).resolve('any')).toBe(
      root,
    );
  });

  test('runs the method of the store where nothing is changed', async () => {
    const inner = createMemoryStore();
    const outer = decorate(inner, {});
    await makeImage().pushAll(outer, 'v1');
    expect(canListTags(outer) && (await listAll(outer.listTags()))).toEqual(['v1']);
  });

  test('keeps the place and repository of the store', () => {
    expect(decorate(plainStore(), {})).toMatchObject({ place: 'plain', repository: '' });
  });
});
