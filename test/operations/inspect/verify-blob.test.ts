import { gzipSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { verifyBlob } from '../../../src/operations/inspect/verify-blob.ts';
import type { Source } from '../../../src/store.ts';
import { decorate } from '../../../src/stores/decorators/decorate.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { nodeOf, type TestNode } from '../../support/images/images.ts';
import { poisoned } from '../../support/images/poison.ts';
import { randomBytes } from '../../support/images/random-bytes.ts';
import { zstdBomb, zstdOf } from '../../support/images/zstd.ts';

const TAR = randomBytes(100_000, 1);
const DIFF_ID = digestOf(TAR);
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

/** A store that gives `bytes` whatever is asked for, in chunks whose memory is used again. */
function giving(bytes: Uint8Array, chunkSize = 1000): Source {
  return decorate(createMemoryPlace().open('app'), { fetch: () => poisoned(bytes, { chunkSize }) });
}

const layers: readonly (readonly [string, TestNode])[] = [
  ['plain', nodeOf(LAYER, TAR)],
  ['gzip', nodeOf(`${LAYER}+gzip`, gzipSync(TAR))],
  [
    'gzip of two members',
    nodeOf(
      `${LAYER}+gzip`,
      Buffer.concat([gzipSync(TAR.subarray(0, 70)), gzipSync(TAR.subarray(70))]),
    ),
  ],
  ['zstd', nodeOf(`${LAYER}+zstd`, zstdOf(TAR))],
  ['gzip under the name of zstd', nodeOf(`${LAYER}+zstd`, gzipSync(TAR))],
];

describe('verifyBlob()', () => {
  test('returns undefined for an intact blob', async () => {
    const { descriptor, bytes } = nodeOf(LAYER, TAR);
    expect(await verifyBlob(giving(bytes), descriptor, [])).toBeUndefined();
  });

  test.each([
    [
      'a byte is another',
      Buffer.concat([TAR.subarray(0, -1), Buffer.from([255 - (TAR.at(-1) ?? 0)])]),
      'corrupt',
    ],
    ['it is too short', TAR.subarray(1), 'corrupt'],
    ['it is too long', Buffer.concat([TAR, TAR]), 'corrupt'],
    ['it is empty', new Uint8Array(), 'corrupt'],
  ])('tells when %s', async (_what, bytes, status) => {
    expect(await verifyBlob(giving(bytes), nodeOf(LAYER, TAR).descriptor, [])).toMatchObject({
      status,
    });
  });

  test('reports a missing blob', async () => {
    expect(
      await verifyBlob(createMemoryPlace().open('app'), nodeOf(LAYER, TAR).descriptor, []),
    ).toMatchObject({ status: 'missing' });
  });

  test('throws an error that is not about the content', async () => {
    const problem = new Error('the disk is on fire');
    const failing = decorate(createMemoryPlace().open('app'), {
      fetch: () => ({
        async *[Symbol.asyncIterator]() {
          yield TAR.subarray(0, 10);
          throw problem;
        },
      }),
    });
    await expect(verifyBlob(failing, nodeOf(LAYER, TAR).descriptor, [])).rejects.toBe(problem);
  });

  test('throws the reason of an abort', async () => {
    const reason = new Error('stop');
    const { descriptor, bytes } = nodeOf(LAYER, TAR);
    const store = createMemoryPlace().open('app');
    await store.push(descriptor, bytesOf(bytes));
    await expect(
      verifyBlob(store, descriptor, [], { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
  });
});

describe('verifyBlob() with diff_ids', () => {
  test.each(layers)('unpacks %s', async (_what, { descriptor, bytes }) => {
    expect(await verifyBlob(giving(bytes), descriptor, [DIFF_ID])).toBeUndefined();
  });

  test.each(layers)(
    'reports when %s unpacks to other bytes',
    async (_what, { descriptor, bytes }) => {
      const found = await verifyBlob(giving(bytes), descriptor, [digestOf(Buffer.from('else'))]);
      expect(found).toMatchObject({
        status: 'corrupt',
        problem: expect.stringContaining(`It unpacks to ${DIFF_ID}`),
      });
    },
  );

  test('compares a sha512 diff_id too', async () => {
    const { descriptor, bytes } = nodeOf(LAYER, gzipSync(TAR));
    expect(await verifyBlob(giving(bytes), descriptor, [digestOf(TAR, 'sha512')])).toBeUndefined();
  });

  test('reports damaged bytes rather than a failure to unpack them', async () => {
    const { descriptor, bytes } = nodeOf(`${LAYER}+gzip`, gzipSync(TAR));
    const damaged = Buffer.from(bytes);
    damaged.fill(0, 500, 600);
    expect(await verifyBlob(giving(damaged), descriptor, [DIFF_ID])).toMatchObject({
      status: 'corrupt',
      problem: expect.stringContaining('found sha256:'),
    });
  });

  test.each([
    ['gzip that was cut before it was pushed', gzipSync(TAR).subarray(0, 5000)],
    ['zstd that was cut before it was pushed', zstdOf(TAR).subarray(0, 5000)],
    ['bzip2', Buffer.from('BZh91AY&SY')],
    ['xz', Buffer.from('fd377a585a000004', 'hex')],
  ])('tells when it cannot unpack %s', async (_what, bytes) => {
    const { descriptor } = nodeOf(LAYER, bytes);
    expect(await verifyBlob(giving(bytes), descriptor, [DIFF_ID])).toMatchObject({
      status: 'corrupt',
      problem: expect.stringContaining('Cannot unpack'),
    });
  });

  test('reports a diff_id that is no digest', async () => {
    const { descriptor, bytes } = nodeOf(LAYER, TAR);
    expect(await verifyBlob(giving(bytes), descriptor, ['sha256:../../etc'])).toMatchObject({
      status: 'corrupt',
      problem: expect.stringContaining('no digest'),
    });
  });

  test('includes bytes behind the compressed data in the digest', async () => {
    const { descriptor, bytes } = nodeOf(LAYER, Buffer.concat([gzipSync(TAR), Buffer.alloc(512)]));
    const damaged = Buffer.from(bytes);
    damaged[damaged.byteLength - 1] = 1;
    expect(await verifyBlob(giving(damaged), descriptor, [DIFF_ID])).toMatchObject({
      status: 'corrupt',
    });
  });

  test.each([
    ['gzip', Buffer.concat(Array.from({ length: 100 }, () => gzipSync(new Uint8Array(1_000_000))))],
    ['zstd', zstdBomb(1000)],
  ])('bomb-verify: stops to unpack %s that becomes too much', async (_what, bytes) => {
    const { descriptor } = nodeOf(LAYER, bytes);
    const limits = { unpackedBytes: 5_000_000, unpackedRatio: 10 };
    const found = await verifyBlob(giving(bytes), descriptor, [DIFF_ID], { limits });
    expect(found).toMatchObject({
      status: 'corrupt',
      problem: expect.stringMatching(/to unpack to at most \d+, found more/),
    });
  });

  test('accepts a layer that is packed tightly if it is small', async () => {
    const zeros = new Uint8Array(4_000_000);
    const { descriptor, bytes } = nodeOf(LAYER, gzipSync(zeros));
    expect(
      await verifyBlob(giving(bytes), descriptor, [digestOf(zeros)], {
        limits: { unpackedBytes: 5_000_000, unpackedRatio: 10 },
      }),
    ).toBeUndefined();
  });

  test('opens the content again for each diff_id', async () => {
    const { descriptor, bytes } = nodeOf(LAYER, TAR);
    expect(
      await verifyBlob(
        decorate(createMemoryPlace().open('app'), { fetch: () => bytesOf(bytes) }),
        descriptor,
        [DIFF_ID, DIFF_ID],
      ),
    ).toBeUndefined();
  });
});
