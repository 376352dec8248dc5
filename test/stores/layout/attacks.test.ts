import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import type { RegiError } from '../../../src/errors.ts';
import { LIMITS } from '../../../src/limits.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import { openLayout, type LayoutStore } from '../../../src/stores/layout/oci-layout.ts';
import { makeArtifact, makeBlob, makeImage } from '../../support/images/images.ts';
import { instantClock } from '../../support/clock.ts';
import { blobPath, writeBlob, writeLayout } from '../../support/images/layout-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { listAll, readAll } from '../../support/registries/watched.ts';

const { descriptor, bytes } = makeBlob(1000);
const REF_NAME = 'org.opencontainers.image.ref.name';

function open(folder: string): Promise<LayoutStore> {
  return openLayout(folder, { create: false, clock: instantClock() });
}

let folder: string;
let store: LayoutStore;

beforeEach(async () => {
  folder = writeLayout({ schemaVersion: 2, manifests: [] });
  store = await open(folder);
});

describe('lay-symlink', () => {
  beforeEach(() => {
    const elsewhere = join(temporaryFolder('elsewhere'), 'blob');
    writeFileSync(elsewhere, bytes);
    symlinkSync(elsewhere, blobPath(folder, descriptor.digest));
  });

  test('fetch() follows no symbolic link', async () => {
    await expect(readAll(store.fetch(descriptor))).rejects.toMatchObject({ code: 'REFUSED' });
  });

  test('exists() reveals nothing about the target of a symbolic link', async () => {
    await expect(store.exists(descriptor)).rejects.toMatchObject({ code: 'REFUSED' });
  });

  test('push() writes through no symbolic link', async () => {
    await expect(store.push(descriptor, bytesOf(bytes))).rejects.toMatchObject({ code: 'REFUSED' });
  });

  test('resolve() reads no manifest through a symbolic link', async () => {
    await expect(store.resolve(descriptor.digest)).rejects.toMatchObject({ code: 'REFUSED' });
  });
});

describe.each([
  ['blobs', ['blobs']],
  ['blobs/sha256', ['blobs', 'sha256']],
])('lay-symlink: %s is a symbolic link', (_, path) => {
  beforeEach(() => {
    const elsewhere = join(temporaryFolder('elsewhere'), 'moved');
    renameSync(join(folder, ...path), elsewhere);
    symlinkSync(elsewhere, join(folder, ...path));
  });

  test.each([
    ['fetch()', () => readAll(store.fetch(descriptor))],
    ['exists()', () => store.exists(descriptor)],
    ['push()', () => store.push(descriptor, bytesOf(bytes))],
    ['delete()', () => store.delete(descriptor)],
  ])('%s refuses', async (_name, call) => {
    await expect(call()).rejects.toMatchObject({ code: 'REFUSED' });
  });
});

describe('lay-fifo', () => {
  test.each([
    ['fetch()', () => readAll(store.fetch(descriptor))],
    ['exists()', () => store.exists(descriptor)],
    ['push()', () => store.push(descriptor, bytesOf(bytes))],
  ])('%s refuses a named pipe and does not hang', async (_, call) => {
    execFileSync('mkfifo', [blobPath(folder, descriptor.digest)]);
    await expect(call()).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('a named pipe'),
    });
  });

  test('fetch() refuses a folder', async () => {
    mkdirSync(blobPath(folder, descriptor.digest));
    await expect(readAll(store.fetch(descriptor))).rejects.toMatchObject({ code: 'REFUSED' });
  });

  test('fetch() refuses a socket', async () => {
    // The path of a socket is bound short; a hard link gives it the long name.
    const path = join(temporaryFolder('socket'), 's');
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(path, resolve);
    });
    linkSync(path, blobPath(folder, descriptor.digest));
    await expect(readAll(store.fetch(descriptor))).rejects.toMatchObject({ code: 'REFUSED' });
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });

  test.each(['index.json', 'oci-layout'])(
    'openLayout() refuses when %s is a named pipe',
    async (name) => {
      rmSync(join(folder, name));
      execFileSync('mkfifo', [join(folder, name)]);
      await expect(open(folder)).rejects.toMatchObject({ code: 'REFUSED' });
    },
  );

  test.each(['index.json', 'oci-layout'])(
    'openLayout() refuses when %s is a symbolic link',
    async (name) => {
      renameSync(join(folder, name), join(folder, 'moved'));
      symlinkSync('moved', join(folder, name));
      await expect(open(folder)).rejects.toMatchObject({ code: 'REFUSED' });
    },
  );
});

