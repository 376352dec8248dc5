import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  parseDescriptor,
  sameContent,
  toDescriptorJson,
  type Descriptor,
} from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { outcomeOf } from '../support/outcome.ts';

const DIGEST = digestOf(Buffer.from('{}'));
const PLAIN = { mediaType: 'application/x', digest: DIGEST, size: 2 };

describe('parseDescriptor()', () => {
  test('keeps the members of the image-spec and ignores others', () => {
    const full = {
      ...PLAIN,
      urls: ['https://a.example/x'],
      annotations: { a: 'b' },
      data: 'e30=',
      artifactType: 'application/y',
      platform: {
        os: 'windows',
        architecture: 'amd64',
        variant: 'v2',
        'os.version': '10.0.17763',
        'os.features': ['win32k'],
      },
    };
    expect(parseDescriptor({ ...full, unknown: 1 }, 'x')).toEqual({
      ...full,
      platform: {
        os: 'windows',
        architecture: 'amd64',
        variant: 'v2',
        osVersion: '10.0.17763',
        osFeatures: ['win32k'],
      },
    });
  });

  test('reads the nulls that Go writes as absent', () => {
    expect(
      parseDescriptor({ ...PLAIN, urls: null, annotations: null, platform: null }, 'x'),
    ).toEqual(PLAIN);
    expect(
      parseDescriptor(
        { ...PLAIN, platform: { os: 'linux', architecture: 'arm', 'os.features': null } },
        'x',
      ).platform,
    ).toEqual({
      os: 'linux',
      architecture: 'arm',
    });
  });

  test.each([{}, { os: '', architecture: '' }, { os: 'linux' }, { architecture: 'amd64', os: '' }])(
    'reads the half platform %j as none',
    (platform) => {
      expect(parseDescriptor({ ...PLAIN, platform }, 'x')).toEqual(PLAIN);
    },
  );

  test.each([
    [undefined, 'Cannot read descriptor config: expected object'],
    [
      { ...PLAIN, mediaType: undefined },
      'Cannot read descriptor config: expected string at "mediaType"',
    ],
    [
      { ...PLAIN, platform: { os: 1, architecture: 'amd64' } },
      'Cannot read descriptor config: expected string at "platform.os"',
    ],
    [
      { ...PLAIN, annotations: { a: 1 } },
      'Cannot read descriptor config: expected string at "annotations.a"',
    ],
    [{ ...PLAIN, size: '2' }, 'Cannot read descriptor config: expected number at "size"'],
    [
      { ...PLAIN, size: -1 },
      'Cannot read descriptor config: expected a size in whole bytes, found -1',
    ],
    [
      { ...PLAIN, size: 1.5 },
      'Cannot read descriptor config: expected a size in whole bytes, found 1.5',
    ],
    [
      { ...PLAIN, size: 2 ** 53 },
      'Cannot read descriptor config: expected a size in whole bytes, found 9007199254740992',
    ],
    [
      { ...PLAIN, size: JSON.parse('1e400') as number },
      'Cannot read descriptor config: expected number at "size"',
    ],
    [
      { ...PLAIN, digest: 'sha256:ab' },
      'Cannot read descriptor config: Cannot parse digest "sha256:ab": expected 64 hex digits, found 2 characters',
    ],
    [{ ...PLAIN, digest: `md5:${'a'.repeat(32)}` }, /expected sha256 or sha512/],
    [{ ...PLAIN, digest: `sha256:../../${'a'.repeat(58)}` }, /expected the digits/],
  ])('refuses %j', (value, message) => {
    expect(() => parseDescriptor(value, 'config')).toThrow(
      expect.objectContaining({
        code: 'INVALID_MANIFEST',
        message: expect.stringMatching(asRegex(message)),
      }),
    );
  });

  test('drops a member named __proto__', () => {
    const value: unknown = JSON.parse(
      `{"mediaType":"x","digest":"${DIGEST}","size":2,"__proto__":{"evil":1},"annotations":{"__proto__":"x"}}`,
    );
    const descriptor = parseDescriptor(value, 'x');
    expect('evil' in descriptor).toBe(false);
    expect(Object.getPrototypeOf(descriptor.annotations ?? {})).toBe(Object.prototype);
  });

  test('parses the JSON of toDescriptorJson() to the same descriptor', () => {
    fc.assert(
      fc.property(descriptors(), (descriptor) => {
        expect(
          parseDescriptor(JSON.parse(JSON.stringify(toDescriptorJson(descriptor))), 'x'),
        ).toEqual(descriptor);
      }),
    );
  });

  test('returns a descriptor or throws a RegiError on any JSON', () => {
    const member = fc.option(fc.oneof(fc.jsonValue(), fc.constant(DIGEST)), { nil: undefined });
    const value = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          mediaType: member,
          digest: member,
          size: member,
          urls: member,
          annotations: member,
          platform: member,
        },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(value, (json) => {
        expect(outcomeOf(() => parseDescriptor(json, 'x'))).toBeDefined();
      }),
    );
  });
});

describe('sameContent()', () => {
  test('asks digest and size, and not the type', () => {
    const descriptor = parseDescriptor(PLAIN, 'x');
    expect(sameContent(descriptor, { ...descriptor, mediaType: 'other' })).toBe(true);
    expect(sameContent(descriptor, { ...descriptor, size: 3 })).toBe(false);
    expect(sameContent(descriptor, { ...descriptor, digest: digestOf(new Uint8Array()) })).toBe(
      false,
    );
  });
});

function descriptors(): fc.Arbitrary<Descriptor> {
  const word = fc.string({ minLength: 1 });
  return fc.record(
    {
      mediaType: word,
      digest: fc.uint8Array().map((bytes) => digestOf(bytes)),
      size: fc.maxSafeNat(),
      urls: fc.array(word),
      annotations: fc.dictionary(fc.stringMatching(/^[a-z.]{1,9}$/), fc.string(), {
        noNullPrototype: true,
      }),
      platform: fc.record(
        {
          os: word,
          architecture: word,
          variant: word,
          osVersion: word,
          osFeatures: fc.array(word),
        },
        { requiredKeys: ['os', 'architecture'] },
      ),
    },
    { requiredKeys: ['mediaType', 'digest', 'size'] },
  );
}

function asRegex(message: string | RegExp): RegExp {
  return typeof message === 'string' ? new RegExp(`^${escaped(message)}$`) : message;
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
