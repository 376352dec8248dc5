import { describe, expect, test } from 'vitest';
import type { CopyJob } from '../../src/operations/copy/copy-image.ts';
import { copyImages } from '../../src/operations/copy/copy-images.ts';
import type { CopyEvent } from '../../src/operations/copy/events.ts';
import { decorate } from '../../src/stores/decorators/decorate.ts';
import { createMemoryPlace, createMemoryStore } from '../../src/stores/memory.ts';
import { deferred } from '../support/deferred.ts';
import { makeImage } from '../support/images/images.ts';
import {
  LostError,
  run,
  sourceWith,
  reading,
  lost,
  untilAborted,
  job,
} from '../support/copy-outcomes.ts';

describe('copyImages() when one of several fails', () => {
  test('yields the images that were complete before it, and then throws', async () => {
    const [good, bad] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
    const destination = createMemoryStore();
    const tagged = deferred();
    const watched = decorate(destination, {
      push: async (expected, content, options) => {
        await destination.push(expected, content, options);
        if (options?.tag === 'good') tagged.resolve();
      },
    });
    const broken = reading(await sourceWith(bad), bad.layers[0], async () => {
      await tagged.promise;
      await lost();
    });

    const { done, error } = await run([
      job(await sourceWith(good), 'v0', watched, 'good'),
      job(broken, 'v0', watched, 'bad'),
    ]);

    expect(done).toEqual(['good']);
    expect(error).toMatchObject({ name: 'CopyError', code: 'NETWORK' });
  });

  test('lets the next image copy a layer whose transfer was cancelled', async () => {
    const [first, second] = [
      makeImage({ seed: 1, layers: [100, 200] }),
      makeImage({ seed: 1, layers: [100, 300] }),
    ];
    expect(first.layers[0]).toEqual(second.layers[0]);
    const source = await sourceWith(first, second);
    const begun = deferred();
    let reads = 0;
    const shared = reading(source, first.layers[0], async (signal) => {
      reads += 1;
      begun.resolve();
      if (reads === 1) await untilAborted(signal);
    });
    const broken = reading(shared, first.layers[1], async () => {
      await begun.promise;
      await lost();
    });
    const destination = createMemoryStore();
    const failed = deferred();

    const results: string[] = [];
    const copying = (async () => {
      const jobs = async function* () {
        yield job(broken, 'v0', destination, 'first');
        await failed.promise;
        yield job(shared, 'v1', destination, 'second');
      };
      const onEvent = (event: CopyEvent): void => {
        if (event.kind === 'failed') failed.resolve();
      };
      for await (const { image } of copyImages(jobs(), { keepGoing: true, onEvent }))
        results.push(image);
    })();

    await expect(copying).rejects.toMatchObject({ code: 'PARTIAL_FAILURE', failed: 1, total: 2 });
    expect(results).toEqual(['second']);
    expect(await destination.resolve('second')).toMatchObject({ digest: second.root.digest });
    expect(reads).toBe(2);
  });

  test('does not make a failed image wait for a layer that another repository is receiving', async () => {
    const [slow, bad] = [
      makeImage({ seed: 1, layers: [100, 200] }),
      makeImage({ seed: 1, layers: [100, 300] }),
    ];
    const place = createMemoryPlace();
    const release = deferred();
    const begun = deferred();
    const stalled = reading(await sourceWith(slow), slow.layers[0], async () => {
      begun.resolve();
      await release.promise;
    });
    const broken = reading(await sourceWith(bad), bad.layers[1], async () => {
      await begun.promise;
      await lost();
    });
    const results: string[] = [];
    const onEvent = (event: CopyEvent): void => {
      // Only now may the other one go on: a wait for it would never end.
      if (event.kind === 'failed') release.resolve();
    };

    const jobs = [
      job(stalled, 'v0', place.open('slow'), 'slow'),
      job(broken, 'v0', place.open('bad'), 'bad'),
    ];
    const copying = (async () => {
      for await (const { image } of copyImages(jobs, { keepGoing: true, onEvent }))
        results.push(image);
    })();

    await expect(copying).rejects.toMatchObject({ code: 'PARTIAL_FAILURE' });
    expect(results).toEqual(['slow']);
  });

  test('sends the bytes of a layer when the other repository did not receive it', async () => {
    const image = makeImage({ layers: [100] });
    const place = createMemoryPlace();
    const source = await sourceWith(image);
    const begun = deferred();
    const isLayer = (event: CopyEvent): boolean =>
      event.kind === 'mounted' && event.target.digest === image.layers[0]?.digest;
    const broken = reading(source, image.layers[0], async () => {
      await begun.promise;
      await lost();
    });
    const waits = decorate(place.open('second'), {
      resolve: async (...args) => {
        begun.resolve();
        return place.open('second').resolve(...args);
      },
    });

    const { done, events } = await run(
      [job(broken, 'v0', place.open('first'), 'first'), job(source, 'v0', waits, 'second')],
      { keepGoing: true },
    );

    expect(done).toEqual(['second']);
    expect(events.some(isLayer)).toBe(false);
  });

  test('counts an image that could not be started', async () => {
    const image = makeImage();
    const destination = createMemoryStore();
    const jobs = [
      { image: 'nowhere', error: new LostError('Cannot open: nothing is there') },
      job(await sourceWith(image), 'v0', destination, 'good'),
    ];

    const going = await run(jobs, { keepGoing: true });
    expect(going).toMatchObject({
      done: ['good'],
      error: { code: 'PARTIAL_FAILURE', failed: 1, total: 2 },
    });
    expect(going.events.filter(({ kind }) => kind === 'failed')).toMatchObject([
      { image: 'nowhere' },
    ]);
    expect(await run(jobs)).toMatchObject({ error: { code: 'NETWORK' } });
  });
});

describe('copyImages() when its list fails', () => {
  async function* cutShort(
    begun: Promise<void>,
    ...jobs: readonly CopyJob[]
  ): AsyncGenerator<CopyJob> {
    yield* jobs;
    await begun;
    throw new LostError('Cannot list: the connection was cut');
  }

  test('stops the images in progress and throws that failure', async () => {
    const image = makeImage();
    let stopped = false;
    const begun = deferred();
    const stalled = reading(await sourceWith(image), image.layers[0], async (signal) => {
      begun.resolve();
      await untilAborted(signal).finally(() => (stopped = true));
    });
    const destination = createMemoryStore();

    const { done, error } = await run(cutShort(begun.promise, job(stalled, 'v0', destination)));

    expect(error).toBeInstanceOf(LostError);
    expect({ done, stopped }).toEqual({ done: [], stopped: true });
    await expect(destination.resolve('v0')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('finishes them first with keepGoing', async () => {
    const { done, error } = await run(
      cutShort(Promise.resolve(), job(await sourceWith(makeImage()), 'v0', createMemoryStore())),
      { keepGoing: true },
    );
    expect(done).toEqual(['v0']);
    expect(error).toBeInstanceOf(LostError);
  });

  test('refuses two images for one tag, and accepts the same image twice', async () => {
    const source = await sourceWith(makeImage({ seed: 1 }), makeImage({ seed: 2 }));
    const destination = createMemoryStore();
    expect(
      await run([job(source, 'v0', destination, 'x'), job(source, 'v1', destination, 'x')]),
    ).toMatchObject({
      error: { code: 'USAGE', message: 'Cannot copy two images to "x"' },
    });
    expect(
      await run([job(source, 'v0', destination, 'x'), job(source, 'v0', destination, 'x')]),
    ).toMatchObject({ done: ['x', 'x'], error: undefined });
  });
});
