import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { RegiError } from '../../src/errors.ts';
import type { Platform } from '../../src/oci/descriptor.ts';
import {
  formatPlatform,
  InvalidPlatformError,
  normalizePlatform,
  parsePlatform,
  pickPlatform,
  type PlatformMatch,
} from '../../src/oci/platform.ts';
import { outcomeOf } from '../support/outcome.ts';
import table from '../tables/platforms.json' with { type: 'json' };

const HOST: Platform = { os: 'linux', architecture: 'amd64' };

const parse = (text: string): Platform => parsePlatform(text, HOST);

describe('parsePlatform() reads as containerd', () => {
  test.each(table.parse.filter((row) => row.valid))('accepts $in', (row) => {
    const platform = parse(row.in);
    expect(inJson(platform)).toEqual(row.platform);
    expect(formatPlatform(platform)).toBe(row.format);
    expect(formatPlatform(normalizePlatform(platform))).toBe(row.normalized);
  });

  test.each(table.parse.filter((row) => !row.valid))('refuses "$in"', (row) => {
    expect(() => parse(row.in)).toThrow(InvalidPlatformError);
  });
});

describe('pickPlatform() chooses as containerd', () => {
  test.each(table.match)('$want $mode of $have', (row) => {
    expect(
      pickPlatform(parse(row.want), row.have.map(parse), row.mode as PlatformMatch) ?? null,
    ).toBe(row.pick);
  });
});

describe('parsePlatform()', () => {
  test('hints at the repeated flag when the text has a comma', () => {
    const host = { os: 'linux', architecture: 'amd64' };
    expect(() => parsePlatform('linux/arm64,linux/amd64', host)).toThrow(
      expect.objectContaining({ hint: 'give --platform once for each' }) as Error,
    );
  });

  test('completes a single word from the host', () => {
    expect(parsePlatform('linux', { os: 'darwin', architecture: 'arm64' })).toEqual({
      os: 'linux',
      architecture: 'arm64',
    });
    expect(parsePlatform('linux', { os: 'linux', architecture: 'arm', variant: 'v6' })).toEqual({
      os: 'linux',
      architecture: 'arm',
      variant: 'v6',
    });
    expect(parsePlatform('arm64', { os: 'macos', architecture: 'arm64' })).toEqual({
      os: 'darwin',
      architecture: 'arm64',
    });
  });

  test('names the wrong part and hints at the form', () => {
    expect(() => parse('linux/am d64')).toThrow(
      expect.objectContaining({
        code: 'INVALID_PLATFORM',
        message:
          'Cannot parse platform "linux/am d64": expected letters, digits, "_", "." and "-", found "am d64"',
        hint: 'write OS/ARCHITECTURE[/VARIANT], such as linux/amd64 or linux/arm/v7',
      }),
    );
  });

  test('refuses an escape that is none', () => {
    expect(() => parse('windows(%zz)/amd64')).toThrow(InvalidPlatformError);
  });

  test('returns a platform or throws a RegiError on any text', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom('linux', 'arm', 'v7', '/', '(', ')', '+', '%', '25', '.', '1'),
      }),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        const outcome = outcomeOf(() => parse(text));
        const platform = outcome instanceof RegiError ? HOST : outcome;
        expect(parse(formatPlatform(platform))).toEqual(sorted(platform));
      }),
      { numRuns: 2000 },
    );
  });

  test('ends soon however long the text is', () => {
    const start = performance.now();
    expect(() => parse(`linux(${'+a'.repeat(500_000)}/`)).toThrow(InvalidPlatformError);
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});

describe('formatPlatform()', () => {
  test('parses back to the same version and features with any characters', () => {
    const option = fc.string({ unit: 'grapheme', minLength: 1 });
    fc.assert(
      fc.property(option, fc.uniqueArray(option, { minLength: 1 }), (osVersion, osFeatures) => {
        const platform = sorted({ os: 'windows', architecture: 'amd64', osVersion, osFeatures });
        expect(parse(formatPlatform(platform))).toEqual(platform);
      }),
    );
  });

  test('returns unknown when the platform has no os', () => {
    expect(formatPlatform({ os: '', architecture: 'amd64' })).toBe('unknown');
  });
});

