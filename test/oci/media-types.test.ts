import { describe, expect, test } from 'vitest';

import {
  essence,
  isForeignLayerType,
  isImageManifestType,
  isIndexType,
  isManifestType,
  isSchema1Type,
  MANIFEST_ACCEPT,
  MEDIA_TYPE,
} from '../../src/oci/media-types.ts';

describe('isManifestType()', () => {
  test.each([MEDIA_TYPE.ociIndex, MEDIA_TYPE.dockerManifestList])('knows the index %s', (type) => {
    expect([
      isManifestType(type),
      isIndexType(type),
      isImageManifestType(type),
      isSchema1Type(type),
    ]).toEqual([true, true, false, false]);
  });

  test.each([MEDIA_TYPE.ociManifest, MEDIA_TYPE.dockerManifest])(
    'knows the image manifest %s',
    (type) => {
      expect([
        isManifestType(type),
        isIndexType(type),
        isImageManifestType(type),
        isSchema1Type(type),
      ]).toEqual([true, false, true, false]);
    },
  );

  test.each([MEDIA_TYPE.dockerSchema1, MEDIA_TYPE.dockerSchema1Signed])(
    'knows the old manifest %s',
    (type) => {
      expect([
        isManifestType(type),
        isIndexType(type),
        isImageManifestType(type),
        isSchema1Type(type),
      ]).toEqual([true, false, false, true]);
    },
  );

  test.each([MEDIA_TYPE.ociConfig, MEDIA_TYPE.ociEmpty, 'application/json', '', 'toString'])(
    'knows no manifest in %j',
    (type) => {
      expect(isManifestType(type)).toBe(false);
    },
  );
});

describe('MANIFEST_ACCEPT', () => {
  test('asks for every manifest type, and for schema 1 last', () => {
    const types = MANIFEST_ACCEPT.split(', ');
    expect(types.every(isManifestType)).toBe(true);
    expect(types.map(isSchema1Type)).toEqual([...Array(6).fill(false), true, true]);
  });
});

describe('isForeignLayerType()', () => {
  test.each([
    'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    'application/vnd.docker.image.rootfs.foreign.diff.tar',
    'application/vnd.oci.image.layer.nondistributable.v1.tar',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
  ])('is true of %s', (type) => {
    expect(isForeignLayerType(type)).toBe(true);
  });

  test.each([
    'application/vnd.oci.image.layer.v1.tar+gzip',
    'application/vnd.docker.image.rootfs.diff.tar.gzip',
    '',
  ])('is false of %j', (type) => {
    expect(isForeignLayerType(type)).toBe(false);
  });
});

describe('essence()', () => {
  test.each([
    ['Application/JSON; charset=utf-8', 'application/json'],
    [' text/plain ', 'text/plain'],
    ['', ''],
    [';', ''],
  ])('of %j is %j', (contentType, type) => {
    expect(essence(contentType)).toBe(type);
  });
});
