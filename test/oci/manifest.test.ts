import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { LIMITS } from '../../src/limits.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { artifactTypeOf, childrenOf, parseManifest } from '../../src/oci/manifest.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import { outcomeOf } from '../support/outcome.ts';

const node = (text: string, mediaType = 'application/x') => ({
  mediaType,
  digest: digestOf(Buffer.from(text)),
  size: text.length,
});
const CONFIG = node('config', MEDIA_TYPE.ociConfig);
const LAYERS = [node('one'), node('two')];
const IMAGE = { schemaVersion: 2, config: CONFIG, layers: LAYERS };
const INDEX = {
  schemaVersion: 2,
  manifests: [node('a', MEDIA_TYPE.ociManifest), node('b', MEDIA_TYPE.ociManifest)],
};

const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

describe('parseManifest()', () => {
  test('reads an image manifest', () => {
    expect(
      parseManifest(
        bytes({ ...IMAGE, mediaType: MEDIA_TYPE.ociManifest, annotations: { a: 'b' } }),
        MEDIA_TYPE.ociManifest,
      ),
    ).toEqual({
      kind: 'image',
      mediaType: MEDIA_TYPE.ociManifest,
      config: CONFIG,
      layers: LAYERS,
      annotations: { a: 'b' },
    });
  });

  test('reads an index', () => {
    expect(
      parseManifest(bytes({ ...INDEX, mediaType: MEDIA_TYPE.dockerManifestList }), undefined),
    ).toEqual({
      kind: 'index',
      mediaType: MEDIA_TYPE.dockerManifestList,
      manifests: INDEX.manifests,
      annotations: {},
    });
  });

  test('keeps subject and artifactType', () => {
    const manifest = parseManifest(
      bytes({ ...IMAGE, subject: node('s'), artifactType: 'application/y' }),
      undefined,
    );
    expect(manifest.subject).toEqual(node('s'));
    expect(manifest.artifactType).toBe('application/y');
  });

  test.each([undefined, 'text/plain', 'application/json'])(
    'tells a manifest without a type by its members (%s)',
    (told) => {
      expect(parseManifest(bytes(IMAGE), told).mediaType).toBe(MEDIA_TYPE.ociManifest);
      expect(parseManifest(bytes(INDEX), told).mediaType).toBe(MEDIA_TYPE.ociIndex);
      expect(parseManifest(bytes({ ...IMAGE, mediaType: '' }), told).mediaType).toBe(
        MEDIA_TYPE.ociManifest,
      );
    },
  );

  test('uses the stated type when the body has none', () => {
    expect(parseManifest(bytes(IMAGE), MEDIA_TYPE.dockerManifest).mediaType).toBe(
      MEDIA_TYPE.dockerManifest,
    );
  });

  test('reads null lists, as Go writes empty ones', () => {
    expect(
      parseManifest(
        bytes({ ...IMAGE, layers: null, subject: null, annotations: null }),
        MEDIA_TYPE.ociManifest,
      ),
    ).toMatchObject({
      layers: [],
      annotations: {},
    });
    expect(parseManifest(bytes({ ...INDEX, manifests: null }), MEDIA_TYPE.ociIndex)).toMatchObject({
      manifests: [],
    });
  });

  test.each([
    ['an index inside an image', { ...IMAGE, manifests: [] }, MEDIA_TYPE.ociManifest],
    ['an image inside an index', { ...INDEX, layers: [] }, MEDIA_TYPE.ociIndex],
    ['a config inside an index', { ...INDEX, config: CONFIG }, MEDIA_TYPE.ociIndex],
    ['both, without a type', { ...IMAGE, ...INDEX }, undefined],
    ['an image that says it is an index', { ...IMAGE, mediaType: MEDIA_TYPE.ociIndex }, undefined],
    ['an index offered as an image', INDEX, MEDIA_TYPE.ociManifest],
    ['an image offered as an index', IMAGE, MEDIA_TYPE.ociIndex],
    [
      'another type than was offered',
      { ...IMAGE, mediaType: MEDIA_TYPE.dockerManifest },
      MEDIA_TYPE.ociManifest,
    ],
    ['schema 1 members', { ...IMAGE, fsLayers: [] }, MEDIA_TYPE.ociManifest],
    ['neither', { schemaVersion: 2 }, undefined],
    ['no schemaVersion', { config: CONFIG, layers: LAYERS }, MEDIA_TYPE.ociManifest],
    ['schemaVersion 3', { ...IMAGE, schemaVersion: 3 }, MEDIA_TYPE.ociManifest],
    ['a type that is no text', { ...IMAGE, mediaType: 5 }, MEDIA_TYPE.ociManifest],
    ['layers that are no list', { ...IMAGE, layers: {} }, MEDIA_TYPE.ociManifest],
    ['an image without config', { schemaVersion: 2, layers: [] }, MEDIA_TYPE.ociManifest],
    ['an index without manifests', { schemaVersion: 2 }, MEDIA_TYPE.ociIndex],
    [
      'a layer with a bad digest',
      { ...IMAGE, layers: [{ ...node('x'), digest: 'sha256:..' }] },
      MEDIA_TYPE.ociManifest,
    ],
    ['a list', [], undefined],
    ['null', null, undefined],
    ['text', 'x', undefined],
  ])('refuses %s (CVE-2021-41190 and others)', (_what, body, told) => {
    expect(() => parseManifest(bytes(body), told)).toThrow(
      expect.objectContaining({ code: 'INVALID_MANIFEST' }),
    );
  });

  test('names the layer that is wrong', () => {
    expect(() =>
      parseManifest(
        bytes({ ...IMAGE, layers: [node('x'), { ...node('y'), size: -1 }] }),
        undefined,
      ),
    ).toThrow('Cannot read descriptor layers[1]: expected a size in whole bytes, found -1');
  });

  test('refuses schema 1 as something regi does not move', () => {
    const body = { schemaVersion: 1, fsLayers: [], history: [] };
    expect(() => parseManifest(bytes(body), undefined)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED' }),
    );
    expect(() => parseManifest(bytes(IMAGE), MEDIA_TYPE.dockerSchema1Signed)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED' }),
    );
  });

  test('refuses more entries than the limit', () => {
    const manifests = Array.from({ length: LIMITS.descriptors + 1 }, () => ({}));
    expect(() =>
      parseManifest(bytes({ schemaVersion: 2, manifests }), MEDIA_TYPE.ociIndex),
    ).toThrow(`found ${LIMITS.descriptors + 1}`);
  });

  test.each([
    ['bytes that are no text', Buffer.from([0xff, 0xfe])],
    ['half of it', bytes(IMAGE).subarray(0, 50)],
    ['nothing', new Uint8Array()],
    ['depth', Buffer.from(`{"schemaVersion":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)],
    ['a long type', bytes({ ...IMAGE, mediaType: 'x'.repeat(1_000_000) })],
  ])('refuses %s, and says so in a short line', (_what, content) => {
    const outcome = outcomeOf(() => parseManifest(content, MEDIA_TYPE.ociManifest));
    expect(outcome).toMatchObject({
      code: 'INVALID_MANIFEST',
      message: expect.stringMatching(/^.{10,600}$/s),
    });
  });

  test('returns a manifest or throws a RegiError on any JSON', () => {
    const entry = fc.oneof(fc.jsonValue(), fc.constant(CONFIG));
    const list = fc.oneof(fc.jsonValue(), fc.array(entry));
    const body = fc.record(
      {
        schemaVersion: fc.constantFrom(1, 2, '2'),
        mediaType: fc.constantFrom(...Object.values(MEDIA_TYPE), 5),
        config: entry,
        layers: list,
        manifests: list,
        subject: entry,
        annotations: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.oneof(body, fc.jsonValue()),
        fc.option(fc.constantFrom(...Object.values(MEDIA_TYPE)), { nil: undefined }),
        (value, told) => {
          expect(outcomeOf(() => parseManifest(bytes(value), told))).toBeDefined();
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('childrenOf()', () => {
  test('lists the config and layers of an image, but not its subject', () => {
    expect(childrenOf(parseManifest(bytes({ ...IMAGE, subject: node('s') }), undefined))).toEqual([
      CONFIG,
      ...LAYERS,
    ]);
  });

  test('lists the manifests of an index', () => {
    expect(childrenOf(parseManifest(bytes(INDEX), undefined))).toEqual(INDEX.manifests);
  });
});

describe('artifactTypeOf()', () => {
  test.each([
    [{ ...IMAGE, artifactType: 'application/y' }, 'application/y'],
    [{ ...IMAGE, artifactType: '' }, MEDIA_TYPE.ociConfig],
    [IMAGE, MEDIA_TYPE.ociConfig],
    [{ ...INDEX, artifactType: 'application/y' }, 'application/y'],
    [INDEX, undefined],
  ])('of manifest %# is %s', (body, type) => {
    expect(artifactTypeOf(parseManifest(bytes(body), undefined))).toBe(type);
  });
});

const IMAGE_IN_ANOTHER_CASE = JSON.stringify({
  schemaVersion: 2,
  config: {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: `sha256:${'a'.repeat(64)}`,
    size: 2,
  },
  layers: [],
});

test.each(['Layers', 'CONFIG', 'Manifests', 'mediatype', 'layer\u017f'])(
  'A22: parseManifest() refuses the member %s, which readers in Go take for another one',
  (member) => {
    const body = { schemaVersion: 2, [member]: [], ...JSON.parse(IMAGE_IN_ANOTHER_CASE) };
    expect(() => parseManifest(Buffer.from(JSON.stringify(body)), undefined)).toThrow(
      /is written in another case/,
    );
  },
);

test('A22: parseManifest() refuses such a member of a descriptor too', () => {
  const body = JSON.parse(IMAGE_IN_ANOTHER_CASE) as { config: object };
  const config = { ...body.config, Digest: `sha256:${'b'.repeat(64)}` };
  expect(() => parseManifest(Buffer.from(JSON.stringify({ ...body, config })), undefined)).toThrow(
    /"Digest" is written in another case/,
  );
});
