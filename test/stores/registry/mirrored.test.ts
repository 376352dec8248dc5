import { describe, expect, test, vi } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { NetworkError } from '../../../src/http/errors.ts';
import { createMemoryPlace, createMemoryStore } from '../../../src/stores/memory.ts';
import { decorate } from '../../../src/stores/decorators/decorate.ts';
import { mirrored, type Alternative } from '../../../src/stores/registry/mirrored.ts';
import { canListReferrers, type FetchOptions, type Store } from '../../../src/store.ts';
import { resolveIfThere } from '../../../src/operations/copy/resolve-image.ts';
import { storeContract } from '../../contract/store-contract.ts';
import { makeArtifact, makeBlob, makeImage, type TestImage } from '../../support/images/images.ts';
import { listAll, readAll } from '../../support/registries/watched.ts';

const ANY = (): boolean => true;

function alternative(name: string, store: Store, takes: Alternative['takes'] = ANY): Alternative {
  return { name, store, takes };
}

async function holding(image: TestImage, tag = '1'): Promise<Store> {
  const store = createMemoryStore();
  await image.pushAll(store, tag);
  return store;
}

/** A registry that is not reached, and counts who asks. */
function unreachable(): {
  readonly store: Store;
  readonly asked: ReturnType<typeof vi.fn<() => never>>;
} {
  const asked = vi.fn<() => never>(() => {
    throw new NetworkError('Cannot connect', {
      phase: 'connect',
      reason: 'ECONNREFUSED',
    });
  });
  const store = decorate(createMemoryStore(), {
    resolve: async () => asked(),
    exists: async () => asked(),
    fetch: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => asked() }) }),
  });
  return { store, asked };
}

storeContract('mirrored', async () => {
  const place = createMemoryPlace();
  const upstream = place.open('app');
  const store = mirrored(upstream, {
    alternatives: [alternative('mirror', createMemoryStore()), alternative('upstream', upstream)],
  });
  return { store, sibling: place.open('base') };
});

