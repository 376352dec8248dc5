import { describe, expect, test } from 'vitest';

import { UploadSizes } from '../../../src/registry/upload/sizes.ts';

const MIB = 1024 * 1024;

describe('chunkFor()', () => {
  test('returns undefined for any size without a limit', () => {
    expect(new UploadSizes('registry.example', undefined).chunkFor(3 * 1024 * MIB)).toBeUndefined();
  });

  test.each([
    ['registry.example', 8 * MIB, 0, 8 * MIB],
    ['registry.example', 1 * MIB, 3 * MIB, 3 * MIB],
    ['ghcr.io', 8 * MIB, 0, 4 * MIB],
    ['123456789012.dkr.ecr.eu-west-1.amazonaws.com', 1 * MIB, 0, 5 * MIB],
    ['public.ecr.aws', 1 * MIB, 0, 5 * MIB],
    ['europe-docker.pkg.dev', 1 * MIB, 0, undefined],
    ['gcr.io', 1 * MIB, 0, undefined],
    ['notghcr.io', 8 * MIB, 0, 8 * MIB],
  ])('for %s, with chunk size %i and minimum %i, returns %s', (host, asked, minimum, expected) => {
    expect(new UploadSizes(host, asked).chunkFor(100 * MIB, minimum)).toBe(expected);
  });

  test('returns undefined for content no larger than a chunk', () => {
    expect(new UploadSizes('registry.example', MIB).chunkFor(MIB)).toBeUndefined();
  });
});

describe('refused()', () => {
  test('makes later bodies smaller, step by step', () => {
    const sizes = new UploadSizes('registry.example', undefined);
    const steps = [100 * MIB, 5 * MIB, 2.5 * MIB].map((size) => [
      sizes.refused(size),
      sizes.chunkFor(100 * MIB),
    ]);
    expect(steps).toEqual([
      [true, 5 * MIB],
      [true, 2.5 * MIB],
      [true, 1.25 * MIB],
    ]);
  });

  test('never makes them larger again', () => {
    const sizes = new UploadSizes('registry.example', MIB);
    sizes.refused(100 * MIB);
    expect(sizes.chunkFor(100 * MIB)).toBe(MIB);
  });

  test.each([
    ['registry.example', 64 * 1024],
    ['public.ecr.aws', 5 * MIB],
    ['gcr.io', 100 * MIB],
  ])('is false at %s after %i bytes', (host, size) => {
    expect(new UploadSizes(host, undefined).refused(size)).toBe(false);
  });
});
