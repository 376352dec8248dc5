import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { toDescriptorJson } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { exportImages } from '../../../src/operations/archive/export-images.ts';
import type { Source } from '../../../src/store.ts';
import { archiveAt } from '../../../src/stores/archive/writer.ts';
import { decorate } from '../../../src/stores/decorators/decorate.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import { instantClock } from '../../support/clock.ts';
import { openForTest } from '../../support/images/archives.ts';
import {
  imageOf,
  makeImage,
  nodeOf,
  nodesOf,
  type TestImage,
} from '../../support/images/images.ts';
import { zstdOf } from '../../support/images/zstd.ts';
import { outcomeOfAsync } from '../../support/outcome.ts';
import { readAll } from '../../support/registries/watched.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const IMAGE = makeImage({ layers: [1000, 300_000], packing: 'zstd' });

/** Exports into a new file in docker's format, and gives its path. */
async function exported(source: Source, path = freshPath()): Promise<string> {
  async function* jobs(): AsyncGenerator<{ source: Source; reference: string; image: string }> {
    yield { source, reference: '1', image: 'app:1' };
  }
  await exportImages(jobs(), archiveAt(path, { clock: instantClock() }), { format: 'docker' });
  return path;
}

function freshPath(): string {
  return join(temporaryFolder('zstd'), 'app.tar');
}

async function storeOf(image: TestImage): Promise<ReturnType<typeof createMemoryStore>> {
  const store = createMemoryStore();
  await image.pushAll(store, '1');
  return store;
}

/** The image of `IMAGE` with other bytes in its last layer, and the config as it was. */
function withLastLayer(bytes: Uint8Array): TestImage {
  const [first] = IMAGE.layers;
  const kept = nodesOf(IMAGE).filter(({ descriptor }) =>
    [first?.digest, IMAGE.config.digest].includes(descriptor.digest),
  );
  const type = IMAGE.layers[1]?.mediaType ?? '';
  const layer = nodeOf(type, bytes);
  const body = JSON.parse(
    Buffer.from(IMAGE.nodes.get(IMAGE.root.digest)?.bytes ?? []).toString(),
  ) as { layers: object[] };
  const layers = [body.layers[0], toDescriptorJson(layer.descriptor)];
  const text = JSON.stringify({ ...body, layers });
  return imageOf([...kept, layer, nodeOf(IMAGE.root.mediaType, Buffer.from(text))]);
}

describe('A9: unpackZstd()', () => {
  test('writes each layer as the bytes of its diff_id', async () => {
    const store = (await openForTest(await exported(await storeOf(IMAGE)))).open('');
    const manifest = JSON.parse(
      Buffer.from(await readAll(store.fetch(await store.resolve('')))).toString(),
    ) as { config: { digest: string }; layers: { digest: string; size: number }[] };
    expect(manifest.config.digest).toBe(IMAGE.config.digest);
    expect(manifest.layers.map(({ size }) => size)).toEqual([
      1024 + 512 + 1024,
      300_032 + 512 + 1024,
    ]);
  });

  test('reads no other layer twice', async () => {
    const gzip = makeImage({ layers: [1000] });
    const fetched: string[] = [];
    const store = await storeOf(gzip);
    await exported(
      decorate(store, {
        fetch(target, options) {
          fetched.push(target.digest);
          return store.fetch(target, options);
        },
      }),
    );
    expect(fetched.filter((digest) => digest === gzip.layers[0]?.digest)).toHaveLength(1);
  });

  test('resumes an archive that was interrupted in such a layer', async () => {
    const whole = readFileSync(await exported(await storeOf(IMAGE)));
    const path = freshPath();
    const last = IMAGE.layers[1];
    const packed = IMAGE.nodes.get(last?.digest ?? IMAGE.root.digest)?.bytes ?? new Uint8Array();
    const store = await storeOf(IMAGE);
    let reads = 0;
    const broken = decorate(store, {
      fetch(target, options) {
        if (target.digest !== last?.digest) return store.fetch(target, options);
        reads += 1;
        return reads === 1 ? store.fetch(target, options) : cut(packed);
      },
    });
    await expect(exported(broken, path)).rejects.toThrow('the line broke');
    expect(existsSync(path)).toBe(false);
    expect(readFileSync(await exported(store, path))).toEqual(whole);
  });

  test.each([
    ['other bytes than its diff_id', zstdOf(Buffer.from('other')), 'INVALID_MANIFEST'],
    ['nothing, because it is cut', zstdOf(Buffer.alloc(5000)).subarray(0, 900), 'INVALID_ARCHIVE'],
  ])('refuses a layer that unpacks to %s', async (_, bytes, code) => {
    const path = freshPath();
    const error = await outcomeOfAsync(exported(await storeOf(withLastLayer(bytes)), path));
    expect(error).toMatchObject({ code });
    expect(existsSync(path)).toBe(false);
  });

  test('refuses a layer whose packed bytes are not those of its digest', async () => {
    const store = await storeOf(IMAGE);
    const last = IMAGE.layers[1];
    const damaged = decorate(store, {
      fetch: (target, options) =>
        target.digest === last?.digest
          ? bytesOf(zstdOf(Buffer.alloc(last.size - 9)))
          : store.fetch(target, options),
    });
    expect(await outcomeOfAsync(exported(damaged))).toMatchObject({ code: 'CONTENT_MISMATCH' });
  });
});

function cut(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      yield bytes.subarray(0, 200_000);
      throw new Error(`the line broke behind ${digestOf(bytes)}`);
    },
  };
}