describe('mirrored()', () => {
  test('B3: fetch() passes on that a foreign layer is read at its own URLs', async () => {
    const store = await holding(makeImage());
    const fetched: (FetchOptions | undefined)[] = [];
    const watched = decorate(store, {
      fetch: (target, options) => {
        fetched.push(options);
        return store.fetch(target, options);
      },
    });
    const through = mirrored(store, { alternatives: [alternative('mirror', watched)] });
    await readAll(through.fetch(await store.resolve('1'), { followsUrls: true, offset: 3 }));
    expect(fetched).toEqual([{ followsUrls: true, offset: 3 }]);
  });

  test('resolve() requests the mirrors in order, and fetch() the one that responded', async () => {
    const image = makeImage();
    const answered = vi.fn<(alternative: Alternative) => void>();
    const first = createMemoryStore();
    const second = await holding(image);
    const upstream = unreachable();
    const alternatives = [
      alternative('first', first),
      alternative('second', second),
      alternative('upstream', upstream.store),
    ];
    const store = mirrored(upstream.store, { alternatives, onUse: answered });
    const root = await store.resolve('1');
    expect(root.digest).toBe(image.root.digest);
    await readAll(store.fetch(root));
    expect(answered.mock.calls.map(([{ name }]) => name)).toEqual(['second']);
    expect(upstream.asked).not.toHaveBeenCalled();
  });

  test('resolve() requests a mirror that does not respond once, and the registry from then on', async () => {
    const image = makeImage();
    const mirror = unreachable();
    const failed = vi.fn<(alternative: Alternative) => void>();
    const upstream = await holding(image);
    const store = mirrored(upstream, {
      alternatives: [alternative('mirror', mirror.store), alternative('upstream', upstream)],
      onFailure: failed,
    });
    for (let i = 0; i < 3; i++) await store.resolve('1');
    for (const { descriptor } of image.nodes.values())
      expect(await store.exists(descriptor)).toBe(true);
    expect(mirror.asked).toHaveBeenCalledTimes(1);
    expect(failed).toHaveBeenCalledTimes(1);
  });

  test('B12: resolve() names the mirror first when it has no image, and the registry cannot be reached', async () => {
    const upstream = unreachable();
    const store = mirrored(upstream.store, {
      alternatives: [
        alternative('mirror', createMemoryStore()),
        alternative('upstream', upstream.store),
      ],
    });
    const resolving = store.resolve('absent');
    await expect(resolving).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/absent.*; then: Cannot connect/) as string,
    });
    // It may be there: nothing takes that for a proof.
    await expect(resolveIfThere(store, 'absent')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('resolve() throws the error of the registry when the image is missing everywhere', async () => {
    const mirror = unreachable();
    const upstream = createMemoryStore();
    const store = mirrored(upstream, {
      alternatives: [alternative('mirror', mirror.store), alternative('upstream', upstream)],
    });
    await expect(store.resolve('absent')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test.each([
    ['digest-only', 'upstream', 'mirror'],
    ['tag-only', 'mirror', 'upstream'],
  ])(
    'resolve() with a mirror that is %s reads a tag from the %s and a digest from the %s',
    async (use, byTag, byDigest) => {
      const image = makeImage();
      const names: string[] = [];
      const [mirror, upstream] = [await holding(image), await holding(image)];
      const open = (): Store =>
        mirrored(upstream, {
          alternatives: [
            alternative('mirror', mirror, (kind) => use === `${kind}-only`),
            alternative('upstream', upstream),
          ],
          onUse: ({ name }) => names.push(name),
        });
      await open().resolve('1');
      await open().resolve(image.root.digest);
      expect(names).toEqual([byTag, byDigest]);
    },
  );

  test('fetch() resumes at the registry where a mirror broke off', async () => {
    const blob = makeBlob(100_000);
    const whole = createMemoryStore();
    await whole.push(blob.descriptor, bytesOf(blob.bytes));
    const broken = decorate(whole, {
      fetch: () => ({
        async *[Symbol.asyncIterator]() {
          yield blob.bytes.subarray(0, 40_000);
          throw new NetworkError('cut', {
            phase: 'body',
            reason: 'ECONNRESET',
          });
        },
      }),
    });
    const store = mirrored(whole, {
      alternatives: [alternative('mirror', broken), alternative('upstream', whole)],
    });
    expect(await readAll(store.fetch(blob.descriptor))).toEqual(blob.bytes);
  });

  test('fetch() sends no other request when it is aborted', async () => {
    const controller = new AbortController();
    const mirror = decorate(createMemoryStore(), {
      resolve: async () => {
        controller.abort(new Error('enough'));
        controller.signal.throwIfAborted();
        throw new Error('unreachable');
      },
    });
    const upstream = unreachable();
    const store = mirrored(upstream.store, {
      alternatives: [alternative('mirror', mirror), alternative('upstream', upstream.store)],
    });
    await expect(store.resolve('1', { signal: controller.signal })).rejects.toThrow('enough');
    expect(upstream.asked).not.toHaveBeenCalled();
  });

  test('push() and tag() write at the registry and never at a mirror', async () => {
    const image = makeImage();
    const [mirror, upstream] = [createMemoryStore(), createMemoryStore()];
    const store = mirrored(upstream, {
      alternatives: [alternative('mirror', mirror), alternative('upstream', upstream)],
    });
    await image.pushAll(store, '2');
    expect(await mirror.exists(image.root)).toBe(false);
    expect((await upstream.resolve('2')).digest).toBe(image.root.digest);
  });

  test('listReferrers() requests the registry when a mirror has none', async () => {
    const image = makeImage();
    const artifact = makeArtifact({ subject: image.root });
    const [mirror, upstream] = [await holding(image), await holding(image)];
    await artifact.pushAll(upstream);
    const store = mirrored(upstream, {
      alternatives: [alternative('mirror', mirror), alternative('upstream', upstream)],
    });
    await store.resolve('1');
    expect(
      canListReferrers(store) && (await listAll(store.listReferrers(image.root))),
    ).toMatchObject([{ digest: artifact.root.digest }]);
  });
});
