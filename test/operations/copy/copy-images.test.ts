import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import {
  copyInSession,
  type CopiedImage,
  type CopyJob,
} from '../../../src/operations/copy/copy-image.ts';
import { copyImages, type CopyImagesOptions } from '../../../src/operations/copy/copy-images.ts';
import { CopySession } from '../../../src/operations/copy/session.ts';
import { addEvent, NO_TOTALS } from '../../../src/operations/copy/totals.ts';
import { cosignTags } from '../../../src/operations/referrers/walk.ts';
import type { CopyEvent } from '../../../src/operations/copy/events.ts';
import type { FetchOptions, Store } from '../../../src/store.ts';
import { decorate } from '../../../src/stores/decorators/decorate.ts';
import { dryRun } from '../../../src/stores/decorators/dry-run.ts';
import { createMemoryPlace, createMemoryStore } from '../../../src/stores/memory.ts';
import {
  makeArtifact,
  makeImage,
  makeIndex,
  nodeOf,
  type TestImage,
} from '../../support/images/images.ts';
import { recorded } from '../../support/registries/recorded.ts';

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

async function holds(store: Store, image: TestImage): Promise<boolean> {
  const found = await Promise.all(
    [...image.nodes.values()].map(async ({ descriptor }) => store.exists(descriptor)),
  );
  return found.every(Boolean);
}

