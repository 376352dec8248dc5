import { describe, expect, test } from 'vitest';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import type { CopiedImage, CopyJob } from '../../src/operations/copy/copy-image.ts';
import { copyImages } from '../../src/operations/copy/copy-images.ts';
import type { CopyEvent } from '../../src/operations/copy/events.ts';
import { decorate } from '../../src/stores/decorators/decorate.ts';
import { createMemoryStore } from '../../src/stores/memory.ts';
import { deferred } from '../support/deferred.ts';
import { makeImage, nodeOf } from '../support/images/images.ts';
import { toBytes, run, sourceWith, reading, untilAborted, job } from '../support/copy-outcomes.ts';

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
