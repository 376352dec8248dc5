import { describe, expect, test } from 'vitest';

import { RegiError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import type { CopiedImage, CopyJob } from '../../src/operations/copy/copy-image.ts';
import {
  copyImages,
  type CopyImagesOptions,
  type FailedJob,
} from '../../src/operations/copy/copy-images.ts';
import type { CopyEvent } from '../../src/operations/copy/events.ts';
import type { Store } from '../../src/store.ts';
import { decorate } from '../../src/stores/decorators/decorate.ts';
import { createMemoryPlace, createMemoryStore } from '../../src/stores/memory.ts';
import { deferred } from '../support/deferred.ts';
import { makeImage, nodeOf, type TestImage } from '../support/images/images.ts';

class LostError extends RegiError {
  constructor(message: string) {
    super('NETWORK', message);
  }
}

interface Outcome {
  readonly done: readonly string[];
  readonly events: readonly CopyEvent[];
  readonly error: unknown;
}

/** Copies to the end or to the error, and tells both. */
async function run(
  jobs: Iterable<CopyJob | FailedJob> | AsyncIterable<CopyJob | FailedJob>,
  options: CopyImagesOptions = {},
): Promise<Outcome> {
  const [done, events]: [string[], CopyEvent[]] = [[], []];
  try {
    for await (const { image } of copyImages(jobs, {
      ...options,
      onEvent: (event) => events.push(event),
    }))
      done.push(image);
    return { done, events, error: undefined };
  } catch (error) {
    return { done, events, error };
  }
}

async function sourceWith(...images: readonly TestImage[]): Promise<Store> {
  const store = createMemoryStore();
  for (const [index, image] of images.entries()) await image.pushAll(store, `v${index}`);
  return store;
}

/**
 * `before` runs before the first byte of `target` is read; what it throws is what reading fails
 * with.
 */
function reading(
  store: Store,
  target: Descriptor | undefined,
  before: (signal: AbortSignal | undefined) => Promise<void>,
): Store {
  return decorate(store, {
    fetch: (wanted, options) =>
      wanted.digest !== target?.digest
        ? store.fetch(wanted, options)
        : {
            async *[Symbol.asyncIterator]() {
              await before(options?.signal);
              yield* store.fetch(wanted, options);
            },
          },
  });
}

const lost = async (): Promise<never> => {
  throw new LostError('Cannot read: the connection was cut');
};

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) =>
    signal?.addEventListener('abort', () => reject(signal.reason as Error)),
  );
}

function job(source: Store, reference: string, destination: Store, tag = reference): CopyJob {
  return { source, reference, destination, tag, image: tag };
}

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

describe('copyImages() when its reader leaves early', () => {
  test('stops running copies, waits for them, and closes the list', async () => {
    const [quick, slow] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
    const begun = deferred();
    let stopped = false;
    const stalled = reading(await sourceWith(slow), slow.layers[0], async (signal) => {
      begun.resolve();
      await untilAborted(signal).finally(() => (stopped = true));
    });
    const destination = createMemoryStore();
    let closed = false;
    const jobs = async function* (): AsyncGenerator<CopyJob> {
      try {
        yield job(await sourceWith(quick), 'v0', destination, 'quick');
        yield job(stalled, 'v0', destination, 'slow');
        await begun.promise;
        for (;;) yield job(stalled, 'v0', destination, 'slow');
      } finally {
        closed = true;
      }
    };

    const results: CopiedImage[] = [];
    for await (const copied of copyImages(jobs())) {
      results.push(copied);
      break;
    }

    expect(results).toHaveLength(1);
    expect({ stopped, closed }).toEqual({ stopped: true, closed: true });
    await expect(destination.resolve('slow')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('copyImages() of many', () => {
  test('starts the other images while one takes long', async () => {
    const image = makeImage({ layers: [100] });
    const release = deferred();
    const source = await sourceWith(image);
    const stalled = decorate(source, {
      resolve: async (...args) => {
        await release.promise;
        return source.resolve(...args);
      },
    });
    const destination = createMemoryStore();
    let tagged = 0;
    const counted = decorate(destination, {
      push: async (expected, content, options) => {
        await destination.push(expected, content, options);
        if (options?.tag !== undefined) tagged += 1;
        if (tagged === 99) release.resolve();
      },
    });
    const jobs = Array.from({ length: 100 }, (_, index) =>
      job(index === 0 ? stalled : source, 'v0', counted, `t${index}`),
    );

    const { done, error } = await run(jobs);

    expect(error).toBeUndefined();
    expect(done).toEqual(jobs.map((each) => each.image));
  });

  test('emits one found event for each node, before it moves', async () => {
    const [first, second] = [
      makeImage({ seed: 1, layers: [100, 200] }),
      makeImage({ seed: 1, layers: [100, 300] }),
    ];
    const destination = createMemoryStore();
    const source = await sourceWith(first, second);

    const { events } = await run([job(source, 'v0', destination), job(source, 'v1', destination)]);

    const found = events.flatMap((event) => (event.kind === 'found' ? [event.target.digest] : []));
    expect(found.toSorted()).toEqual(
      [...new Set([...first.nodes.keys(), ...second.nodes.keys()])]
        .filter((digest) => !isRoot(digest))
        .toSorted(),
    );
    const position = (kind: CopyEvent['kind']): number =>
      events.findIndex(
        (event) =>
          event.kind === kind &&
          'target' in event &&
          event.target.digest === first.layers[0]?.digest,
      );
    expect(position('found')).toBeLessThan(position('started'));

    function isRoot(digest: string): boolean {
      return digest === first.root.digest || digest === second.root.digest;
    }
  });

  test('copies a layer that one image leaves at its own URLs and another image contains', async () => {
    const layer = nodeOf('application/vnd.oci.image.layer.v1.tar+gzip', Buffer.from('the layer'));
    const config = nodeOf(MEDIA_TYPE.ociConfig, Buffer.from('{}'));
    const foreign = {
      ...layer.descriptor,
      mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
      urls: ['https://elsewhere.example/layer'],
    };
    const manifestWith = (own: Descriptor) =>
      nodeOf(
        MEDIA_TYPE.ociManifest,
        Buffer.from(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: MEDIA_TYPE.ociManifest,
            config: config.descriptor,
            layers: [own],
          }),
        ),
      );
    const source = createMemoryStore();
    const roots = [manifestWith(foreign), manifestWith(layer.descriptor)];
    for (const { descriptor, bytes } of [layer, config, ...roots])
      await source.push(descriptor, toBytes(bytes));
    await Promise.all(
      roots.map(async ({ descriptor }, index) => source.tag(descriptor, `v${index}`)),
    );
    const destination = createMemoryStore();

    const { error } = await run([job(source, 'v0', destination), job(source, 'v1', destination)]);

    expect(error).toBeUndefined();
    expect(await destination.exists(layer.descriptor)).toBe(true);
  });
});

async function* toBytes(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
