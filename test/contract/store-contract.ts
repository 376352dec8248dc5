import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import {
  canDelete,
  canKeepUnnamed,
  canListReferrers,
  canListTags,
  canMount,
  canOffer,
  canUntag,
  type Store,
} from '../../src/store.ts';
import { makeArtifact, makeBlob, makeImage, makeIndex, nodeOf } from '../support/images/images.ts';
import { listAll, readAll, watched } from '../support/registries/watched.ts';
import { contentContract } from './content-contract.ts';

/** A store to be tested; each test gets a new, empty one. */
export interface StoreUnderTest {
  readonly store: Store;
  /**
   * Where content is put that `store` must then have; the store itself when absent. For a decorator
   * that does not write.
   */
  readonly seed?: Store | undefined;
  /** Another repository of the same place, to mount from. */
  readonly sibling?: Store | undefined;
  readonly close?: (() => Promise<void>) | undefined;
}

export interface StoreContractOptions {
  /** False for a store that only pretends to write: what is pushed cannot be fetched. */
  readonly keepsContent?: boolean | undefined;
  /**
   * False for a store that cannot know without a round trip what it has: `exists()` is for that,
   * and `push` sends.
   */
  readonly knowsWhatItHas?: boolean | undefined;
  /** False for a store that is alone in its place: there is nothing to mount from. */
  readonly mounts?: boolean | undefined;
  /** False for a store whose names are taken away, and its content tidied up behind them. */
  readonly deletes?: boolean | undefined;
}

const LARGE_BYTES = 5 * 1024 * 1024 + 17;