describe('dig-everywhere: index.json', () => {
  test.each([
    'sha256:../../../../etc/passwd',
    '../../etc/passwd',
    `sha256:${'A'.repeat(64)}`,
    `sha256:${'a'.repeat(63)}/`,
    `../sha256:${'a'.repeat(64)}`,
    `sha256/..:${'a'.repeat(64)}`,
    `constructor:${'a'.repeat(64)}`,
    '',
    7,
  ])('resolve() refuses the digest %s', async (digest) => {
    const layout = await open(
      writeLayout({
        schemaVersion: 2,
        manifests: [{ ...descriptor, digest, annotations: { [REF_NAME]: 'v1' } }],
      }),
    );
    await expect(layout.resolve('v1')).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    await expect(layout.resolve('')).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
  });

  test.each([-1, 1e308, '12', 2 ** 53, 0.5, null])(
    'resolve() refuses the size %s',
    async (size) => {
      const layout = await open(
        writeLayout({
          schemaVersion: 2,
          manifests: [{ ...descriptor, size, annotations: { [REF_NAME]: 'v1' } }],
        }),
      );
      await expect(layout.resolve('v1')).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    },
  );

  test('resolve() finds the images beside a bad entry', async () => {
    const { root } = makeImage();
    const manifests = [
      { ...descriptor, digest: 'bad', annotations: { [REF_NAME]: 'bad' } },
      { ...root, annotations: { [REF_NAME]: 'v1' } },
    ];
    expect(await (await open(writeLayout({ schemaVersion: 2, manifests }))).resolve('v1')).toEqual(
      root,
    );
  });

  test('resolve() refuses a reference with a bad digest', async () => {
    await expect(store.resolve('v1@sha256:../../etc/passwd')).rejects.toMatchObject({
      code: 'INVALID_DIGEST',
    });
  });
});

describe('man-lie-annotations', () => {
  test.each(['../../x', '/etc/passwd', 'C:\\x', '-x', '.', '__proto__'])(
    'a name like %s is a name and no path',
    async (name) => {
      const image = makeImage();
      await image.pushAll(store, name);
      expect([await store.resolve(name), await listAll(store.listTags())]).toEqual([
        image.root,
        [name],
      ]);
    },
  );

  test('control characters of names are not printed', async () => {
    await makeImage().pushAll(store, 'a\n\u001b[31m\u202e');
    const hint = await store.resolve('v1').then(
      () => 'no error',
      (error: RegiError) => error.hint ?? '',
    );
    expect(['\n', '\u001b', '\u202e'].filter((character) => hint.includes(character))).toEqual([]);
  });
});

describe('tar-oci-layout: the files of a layout', () => {
  test.each(['1.0.1', '2.0.0', 1, null, undefined])(
    'openLayout() refuses the version %s',
    async (version) => {
      const layout = writeLayout({ schemaVersion: 2, manifests: [] }, { version: version ?? null });
      await expect(open(layout)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    },
  );

  test.each(['', '{', '[]', 'null', '"1.0.0"'])(
    'openLayout() refuses an oci-layout that is %j',
    async (text) => {
      writeFileSync(join(folder, 'oci-layout'), text);
      await expect(open(folder)).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    },
  );

  test.each([
    '',
    '{',
    '[]',
    '{"manifests":{}}',
    '{"manifests":[1]}',
    '{"schemaVersion":1}',
    '{"manifests":[],"layers":[]}',
    '\u0000',
  ])('openLayout() refuses an index.json that is %j', async (text) => {
    await expect(open(writeLayout(text))).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
  });

  test.each(['{}', '{"manifests":null}', '{"schemaVersion":2}'])(
    'openLayout() takes an index.json that is %j for an empty one',
    async (text) => {
      expect(await listAll((await open(writeLayout(text))).listTags())).toEqual([]);
    },
  );

  test('openLayout() says that index.json is missing', async () => {
    rmSync(join(folder, 'index.json'));
    await expect(open(folder)).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
  });

  test('openLayout() does not read an index.json over 4 MiB', async () => {
    truncateSync(join(folder, 'index.json'), LIMITS.manifestBytes + 1);
    await expect(open(folder)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  test('openLayout() refuses an index.json of too many entries', async () => {
    const layout = writeLayout({
      schemaVersion: 2,
      manifests: Array.from({ length: LIMITS.descriptors + 1 }, () => ({})),
    });
    await expect(open(layout)).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
  });

  test('fetch() fails with NOT_FOUND when the blob of an entry is missing', async () => {
    const layout = await open(writeLayout({ schemaVersion: 2, manifests: [descriptor] }));
    await expect(readAll(layout.fetch(await layout.resolve('')))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('man-nested-index', () => {
  /** An index in an index, `depth` times, with a referrer of `subject` in the innermost. */
  function nest(depth: number): Descriptor {
    let node: Descriptor = artifact.root;
    for (let level = 0; level < depth; level += 1) {
      const index = Buffer.from(
        JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: [node] }),
      );
      node = {
        mediaType: MEDIA_TYPE.ociIndex,
        digest: writeBlob(folder, index),
        size: index.byteLength,
      };
    }
    return node;
  }

  const subject = makeImage().root;
  const artifact = makeArtifact({ subject });

  test.each([
    [LIMITS.indexDepth, 1],
    [100, 0],
  ])('listReferrers() in %i nested indexes finds %i', async (depth, found) => {
    await artifact.pushAll(store);
    writeFileSync(
      join(folder, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [nest(depth)] }),
    );
    expect(await listAll(store.listReferrers(subject))).toHaveLength(found);
  });

  test('listReferrers() fails with CONTENT_MISMATCH when an index has another digest', async () => {
    const index = nest(1);
    writeFileSync(blobPath(folder, index.digest), ' '.repeat(index.size));
    writeFileSync(
      join(folder, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [index] }),
    );
    await expect(listAll(store.listReferrers(subject))).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
  });
});