describe('copyImages()', () => {
  test('copies a whole index byte for byte and tags it', async () => {
    const image = makeIndex({ attestations: true });
    const destination = createMemoryStore();

    const [copied] = await copy([job(await sourceWith(image), 'v1', destination)]);

    expect(copied).toMatchObject({ image: 'there:v1', root: image.root, outcome: 'copied' });
    expect((await destination.resolve('v1')).digest).toBe(image.root.digest);
    expect(await holds(destination, image)).toBe(true);
  });

  test('sends children before parents and the tag last', async () => {
    const image = makeIndex();
    const { store, calls } = recorded(createMemoryStore());

    await copy([job(await sourceWith(image), 'v1', store)]);

    const pushes = calls.filter(({ method }) => method === 'push');
    const at = (descriptor: Descriptor | undefined): number =>
      pushes.findIndex(({ target }) => target === descriptor?.digest);
    for (const child of image.images) {
      for (const below of [child.config, ...child.layers])
        expect(at(below)).toBeLessThan(at(child.root));
      expect(at(child.root)).toBeLessThan(at(image.root));
    }
    expect(pushes.at(-1)).toEqual({ method: 'push', target: image.root.digest, tag: 'v1' });
    expect(pushes.filter(({ tag }) => tag !== undefined)).toHaveLength(1);
  });

  test('sends one request to each side when the tag points at the root already', async () => {
    const image = makeIndex();
    const source = recorded(await sourceWith(image));
    const destination = recorded(await sourceWith(image));

    const [copied] = await copy([job(source.store, 'v1', destination.store)]);

    expect(copied?.outcome).toBe('unchanged');
    expect(source.calls).toEqual([{ method: 'resolve', target: 'v1' }]);
    expect(destination.calls).toEqual([{ method: 'resolve', target: 'v1' }]);
  });

  test('reads and sends a shared layer once', async () => {
    const images = ['a', 'b', 'c'].map((tag, seed) => ({
      tag,
      image: makeImage({ layers: [500], annotations: { seed: String(seed) } }),
    }));
    const inner = createMemoryStore();
    for (const { tag, image } of images) await image.pushAll(inner, tag);
    const source = recorded(inner);
    const destination = recorded(createMemoryStore());

    await copy(images.map(({ tag }) => job(source.store, tag, destination.store)));

    const layer = images[0]?.image.layers[0]?.digest;
    expect(
      source.calls.filter(({ method, target }) => method === 'fetch' && target === layer),
    ).toHaveLength(1);
    expect(
      destination.calls.filter(({ method, target }) => method === 'push' && target === layer),
    ).toHaveLength(1);
  });

  test('mounts a blob that another repository of the destination is receiving', async () => {
    const image = makeImage();
    const source = recorded(await sourceWith(image));
    const place = createMemoryPlace('there');
    const [first, second] = [recorded(place.open('one')), recorded(place.open('two'))];

    await copy([
      job(source.store, 'v1', first.store),
      { ...job(source.store, 'v1', second.store), image: 'two:v1' },
    ]);

    const moved = [...first.calls, ...second.calls];
    for (const blob of [image.config, ...image.layers]) {
      expect(
        moved.filter(({ method, target }) => method === 'push' && target === blob.digest),
      ).toHaveLength(1);
      expect(
        moved.filter(({ method, target }) => method === 'mount' && target === blob.digest),
      ).toHaveLength(1);
      expect(
        source.calls.filter(({ method, target }) => method === 'fetch' && target === blob.digest),
      ).toHaveLength(1);
    }
  });

  test('mounts every blob when source and destination are repositories of one place', async () => {
    const image = makeImage();
    const place = createMemoryPlace('registry');
    await image.pushAll(place.open('one'), 'v1');
    const source = recorded(place.open('one'));
    const destination = recorded(place.open('two'));

    await copy([job(source.store, 'v1', destination.store)]);

    expect(destination.calls.filter(({ method }) => method === 'mount')).toHaveLength(3);
    expect(
      source.calls.filter(
        ({ method, target }) => method === 'fetch' && target !== image.root.digest,
      ),
    ).toEqual([]);
  });

  test('reports unchanged when a child at the destination is lost, and repairs it with force', async () => {
    const image = makeIndex();
    const source = await sourceWith(image);
    const destination = createMemoryStore();
    await image.pushAll(destination, 'v1');
    const lost = image.images[1]?.root;
    if (lost === undefined) throw new Error('The index has two images');
    await destination.delete(lost);

    expect((await copy([job(source, 'v1', destination)]))[0]?.outcome).toBe('unchanged');
    expect(await destination.exists(lost)).toBe(false);

    await copy([job(source, 'v1', destination)], { force: true });
    expect(await destination.exists(lost)).toBe(true);
  });

  test('keeps an existing tag with other content with noClobber', async () => {
    const [old, fresh] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
    const destination = await sourceWith(old);

    const [kept] = await copy([job(await sourceWith(fresh), 'v1', destination)], {
      noClobber: true,
    });

    expect(kept).toMatchObject({ image: 'there:v1', root: old.root, outcome: 'kept' });
    expect((await destination.resolve('v1')).digest).toBe(old.root.digest);
  });

  test('refuses a root that differs from the digest of the destination', async () => {
    const [image, other] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
    const destination = createMemoryStore();

    const copying = copy([
      {
        ...job(await sourceWith(image), 'v1', destination),
        tag: undefined,
        pinned: other.root.digest,
      },
    ]);

    await expect(copying).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    expect(await destination.exists(image.root)).toBe(false);
  });

  describe('with a foreign layer', () => {
    const foreign = nodeOf(
      'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      Buffer.from('windows base'),
    );

    async function windowsImage(): Promise<Store> {
      const config = nodeOf(
        MEDIA_TYPE.dockerConfig,
        Buffer.from('{"os":"windows","architecture":"amd64"}'),
      );
      const layers = [{ ...foreign.descriptor, urls: ['https://elsewhere.example/base'] }];
      const manifest = nodeOf(
        MEDIA_TYPE.dockerManifest,
        Buffer.from(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: MEDIA_TYPE.dockerManifest,
            config: config.descriptor,
            layers,
          }),
        ),
      );
      const source = createMemoryStore();
      for (const node of [config, manifest])
        await source.push(node.descriptor, bytesOf(node.bytes));
      await source.tag(manifest.descriptor, 'v1');
      return source;
    }

    test('B3: leaves it at its own URLs, and says so in one warning', async () => {
      const events: CopyEvent[] = [];
      const destination = createMemoryStore();
      const source = await windowsImage();
      await copy([job(source, 'v1', destination)], {
        onEvent: (event) => events.push(event),
      });

      expect(events.filter(({ kind }) => kind === 'foreign')).toHaveLength(1);
      expect(events.filter(({ kind }) => kind === 'warning')).toEqual([
        expect.objectContaining({ hint: expect.stringContaining('--foreign-layers copy') }),
      ]);
    });

    test('B3: says so once for all images of a session, whose events are apart', async () => {
      const session = new CopySession();
      const warnings: CopyEvent[] = [];
      const source = await windowsImage();
      const { signal } = new AbortController();
      const place = createMemoryPlace();
      for (const repository of ['one', 'two']) {
        const view = session.withEvents((event) => {
          if (event.kind === 'warning') warnings.push(event);
        });
        await copyInSession(view, job(source, 'v1', place.open(repository)), { signal });
      }
      expect(warnings).toHaveLength(1);
    });

    test('B3: copies it like any other layer with foreignLayers: copy', async () => {
      const source = await windowsImage();
      const destination = createMemoryStore();
      const fetched: (FetchOptions | undefined)[] = [];
      const followed = decorate(source, {
        fetch: (target, options) => {
          if (target.digest !== foreign.descriptor.digest) return source.fetch(target, options);
          fetched.push(options);
          return bytesOf(foreign.bytes);
        },
      });
      await copy([job(followed, 'v1', destination)], { foreignLayers: 'copy' });

      expect(fetched).toEqual([expect.objectContaining({ followsUrls: true })]);
      expect(await destination.exists(foreign.descriptor)).toBe(true);
    });
  });

  test('refuses indexes that nest too deep', async () => {
    const source = createMemoryStore();
    let inner: Descriptor = makeImage().root;
    for (let level = 0; level < 12; level += 1) {
      const node = nodeOf(
        MEDIA_TYPE.ociIndex,
        Buffer.from(
          JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: [inner] }),
        ),
      );
      await source.push(node.descriptor, bytesOf(node.bytes));
      inner = node.descriptor;
    }
    await source.tag(inner, 'deep');

    await expect(copy([job(source, 'deep', createMemoryStore())])).rejects.toMatchObject({
      code: 'INVALID_MANIFEST',
    });
  });
});