describe('normalizePlatform()', () => {
  test('changes nothing the second time', () => {
    const word = fc.constantFrom(
      'linux',
      'MacOS',
      'amd64',
      'x86_64',
      'arm64',
      'aarch64',
      'arm',
      'armhf',
      'armel',
      'i386',
      'v1',
      'v7',
      '8',
      'v8.0',
      '9.0',
      '5',
      '',
    );
    fc.assert(
      fc.property(word, word, word, (os, architecture, variant) => {
        const once = normalizePlatform({ os, architecture, variant });
        expect(normalizePlatform(once)).toEqual(once);
      }),
    );
  });
});

describe('pickPlatform()', () => {
  const pick = (
    want: string,
    have: readonly string[],
    match: PlatformMatch = 'only',
  ): number | undefined => pickPlatform(parse(want), have.map(parse), match);

  test('passes over entries without a platform', () => {
    expect(pickPlatform(HOST, [undefined, HOST], 'strict')).toBe(1);
    expect(pickPlatform(HOST, [undefined], 'only')).toBeUndefined();
  });

  test('prefers an older variant to another architecture', () => {
    expect(pick('linux/amd64/v3', ['linux/386', 'linux/amd64'])).toBe(1);
    expect(pick('linux/arm64', ['linux/arm/v7', 'linux/arm/v5', 'linux/arm64'])).toBe(2);
    expect(pick('linux/arm64', ['linux/arm/v5', 'linux/arm/v7'])).toBe(1);
  });

  test('knows which v8 a v9 runs', () => {
    expect(pick('linux/arm64/v9', ['linux/arm64/v8.5'])).toBe(0);
    expect(pick('linux/arm64/v9', ['linux/arm64/v8.6'])).toBeUndefined();
    expect(pick('linux/arm64/v9.1', ['linux/arm64/v8.6', 'linux/arm64/v9'])).toBe(1);
    expect(pick('linux/arm64/v8.9', ['linux/arm64/v9'])).toBeUndefined();
  });

  test('refuses an image that needs a feature which was not asked for', () => {
    expect(pick('windows/amd64', ['windows(10.0.17763.1+win32k)/amd64'])).toBeUndefined();
    expect(pick('windows(10.0.17763+win32k)/amd64', ['windows(10.0.17763.1+win32k)/amd64'])).toBe(
      0,
    );
  });

  test('A19: picks the exact revision of a build of windows, else the highest', () => {
    const have = ['10.0.17763.1224', '10.0.17763.2114', '10.0.17763.99'].map(
      (version) => `windows(${version})/amd64`,
    );
    expect(pick('windows(10.0.17763.2114)/amd64', have)).toBe(1);
    expect(pick('windows(10.0.17763.99)/amd64', have)).toBe(2);
    expect(pick('windows(10.0.17763.5)/amd64', have)).toBe(1);
    expect(pick('windows(10.0.17763)/amd64', have)).toBe(1);
  });

  test('accepts the same build of windows, and an older one since 20348', () => {
    expect(
      pick('windows(10.0.26100)/amd64', [
        'windows(10.0.20348.1)/amd64',
        'windows(10.0.26100.3)/amd64',
      ]),
    ).toBe(1);
    expect(
      pick('windows(10.0.26100)/amd64', [
        'windows(10.0.17763.1)/amd64',
        'windows(10.0.20348.1)/amd64',
      ]),
    ).toBe(1);
    expect(pick('windows(10.0.17763)/amd64', ['windows(10.0.14393.1)/amd64'])).toBeUndefined();
    expect(pick('windows(10.0.20348)/amd64', ['windows(10.0.26100.1)/amd64'])).toBeUndefined();
  });

  test('ends soon with any variants', () => {
    // One step for each version would not end before the test does.
    expect(pick('linux/amd64/v999999999999', ['linux/amd64'])).toBeUndefined();
  });
});

function inJson({ osVersion, osFeatures, ...rest }: Platform): unknown {
  return {
    ...rest,
    ...(osVersion !== undefined && { 'os.version': osVersion }),
    ...(osFeatures !== undefined && { 'os.features': osFeatures }),
  };
}

function sorted(platform: Platform): Platform {
  return platform.osFeatures === undefined
    ? platform
    : { ...platform, osFeatures: [...platform.osFeatures].sort() };
}
