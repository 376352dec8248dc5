import { setImmediate } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { RegiError } from '../../../src/errors.ts';
import { RegistryResponseError } from '../../../src/registry/errors.ts';
import { decorate } from '../../../src/stores/decorators/decorate.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import { probeNewRepository } from '../../../src/stores/registry/new-repository-probe.ts';
import { canListTags, type Store, type TagLister } from '../../../src/store.ts';
import { deferred } from '../../support/deferred.ts';
import { makeImage } from '../../support/images/images.ts';

const image = makeImage();
const facts = {
  host: 'registry.example',
  method: 'GET',
  url: 'https://registry.example/v2/app/tags/list',
  retryAfterMs: undefined,
} as const;
const unknown = (code: string | undefined): RegistryResponseError =>
  new RegistryResponseError('NOT_FOUND', 'Cannot list', {
    ...facts,
    status: 404,
    problems: [{ code, message: 'no' }],
  });

/**
 * A store with an image, whose list of tags is what `answer` makes. That it is asked at all shows
 * what the hint has done.
 */
async function withImage(
  answer: (signal: AbortSignal | undefined) => Promise<void>,
): Promise<Store & TagLister> {
  const store = createMemoryStore();
  await image.pushAll(store, 'old');
  const listed = decorate(store, {
    async *listTags({ signal } = {}) {
      await answer(signal);
      yield 'old';
    },
  });
  if (!canListTags(listed)) throw new Error('A memory store lists its tags');
  return listed;
}

describe('probeNewRepository()', () => {
  test('requests blobs, but no tag or manifest, when the repository is new', async () => {
    const { store, close } = probeNewRepository(
      await withImage(() => Promise.reject(unknown('NAME_UNKNOWN'))),
    );
    await close();

    expect(await store.exists(image.root)).toBe(false);
    await expect(store.resolve('old')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await store.exists(image.config)).toBe(true);
    expect(await store.resolve(image.root.digest)).toMatchObject({ digest: image.root.digest });
  });

  test('requests tags and manifests that it has pushed itself', async () => {
    const { store, close } = probeNewRepository(
      await withImage(() => Promise.reject(unknown('NAME_UNKNOWN'))),
    );
    await close();

    await store.push(
      image.root,
      bytesOf(image.nodes.get(image.root.digest)?.bytes ?? new Uint8Array(0)),
      { tag: 'one' },
    );
    await store.tag(image.root, 'two');

    expect(await store.exists(image.root)).toBe(true);
    for (const tag of ['one', 'two'])
      expect(await store.resolve(tag)).toMatchObject({ digest: image.root.digest });
  });

  test.each([
    ['it has one', () => Promise.resolve()],
    ['its 404 has another code', () => Promise.reject(unknown('UNSUPPORTED'))],
    ['its 404 has no code', () => Promise.reject(unknown(undefined))],
    [
      'it fails',
      () =>
        Promise.reject(
          new RegistryResponseError('SERVER_FAILED', 'Cannot list', {
            ...facts,
            status: 503,
            problems: [],
          }),
        ),
    ],
  ])('sends every request when %s', async (_, answer) => {
    const { store, close } = probeNewRepository(await withImage(answer));
    await close();

    expect(await store.exists(image.root)).toBe(true);
    expect(await store.resolve('old')).toMatchObject({ digest: image.root.digest });
  });

  test('sends every request before the response arrives', async () => {
    const never = deferred();
    const stopped = (signal: AbortSignal | undefined): Promise<void> =>
      new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        void never.promise.then(resolve);
      });
    const { store, close } = probeNewRepository(await withImage(stopped));

    expect(await store.exists(image.root)).toBe(true);
    await close();
    expect(await store.exists(image.root)).toBe(true);
  });

  test('close() throws a bug of the probe', async () => {
    const { close } = probeNewRepository(
      await withImage(() => Promise.reject(new TypeError('bug'))),
    );
    // An error that comes after close() is that of a request which was stopped.
    await setImmediate();
    const error: unknown = await close().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect(error).not.toBeInstanceOf(RegiError);
  });
});