/** What every Store and every decorator of one promises. */
export function storeContract(
  name: string,
  create: () => Promise<StoreUnderTest>,
  {
    keepsContent = true,
    knowsWhatItHas = true,
    mounts = true,
    deletes = true,
  }: StoreContractOptions = {},
): void {
  describe(`${name} as a Store`, () => {
    let made: StoreUnderTest;
    let store: Store;
    let seed: Store;

    beforeEach(async () => {
      made = await create();
      store = made.store;
      seed = made.seed ?? made.store;
    });

    afterEach(async () => made.close?.());

    describe('reading', () => {
      test('fetch() gives the bytes of a blob', async () => {
        const { descriptor, bytes } = makeBlob(10_000);
        await seed.push(descriptor, bytesOf(bytes));
        expect(await readAll(store.fetch(descriptor))).toEqual(bytes);
      });

      test('fetch() opens the same content again for each iteration', async () => {
        const { descriptor, bytes } = makeBlob(10_000);
        await seed.push(descriptor, bytesOf(bytes));
        const content = store.fetch(descriptor);
        expect([await readAll(content), await readAll(content)]).toEqual([bytes, bytes]);
      });

      test.each([1, 4095, 9_999])('fetch() starts at the offset %i', async (offset) => {
        const { descriptor, bytes } = makeBlob(10_000);
        await seed.push(descriptor, bytesOf(bytes));
        expect(await readAll(store.fetch(descriptor, { offset }))).toEqual(bytes.slice(offset));
      });

      test('fetch() gives nothing when the offset is the end', async () => {
        const { descriptor, bytes } = makeBlob(10_000);
        await seed.push(descriptor, bytesOf(bytes));
        expect(await readAll(store.fetch(descriptor, { offset: 10_000 }))).toHaveLength(0);
      });

      test('fetch() can be left early and read again', async () => {
        const { descriptor, bytes } = makeBlob(LARGE_BYTES);
        await seed.push(descriptor, bytesOf(bytes));
        const content = store.fetch(descriptor);
        for await (const chunk of content) if (chunk.byteLength > 0) break;
        expect(Buffer.compare(await readAll(content), bytes)).toBe(0);
      });

      test('fetch() does not let a reader change stored content', async () => {
        const { descriptor, bytes } = makeBlob(10_000);
        await seed.push(descriptor, bytesOf(bytes));
        for await (const chunk of store.fetch(descriptor)) chunk.fill(0);
        expect(await readAll(store.fetch(descriptor))).toEqual(bytes);
      });

      test('fetch() fails with NOT_FOUND, while it is read, when the node is missing', async () => {
        const content = store.fetch(makeBlob(10).descriptor);
        await expect(readAll(content)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      });

      test('fetch() rejects with the reason when the signal has aborted', async () => {
        const { descriptor, bytes } = makeBlob(10);
        await seed.push(descriptor, bytesOf(bytes));
        const reason = new Error('stop');
        await expect(
          readAll(store.fetch(descriptor, { signal: AbortSignal.abort(reason) })),
        ).rejects.toBe(reason);
      });

      test('exists() is false before and true after a push', async () => {
        const { descriptor, bytes } = makeBlob(10);
        const before = await store.exists(descriptor);
        await seed.push(descriptor, bytesOf(bytes));
        expect([before, await store.exists(descriptor)]).toEqual([false, true]);
      });

      test('resolve() fails with NOT_FOUND when nothing has that name', async () => {
        await makeImage().pushAll(seed, 'here');
        await expect(store.resolve('absent')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      });

      test('resolve() fails with NOT_FOUND when nothing has that digest', async () => {
        await makeImage({ seed: 1 }).pushAll(seed, 'here');
        await expect(store.resolve(makeImage({ seed: 2 }).root.digest)).rejects.toMatchObject({
          code: 'NOT_FOUND',
        });
      });

      test.each([
        ['an image', makeImage()],
        ['a docker image', makeImage({ format: 'docker' })],
        ['an index', makeIndex({ attestations: true })],
        ['an artifact', makeArtifact()],
        ['an image of sha512 digests', makeImage({ algorithm: 'sha512' })],
      ])('resolve() finds %s by tag and by digest', async (_, image) => {
        await image.pushAll(seed, 'v1');
        expect([await store.resolve('v1'), await store.resolve(image.root.digest)]).toEqual([
          image.root,
          image.root,
        ]);
      });

      test('resolve() finds a manifest by digest when it has no tag', async () => {
        const image = makeIndex();
        await image.pushAll(seed);
        const child = makeIndex().images[1]?.root;
        expect(await store.resolve(child?.digest ?? '')).toEqual(child);
      });

      test('resolve() rejects with the reason when the signal has aborted', async () => {
        const reason = new Error('stop');
        await expect(store.resolve('v1', { signal: AbortSignal.abort(reason) })).rejects.toBe(
          reason,
        );
      });
    });

    describe('writing', () => {
      const pushesOnce = (): void => {
        test('push() does not open content that exists already', async () => {
          const { descriptor, bytes } = makeBlob(10);
          await seed.push(descriptor, bytesOf(bytes));
          const again = watched(bytesOf(bytes));
          await store.push(descriptor, again.content);
          expect(again.opened()).toBe(0);
        });
      };
      if (knowsWhatItHas) pushesOnce();

      test('exists() is true after a push', async () => {
        const { descriptor, bytes } = makeBlob(10);
        await store.push(descriptor, bytesOf(bytes));
        expect(await store.exists(descriptor)).toBe(true);
      });

      test('push() names the manifest when given a tag', async () => {
        const { root, nodes } = makeImage();
        for (const { descriptor, bytes } of nodes.values())
          await store.push(descriptor, bytesOf(bytes), descriptor === root ? { tag: 'v1' } : {});
        expect(await store.resolve('v1')).toEqual(root);
      });

      test('tag() moves a name', async () => {
        const [first, second] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
        await first.pushAll(store, 'v1');
        await second.pushAll(store, 'v1');
        expect(await store.resolve('v1')).toEqual(second.root);
      });

      test('tag() keeps the other names', async () => {
        const [first, second] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
        await first.pushAll(store, 'v1');
        await store.tag(first.root, 'latest');
        await second.pushAll(store, 'v1');
        expect([await store.resolve('latest'), await store.resolve(first.root.digest)]).toEqual([
          first.root,
          first.root,
        ]);
      });

      test('push() rejects with the reason when the signal has aborted', async () => {
        const { descriptor, bytes } = makeBlob(10);
        const reason = new Error('stop');
        await expect(
          store.push(descriptor, bytesOf(bytes), { signal: AbortSignal.abort(reason) }),
        ).rejects.toBe(reason);
        expect(await store.exists(descriptor)).toBe(false);
      });
    });

    if (keepsContent) contentContract(() => store);

    describe('capabilities', () => {
      test('offer() takes a missing blob and returns copied, where a store offers', async () => {
        const { descriptor, bytes } = makeBlob(10_000);
        if (!canOffer(store)) return;
        expect(await store.offer(descriptor, bytesOf(bytes))).toBe('copied');
        expect(await readAll(store.fetch(descriptor))).toEqual(bytes);
        expect(await store.offer(descriptor, bytesOf(bytes))).toBe('there');
      });

      test('listTags() gives every name once', async () => {
        if (!canListTags(store)) throw new Error('Expected a store that lists tags');
        const image = makeImage();
        await image.pushAll(seed, 'v1');
        await seed.tag(image.root, 'v2');
        await seed.tag(image.root, 'v1');
        return expect((await listAll(store.listTags())).toSorted()).toEqual(['v1', 'v2']);
      });

      test('listTags() yields names that were given through the store itself', async () => {
        if (!canListTags(store)) throw new Error('Expected a store that lists tags');
        const image = makeImage();
        await image.pushAll(store, 'v1');
        return expect(await listAll(store.listTags())).toEqual(['v1']);
      });

      test('untag() removes one name and nothing else', async () => {
        if (!canUntag(store)) throw new Error('Expected a store that untags');
        const image = makeImage();
        await image.pushAll(seed, 'v1');
        await seed.tag(image.root, 'v2');
        await store.untag('v1');
        await expect(store.resolve('v1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
        return expect([await store.resolve('v2'), await store.exists(image.root)]).toEqual([
          image.root,
          true,
        ]);
      });

      test('untag() fails with NOT_FOUND when nothing has that name', async () => {
        if (!canUntag(store)) throw new Error('Expected a store that untags');
        return expect(store.untag('absent')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      });

      const deletesNodes = (): void => {
        test('delete() removes a manifest and its names', async () => {
          if (!canDelete(store)) throw new Error('Expected a store that deletes');
          const image = makeImage();
          await image.pushAll(seed, 'v1');
          await store.delete(image.root);
          await expect(store.resolve('v1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
          await expect(store.resolve(image.root.digest)).rejects.toMatchObject({
            code: 'NOT_FOUND',
          });
          return expect(await store.exists(image.root)).toBe(false);
        });

        test('delete() fails with NOT_FOUND when the node is missing', async () => {
          if (!canDelete(store)) throw new Error('Expected a store that deletes');
          return expect(store.delete(makeImage().root)).rejects.toMatchObject({
            code: 'NOT_FOUND',
          });
        });
      };
      if (deletes) deletesNodes();

      test('keepUnnamed() keeps an untagged image findable, where a store needs an entry for it', async () => {
        if (!canKeepUnnamed(store)) return;
        const image = makeImage();
        await image.pushAll(seed);
        await store.keepUnnamed(image.root);
        await store.keepUnnamed(image.root);
        expect(await store.resolve(image.root.digest)).toEqual(image.root);
      });

      test('listReferrers() gives the manifests whose subject is the image', async () => {
        if (!canListReferrers(store)) throw new Error('Expected a store that lists referrers');
        const [image, other] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
        const artifact = makeArtifact({
          subject: image.root,
          artifactType: 'application/vnd.example.sig',
          annotations: { 'org.example.key': 'value' },
        });
        await image.pushAll(seed, 'v1');
        await other.pushAll(seed, 'v2');
        await artifact.pushAll(seed);
        const expected = {
          ...artifact.root,
          artifactType: 'application/vnd.example.sig',
          annotations: { 'org.example.key': 'value' },
        };
        return expect([
          await listAll(store.listReferrers(image.root)),
          await listAll(store.listReferrers(other.root)),
        ]).toEqual([[expected], []]);
      });

      test('listReferrers() yields only the requested artifact type', async () => {
        if (!canListReferrers(store)) throw new Error('Expected a store that lists referrers');
        const image = makeImage();
        await image.pushAll(seed, 'v1');
        for (const kind of ['a', 'b'])
          await makeArtifact({
            subject: image.root,
            artifactType: `application/vnd.${kind}`,
          }).pushAll(seed);
        const found = await listAll(
          store.listReferrers(image.root, { artifactType: 'application/vnd.b' }),
        );
        return expect(found.map(({ artifactType }) => artifactType)).toEqual(['application/vnd.b']);
      });

      const mountsBlobs = (): void => {
        test('mount() takes a blob from another repository without its bytes', async () => {
          const { sibling } = made;
          if (!canMount(store) || sibling === undefined)
            throw new Error('Expected a store that mounts, and a sibling');
          const { descriptor, bytes } = makeBlob(1000);
          await sibling.push(descriptor, bytesOf(bytes));
          const content = watched(bytesOf(bytes));
          const outcome = await store.mount(descriptor, sibling.repository, content.content);
          return expect([outcome, content.opened(), await store.exists(descriptor)]).toEqual([
            'mounted',
            0,
            true,
          ]);
        });
      };
      if (mounts) mountsBlobs();

      const takesContent = (): void => {
        test('mount() takes the content when the other repository does not have the blob', async () => {
          const { sibling } = made;
          if (!canMount(store) || sibling === undefined)
            throw new Error('Expected a store that mounts, and a sibling');
          const { descriptor, bytes } = nodeOf('application/octet-stream', Buffer.from('a blob'));
          const outcome = await store.mount(descriptor, sibling.repository, bytesOf(bytes));
          return expect([outcome, await store.exists(descriptor)]).toEqual(['copied', true]);
        });

        test('mount() is refused, and leaves nothing, when there is neither blob nor content', async () => {
          const { sibling } = made;
          if (!canMount(store) || sibling === undefined)
            throw new Error('Expected a store that mounts, and a sibling');
          const { descriptor } = makeBlob(1000);
          return expect([
            await store.mount(descriptor, sibling.repository, undefined),
            await store.exists(descriptor),
          ]).toEqual(['refused', false]);
        });
      };
      if (mounts && keepsContent) takesContent();
    });
  });
}
