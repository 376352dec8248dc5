import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { RegiError } from '../../../src/errors.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import type { CopiedImage, CopyJob } from '../../../src/operations/copy/copy-image.ts';
import { copyImages, type CopyImagesOptions } from '../../../src/operations/copy/copy-images.ts';
import type { CopyEvent } from '../../../src/operations/copy/events.ts';
import type { Store } from '../../../src/store.ts';
import { decorate } from '../../../src/stores/decorators/decorate.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import { makeImage, type TestImage } from '../../support/images/images.ts';

async function copy(
  jobs: readonly CopyJob[],
  options: CopyImagesOptions = {},
): Promise<CopiedImage[]> {
  const results: CopiedImage[] = [];
  for await (const copied of copyImages(jobs, options)) results.push(copied);
  return results;
}

function job(
  source: Store,
  reference: string,
  destination: Store,
  tag: string | undefined = reference,
): CopyJob {
  return { source, reference, destination, tag, image: `there:${tag}` };
}

async function sourceWith(image: TestImage, tag = 'v1'): Promise<Store> {
  const store = createMemoryStore();
  await image.pushAll(store, tag);
  return store;
}

describe('copyImages() when something fails', () => {
  async function sourceWithout(image: TestImage, lost: Descriptor | undefined): Promise<Store> {
    const inner = await sourceWith(image);
    return decorate(inner, {
      fetch: (target, options) => {
        if (target.digest !== lost?.digest) return inner.fetch(target, options);
        return inner.fetch({ ...target, digest: makeImage({ seed: 99 }).root.digest }, options);
      },
    });
  }

  test('names the image, keeps the code of the cause, and sets no tag', async () => {
    const image = makeImage();
    const destination = createMemoryStore();

    const copying = copy([job(await sourceWithout(image, image.layers[1]), 'v1', destination)]);

    await expect(copying).rejects.toMatchObject({
      name: 'CopyError',
      code: 'NOT_FOUND',
      message: expect.stringContaining('there:v1') as string,
    });
    await expect(destination.resolve('v1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await destination.exists(image.root)).toBe(false);
  });

  test('stores nothing of a layer whose bytes do not match', async () => {
    const image = makeImage();
    const lie = image.layers[0];
    const inner = await sourceWith(image);
    const source = decorate(inner, {
      fetch: (target, options) =>
        target.digest === lie?.digest
          ? bytesOf(new Uint8Array(target.size))
          : inner.fetch(target, options),
    });
    const destination = createMemoryStore();

    await expect(copy([job(source, 'v1', destination)])).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
    expect(await destination.exists(lie ?? image.root)).toBe(false);
  });

  test('continues with keepGoing, emits each failure, and ends with PARTIAL_FAILURE', async () => {
    const [good, bad] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
    const broken = await sourceWithout(bad, bad.layers[0]);
    const destination = createMemoryStore();
    const events: CopyEvent[] = [];
    const done: CopiedImage[] = [];

    const copying = (async () => {
      const jobs = [
        { ...job(broken, 'v1', destination, 'bad'), image: 'bad' },
        job(await sourceWith(good), 'v1', destination, 'good'),
      ];
      for await (const copied of copyImages(jobs, {
        keepGoing: true,
        onEvent: (event) => events.push(event),
      }))
        done.push(copied);
    })();

    await expect(copying).rejects.toMatchObject({ code: 'PARTIAL_FAILURE', failed: 1, total: 2 });
    expect(done.map(({ image }) => image)).toEqual(['there:good']);
    expect(events.filter(({ kind }) => kind === 'failed')).toHaveLength(1);
  });

  test('stops the other images at the first failure and throws that one', async () => {
    const [slow, bad] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
    const inner = await sourceWith(slow);
    let closed = 0;
    const stalled = decorate(inner, {
      fetch: (target, options) =>
        target.mediaType.includes('layer')
          ? {
              async *[Symbol.asyncIterator]() {
                try {
                  await new Promise((_, reject) =>
                    options?.signal?.addEventListener('abort', () =>
                      reject(options.signal?.reason as Error),
                    ),
                  );
                  yield new Uint8Array();
                } finally {
                  closed += 1;
                }
              },
            }
          : inner.fetch(target, options),
    });
    const destination = createMemoryStore();

    const copying = copy([
      job(stalled, 'v1', destination, 'slow'),
      { ...job(await sourceWithout(bad, bad.layers[0]), 'v1', destination, 'bad'), image: 'bad' },
    ]);

    await expect(copying).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(closed).toBe(2);
  });

  test('throws the reason of the signal when it aborts', async () => {
    const image = makeImage();
    const controller = new AbortController();
    const reason = new Error('enough');
    const inner = await sourceWith(image);
    const source = decorate(inner, {
      fetch: (target, options) => {
        if (target.mediaType.includes('layer')) controller.abort(reason);
        return inner.fetch(target, options);
      },
    });
    const destination = createMemoryStore();

    await expect(
      copy([job(source, 'v1', destination)], { signal: controller.signal }),
    ).rejects.toBe(reason);
    await expect(destination.resolve('v1')).rejects.toBeInstanceOf(RegiError);
  });
});
