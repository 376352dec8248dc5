import fc from 'fast-check';
import { expect, test } from 'vitest';

import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import { guessManifestType } from '../../src/registry/manifests.ts';

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test.each([
  ['the header with parameters', `${MEDIA_TYPE.ociIndex}; charset=utf-8`, {}, MEDIA_TYPE.ociIndex],
  [
    'the body when the header says only JSON',
    'application/json',
    { mediaType: MEDIA_TYPE.dockerManifest },
    MEDIA_TYPE.dockerManifest,
  ],
  [
    'signed schema 1 as text',
    'text/plain',
    { schemaVersion: 1, signatures: [] },
    MEDIA_TYPE.dockerSchema1Signed,
  ],
  ['schema 1 as text', 'text/plain', { schemaVersion: 1 }, MEDIA_TYPE.dockerSchema1],
  ['an index by its members', undefined, { manifests: [] }, MEDIA_TYPE.ociIndex],
  ['an image by its members', undefined, { config: {}, layers: [] }, MEDIA_TYPE.ociManifest],
  [
    'another type that the body names',
    'application/json',
    { mediaType: 'application/x' },
    'application/x',
  ],
  ['another type that the header names', 'application/x', {}, 'application/x'],
])('guessManifestType() returns %s', (_, contentType, body, expected) => {
  expect(guessManifestType(contentType, bytes(body))).toBe(expected);
});

test('guessManifestType() returns undefined without any evidence', () => {
  expect([
    guessManifestType(undefined, bytes({})),
    guessManifestType('text/plain', new Uint8Array([255])),
  ]).toEqual([undefined, undefined]);
});

test('guessManifestType() never throws', () => {
  fc.assert(fc.property(fc.uint8Array(), (content) => void guessManifestType(undefined, content)));
});
