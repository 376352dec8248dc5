import { describe, expect, test } from 'vitest';

import type { CopiedImage, CopyJob } from '../../../src/operations/copy/copy-image.ts';
import { copyImages, type CopyImagesOptions } from '../../../src/operations/copy/copy-images.ts';
import type { CopyEvent } from '../../../src/operations/copy/events.ts';
import { readManifest } from '../../../src/operations/copy/read-manifest.ts';
import type { Store } from '../../../src/store.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import { makeImage, makeIndex, type TestImage } from '../../support/images/images.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };

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

describe('copyImages() with platforms', () => {
  test('makes the manifest of one platform the root', async () => {
    const image = makeIndex();
    const destination = createMemoryStore();

    const [copied] = await copy([job(await sourceWith(image), 'v1', destination)], {
      platforms: [ARM64],
    });

    expect(copied?.root.digest).toBe(image.images[1]?.root.digest);
    expect(await destination.exists(image.images[0]?.root ?? image.root)).toBe(false);
  });

  test('makes a valid smaller index of several platforms, keeps their attestations, and warns', async () => {
    const platforms = [AMD64, ARM64, { os: 'linux', architecture: 's390x' }];
    const image = makeIndex({
      platforms,
      attestations: true,
      annotations: { 'org.example': 'kept' },
    });
    const destination = createMemoryStore();
    const events: CopyEvent[] = [];

    const [copied] = await copy([job(await sourceWith(image), 'v1', destination)], {
      platforms: [AMD64, ARM64],
      onEvent: (event) => events.push(event),
    });

    const { manifest } = await readManifest(destination, copied?.root ?? image.root);
    if (manifest.kind !== 'index') throw new Error('Expected an index');
    const kept = [...image.images.slice(0, 2), ...image.attestations.slice(0, 2)].map(
      ({ root }) => root.digest,
    );
    expect(manifest.manifests.map(({ digest }) => digest)).toEqual(kept);
    expect(manifest.annotations).toEqual({ 'org.example': 'kept' });
    expect(events.some(({ kind }) => kind === 'warning')).toBe(true);
  });

  test('keeps the digest when every platform is requested', async () => {
    const image = makeIndex();
    const [copied] = await copy([job(await sourceWith(image), 'v1', createMemoryStore())], {
      platforms: [AMD64, ARM64],
    });
    expect(copied?.root.digest).toBe(image.root.digest);
  });

  test.each([
    ['an index that lacks it', makeIndex()],
    ['an image of another platform', makeImage()],
  ])('finds no platform in %s, and says what is there', async (_, image) => {
    const copying = copy([job(await sourceWith(image), 'v1', createMemoryStore())], {
      platforms: [{ os: 'linux', architecture: 'riscv64' }],
    });
    await expect(copying).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: expect.stringContaining('linux/amd64') as string,
    });
  });

  test('never chooses 32-bit arm for arm64', async () => {
    const image = makeIndex({
      platforms: [AMD64, { os: 'linux', architecture: 'arm', variant: 'v7' }],
    });
    await expect(
      copy([job(await sourceWith(image), 'v1', createMemoryStore())], { platforms: [ARM64] }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
