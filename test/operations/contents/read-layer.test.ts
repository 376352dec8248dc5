import { gzipSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { bytesOf, collect } from '../../../src/bytes.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { LayerBudget, listLayer } from '../../../src/operations/contents/list-layer.ts';
import { readLayer } from '../../../src/operations/contents/read-layer.ts';
import type { Source } from '../../../src/store.ts';
import type { TarFile } from '../../../src/tar/tar-file.ts';
import { nodeOf } from '../../support/images/images.ts';
import { buildTar, pax } from '../../support/images/tar-builder.ts';

const TAR = buildTar([
  { name: 'a', content: 'hello' },
  { name: 'b', content: 'x'.repeat(100_000) },
]);

/** A tar with one file "a" of `hello`, by `zstd -19`. */
const ZSTD = Buffer.from(
  'KLUv/QRoxQEAwoIID7BrDOQJzUtepPUywgBNASaEzPFVha2mA8WBvDv+vSP/lgcgcB/3hS9z1PkzcSsRGM5PDgvPA8jy',
  'base64',
);

const FILE: TarFile = {
  type: 'file',
  name: '',
  link: '',
  size: 0,
  mode: 0,
  uid: 0,
  gid: 0,
  user: '',
  group: '',
  mtime: 0,
  major: 0,
  minor: 0,
  records: new Map(),
};

interface Served {
  readonly source: Source;
  readonly layer: Descriptor;
  readonly fetches: () => number;
}

/** A place that has one blob; `sent` is what it sends in its place. */
function serve(bytes: Uint8Array, sent = bytes): Served {
  const { descriptor } = nodeOf('application/vnd.oci.image.layer.v1.tar+gzip', bytes);
  let fetches = 0;
  const source: Source = {
    place: 'test',
    repository: '',
    resolve: async () => descriptor,
    exists: async () => true,
    fetch: () => {
      fetches += 1;
      return bytesOf(sent);
    },
  };
  return { source, layer: descriptor, fetches: () => fetches };
}

async function read({ source, layer }: Served): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { file, content } of readLayer(source, layer))
    found.push(`${file.name} ${(await collect(content, 1e6, 'x')).byteLength}`);
  return found;
}

describe('readLayer()', () => {
  test.each([
    ['plain', TAR],
    ['gzip', gzipSync(TAR)],
    [
      'several gzip members',
      Buffer.concat([gzipSync(TAR.subarray(0, 5000)), gzipSync(TAR.subarray(5000))]),
    ],
    ['zstd', ZSTD],
  ])('readLayer() reads a layer that is %s, whatever its media type says', async (kind, bytes) => {
    expect(await read(serve(bytes))).toEqual(kind === 'zstd' ? ['a 5'] : ['a 5', 'b 100000']);
  });

  test('readLayer() yields nothing for an empty layer', async () => {
    expect(await read(serve(gzipSync(new Uint8Array(1024))))).toEqual([]);
  });

  test('readLayer() throws after all files when the bytes do not match', async () => {
    const changed = Buffer.from(TAR);
    changed[600] = 0x41;
    await expect(read(serve(TAR, changed))).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
  });

  test('readLayer() verifies bytes behind the compressed data', async () => {
    // Other bytes than zeros are no padding, and refused as a damaged member.
    const good = Buffer.concat([gzipSync(TAR), Buffer.from('\0\0\0\0')]);
    const changed = Buffer.concat([gzipSync(TAR), Buffer.from('\0\0\0x')]);
    expect(await read(serve(good))).toEqual(['a 5', 'b 100000']);
    await expect(read(serve(good, changed))).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
  });

  test('readLayer() throws when the layer is no tar', async () => {
    const served = serve(gzipSync(Buffer.from('#!/bin/sh\n'.repeat(100))));
    await expect(read(served)).rejects.toThrow(
      `Cannot read layer ${served.layer.digest} at byte 0: expected a tar, found other bytes`,
    );
  });

  test('readLayer() throws when the layer is cut', async () => {
    await expect(read(serve(gzipSync(TAR).subarray(0, 50)))).rejects.toMatchObject({
      code: 'INVALID_ARCHIVE',
    });
  });

  test('readLayer() stops at a layer that unpacks to too many bytes', async () => {
    // 1.1 GiB of zeros in one MiB: one file that is mostly nothing.
    const zeros = gzipSync(Buffer.alloc(64 * 1024 * 1024), { level: 9 });
    const head = gzipSync(buildTar([{ name: 'a', size: 2 ** 33 - 1 }], 0));
    const bomb = Buffer.concat([head, ...Array.from({ length: 18 }, () => zeros)]);
    const { source, layer } = serve(bomb);
    const listing = listLayer(source, layer, { budget: new LayerBudget() });
    await expect(listing).rejects.toThrow(/to unpack to at most \d+, found more/);
  });

  test('readLayer() stops when the signal aborts', async () => {
    const { source, layer } = serve(gzipSync(TAR));
    const stopping = new AbortController();
    const reading = async (): Promise<void> => {
      for await (const { file } of readLayer(source, layer, { signal: stopping.signal }))
        if (file.name === 'a') stopping.abort(new Error('stop'));
    };
    await expect(reading()).rejects.toThrow('stop');
  });
});

describe('listLayer()', () => {
  test('listLayer() lists files and passes each to its visitor', async () => {
    const { source, layer } = serve(gzipSync(TAR));
    const seen: string[] = [];
    const files = await listLayer(source, layer, {
      budget: new LayerBudget(),
      visit: async ({ file }, index) => {
        seen.push(`${index} ${file.name}`);
      },
    });
    expect(files.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(seen).toEqual(['0 a', '1 b']);
  });

  test('a budget covers all layers together', () => {
    const budget = new LayerBudget();
    const big = { ...FILE, name: 'n'.repeat(2 ** 28) };
    budget.take(big);
    budget.take(big);
    expect(() => budget.take(big)).toThrow(/bytes of names and attributes/);
  });
});

test('readLayer() fetches the layer once and reads it as it arrives', async () => {
  const served = serve(gzipSync(buildTar([pax({ path: 'long' }), { name: 'x' }])));
  expect(await read(served)).toEqual(['long 0']);
  expect(served.fetches()).toBe(1);
});

test('A21: readLayer() says that a layer is encrypted, and reads nothing of it', async () => {
  const served = serve(TAR);
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted';
  const { layer } = served;
  await expect(read({ ...served, layer: { ...layer, mediaType } })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining('it is encrypted'),
  });
  expect(served.fetches()).toBe(0);
});