describe('copyImages() with referrers', () => {
  test('copies referrers, their own referrers, and the tags of cosign', async () => {
    const image = makeIndex();
    const sbom = makeArtifact({ subject: image.root });
    const signature = makeArtifact({
      subject: sbom.root,
      artifactType: 'application/vnd.example.signature',
      seed: 2,
    });
    const onChild = makeArtifact({
      subject: image.images[0]?.root ?? image.root,
      seed: 3,
      size: 30,
    });
    const cosign = makeImage({ seed: 9 });
    const source = createMemoryStore();
    await image.pushAll(source, 'v1');
    for (const referrer of [sbom, signature, onChild]) await referrer.pushAll(source);
    await cosign.pushAll(source, cosignTags(image.root.digest)[0]);
    const destination = recorded(createMemoryStore());

    await copy([job(source, 'v1', destination.store)], { referrers: true });

    for (const copied of [image, sbom, signature, onChild, cosign])
      expect(await holds(destination.store, copied)).toBe(true);
    expect((await destination.store.resolve(cosignTags(image.root.digest)[0] ?? '')).digest).toBe(
      cosign.root.digest,
    );
    expect(destination.calls.filter(({ method }) => method === 'push').at(-1)?.tag).toBe('v1');
  });

  test('copies new referrers of an unchanged image', async () => {
    const image = makeImage();
    const sbom = makeArtifact({ subject: image.root });
    const source = await sourceWith(image);
    await sbom.pushAll(source);
    const destination = await sourceWith(image);

    await copy([job(source, 'v1', destination)], { referrers: true });

    expect(await destination.exists(sbom.root)).toBe(true);
  });
});

describe('copyImages() in a dry run', () => {
  test('counts bytes to upload, mount and skip exactly, and writes nothing', async () => {
    const image = makeImage({ layers: [100, 200, 300] });
    const place = createMemoryPlace('there');
    const destination = place.open('two');
    const [skipped] = image.layers;
    const node = skipped === undefined ? undefined : image.nodes.get(skipped.digest);
    if (node === undefined) throw new Error('The image has layers');
    await destination.push(node.descriptor, bytesOf(node.bytes));
    let totals = NO_TOTALS;
    const before = recorded(destination);

    await copy([job(await sourceWith(image), 'v1', dryRun(before.store))], {
      onEvent: (event) => (totals = addEvent(totals, event)),
    });

    expect(
      before.calls.filter(
        ({ method }) => method === 'push' || method === 'mount' || method === 'tag',
      ),
    ).toEqual([]);
    const size = (nodes: readonly (Descriptor | undefined)[]): number =>
      nodes.reduce((sum, node) => sum + (node?.size ?? 0), 0);
    expect(totals.skipped).toEqual({ nodes: 1, bytes: size([skipped]) });
    expect(totals.copied).toEqual({
      nodes: 4,
      bytes: size([...image.layers.slice(1), image.config, image.root]),
    });
    expect(totals.bytesMoved).toBe(0);
  });
});
