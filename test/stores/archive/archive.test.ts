import { readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { digestOf, encodedOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import { json, layoutMembers, openForTest } from '../../support/images/archives.ts';
import {
  makeArtifact,
  makeBlob,
  makeImage,
  makeIndex,
  type TestImageManifest,
} from '../../support/images/images.ts';
import { buildTar, writeTar, type TarMember } from '../../support/images/tar-builder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { listAll, readAll } from '../../support/registries/watched.ts';

const image = makeImage();
const other = makeImage({ seed: 7 });

function bytesAt(of: TestImageManifest, at: number): Uint8Array {
  const digest = of.layers[at]?.digest;
  return (digest === undefined ? undefined : of.nodes.get(digest)?.bytes) ?? new Uint8Array();
}

/**
 * What docker save wrote before version 25: layers unpacked, one of them a link to where another
 * image has it.
 */
function dockerMembers(
  of: TestImageManifest,
  tags: readonly string[] | null,
): readonly TarMember[] {
  const config = of.nodes.get(of.config.digest)?.bytes ?? new Uint8Array();
  const name = `${encodedOf(of.config.digest)}.json`;
  return [
    { name: './first/layer.tar', content: gunzipSync(bytesAt(of, 0)) },
    { name: './base/layer.tar', content: gunzipSync(bytesAt(of, 1)) },
    { name: './second/layer.tar', typeflag: '2', link: '../base/layer.tar' },
    { name, content: config },
    json('manifest.json', [
      { Config: name, RepoTags: tags, Layers: ['first/layer.tar', 'second/layer.tar'] },
    ]),
  ];
}

describe('an image layout in a tar', () => {
  test.each([
    ['1.0'],
    ['registry.example/team/app:1.0'],
    [image.root.digest],
    [''],
    [`x:1@${image.root.digest}`],
  ])('resolve() finds "%s"', async (reference) => {
    const archive = await openForTest(
      writeTar(
        layoutMembers([{ image, refName: '1.0', fullName: 'registry.example/team/app:1.0' }]),
      ),
    );
    expect(await archive.open('').resolve(reference)).toEqual(image.root);
  });

  test('resolve() takes the familiar form of a full name', async () => {
    const archive = await openForTest(
      writeTar(layoutMembers([{ image, refName: '3', fullName: 'docker.io/library/alpine:3' }])),
    );
    expect(await archive.open('').resolve('alpine:3')).toEqual(image.root);
  });

  test('fetch() gives the bytes of every node, from any offset', async () => {
    const store = (await openForTest(writeTar(layoutMembers([{ image }])))).open('');
    for (const { descriptor, bytes } of image.nodes.values()) {
      expect(await readAll(store.fetch(descriptor))).toEqual(bytes);
      expect(await readAll(store.fetch(descriptor, { offset: 5 }))).toEqual(bytes.slice(5));
    }
  });

  test('a blob that is missing does not exist, and cannot be fetched', async () => {
    const [layer] = image.layers;
    const store = (
      await openForTest(
        writeTar(layoutMembers([{ image }], layer === undefined ? [] : [layer.digest])),
      )
    ).open('');
    expect(await store.exists(layer ?? image.root)).toBe(false);
    await expect(readAll(store.fetch(layer ?? image.root))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('resolve() of one tag in two repositories needs the full name', async () => {
    const members = layoutMembers([
      { image, refName: '1', fullName: 'a.example/app:1' },
      { image: other, refName: '1', fullName: 'b.example/app:1' },
    ]);
    const store = (await openForTest(writeTar(members))).open('');
    await expect(store.resolve('1')).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('b.example/app:1'),
    });
    expect(await store.resolve('b.example/app:1')).toEqual(other.root);
  });

  test('resolve() gives the only platform that is carried, and says so', async () => {
    const index = makeIndex();
    const [, absent] = index.images;
    const told: string[] = [];
    const path = writeTar(
      layoutMembers(
        [{ image: index, refName: '1' }],
        absent === undefined ? [] : [...absent.nodes.keys()],
      ),
    );
    const store = (await openForTest(path, { onNotice: (message) => told.push(message) })).open('');
    expect([await store.resolve('1'), await store.resolve(index.root.digest)]).toEqual([
      index.images[0]?.root,
      index.root,
    ]);
    expect(told).toEqual([
      expect.stringContaining('lists 2 platforms and carries only linux/amd64'),
    ]);
  });

  test('resolve() gives a whole index as it is', async () => {
    const index = makeIndex({ attestations: true });
    const store = (
      await openForTest(writeTar(layoutMembers([{ image: index, refName: '1' }])))
    ).open('');
    expect(await store.resolve('1')).toEqual(index.root);
  });

  test('listReferrers() finds the referrers of an image', async () => {
    const artifact = makeArtifact({ subject: image.root });
    const store = (
      await openForTest(writeTar(layoutMembers([{ image, refName: '1' }, { image: artifact }])))
    ).open('');
    expect((await listAll(store.listReferrers(image.root))).map(({ digest }) => digest)).toEqual([
      artifact.root.digest,
    ]);
    expect(await store.resolve('')).toEqual(image.root);
  });

  test('a folder around the layout is no hindrance', async () => {
    const members = layoutMembers([{ image, refName: '1' }]).map((member) => ({
      ...member,
      name: `./images/${member.name}`,
    }));
    expect(await (await openForTest(writeTar(members))).open('').resolve('1')).toEqual(image.root);
  });

  test('push() and tag() are refused', async () => {
    const store = (await openForTest(writeTar(layoutMembers([{ image }])))).open('');
    const { descriptor, bytes } = makeBlob(10);
    await expect(store.push(descriptor, bytesOf(bytes))).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
    await expect(store.tag(image.root, 'x')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('repositories are served by their paths, with their own tags', async () => {
    const members = layoutMembers([
      { image, refName: '1', fullName: 'docker.io/library/debian:1' },
      { image: other, refName: '1', fullName: 'a.example/team/app:1' },
    ]);
    const archive = await openForTest(writeTar(members));
    expect(await listAll(archive.repositories())).toEqual(['library/debian', 'team/app']);
    expect([
      await archive.open('team/app').resolve('1'),
      await listAll(archive.open('library/debian').listTags()),
    ]).toEqual([other.root, ['1']]);
    await expect(archive.open('team/other').resolve('1')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('images() lists names as they are', async () => {
    const members = layoutMembers([
      { image, refName: '1', fullName: 'docker.io/library/debian:1' },
      { image: other, refName: 'only-a-tag' },
      { image: makeImage({ seed: 3 }) },
    ]);
    const found = await (await openForTest(writeTar(members))).images();
    expect(found.map(({ name, tag, repository }) => [name, tag, repository?.path])).toEqual([
      ['docker.io/library/debian:1', '1', 'library/debian'],
      ['only-a-tag', 'only-a-tag', undefined],
      [undefined, undefined, undefined],
    ]);
  });
});

describe('an archive of docker save before version 25', () => {
  test('becomes a docker manifest of the stored layers, always with the same digest', async () => {
    const path = writeTar(dockerMembers(image, ['team/app:1', 'registry.example/app:2']));
    const archive = await openForTest(path);
    const store = archive.open('');
    const root = await store.resolve('1');
    const manifest = JSON.parse(Buffer.from(await readAll(store.fetch(root))).toString()) as {
      config: { digest: string };
      layers: { mediaType: string; digest: string; size: number }[];
    };
    expect(archive.format).toBe('docker');
    expect(root.mediaType).toBe(MEDIA_TYPE.dockerManifest);
    expect(manifest.config.digest).toBe(image.config.digest);
    expect(manifest.layers).toEqual(
      [0, 1].map((at) => {
        const tar = gunzipSync(bytesAt(image, at));
        return {
          mediaType: 'application/vnd.docker.image.rootfs.diff.tar',
          digest: digestOf(tar),
          size: tar.byteLength,
        };
      }),
    );
    expect(await (await openForTest(path)).open('').resolve('registry.example/app:2')).toEqual(
      root,
    );
  });

  test('keeps compressed layers as they are', async () => {
    const name = `${encodedOf(image.config.digest)}.json`;
    const members = [
      { name, content: image.nodes.get(image.config.digest)?.bytes },
      { name: 'a.tar.gz', content: bytesAt(image, 0) },
      { name: 'b.tar.gz', content: bytesAt(image, 1) },
      json('manifest.json', [{ Config: name, RepoTags: null, Layers: ['a.tar.gz', 'b.tar.gz'] }]),
    ];
    const store = (await openForTest(writeTar(members))).open('');
    const { layers } = JSON.parse(
      Buffer.from(await readAll(store.fetch(await store.resolve('')))).toString(),
    ) as {
      layers: { mediaType: string; digest: string }[];
    };
    expect(layers.map(({ mediaType, digest }) => [mediaType, digest])).toEqual(
      image.layers.map(({ digest }) => [
        'application/vnd.docker.image.rootfs.diff.tar.gzip',
        digest,
      ]),
    );
  });

  test('is read by its manifest.json on request, although it has a layout too', async () => {
    const both = [...layoutMembers([{ image, refName: '1' }]), ...dockerMembers(image, ['app:1'])];
    const path = writeTar(both);
    expect([
      (await openForTest(path)).format,
      (await openForTest(path, { format: 'docker' })).format,
    ]).toEqual(['oci', 'docker']);
  });

  test('is refused when layers and diff_ids differ in number', async () => {
    const members = dockerMembers(image, null).map((member) =>
      member.name === 'manifest.json'
        ? json('manifest.json', [
            { Config: `${encodedOf(image.config.digest)}.json`, Layers: ['first/layer.tar'] },
          ])
        : member,
    );
    await expect(openForTest(writeTar(members))).rejects.toMatchObject({
      code: 'INVALID_ARCHIVE',
      message: expect.stringContaining('diff_ids (2), found 1'),
    });
  });
});

describe('openArchive()', () => {
  const tar = buildTar(layoutMembers([{ image, refName: '1' }]));

  test.each([
    ['a gzip file', gzipSync(tar)],
    [
      'a gzip file of several members',
      Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
    ],
  ])('openArchive() reads %s through a copy without a name', async (_, bytes) => {
    const tempFolder = temporaryFolder('spool');
    const told: string[] = [];
    const archive = await openForTest(writeTar(bytes, 'images.tgz'), {
      tempFolder,
      onUnpack: (reason) => told.push(reason),
    });
    expect([await archive.open('').resolve('1'), readdirSync(tempFolder), told.length]).toEqual([
      image.root,
      [],
      1,
    ]);
  });

  test('openArchive() reads standard input', async () => {
    const archive = await openForTest('-', {
      input: bytesOf(tar),
      tempFolder: temporaryFolder('spool'),
    });
    expect(await archive.open('').resolve('1')).toEqual(image.root);
  });

  test('openArchive() follows a link in its path', async () => {
    const link = join(temporaryFolder('link'), 'latest.tar');
    symlinkSync(writeTar(tar), link);
    expect(await (await openForTest(link)).open('').resolve('1')).toEqual(image.root);
  });

  test('openArchive() unpacks nothing of a plain tar', async () => {
    const tempFolder = join(temporaryFolder('spool'), 'not-there');
    expect(await (await openForTest(writeTar(tar), { tempFolder })).open('').resolve('1')).toEqual(
      image.root,
    );
  });

  test.each([
    ['nothing', join(temporaryFolder(), 'absent.tar'), 'NOT_FOUND'],
    ['a folder', temporaryFolder(), 'NOT_FOUND'],
  ])('openArchive() fails when there is %s', async (_, path, code) => {
    await expect(openForTest(path)).rejects.toMatchObject({ code });
  });

  test.each([
    ['a text', Buffer.from('hello '.repeat(200)), 'a tar, plain or packed'],
    ['an empty file', Buffer.alloc(0), 'succeeded'],
    [
      'a root file system',
      buildTar([
        { name: './etc/passwd' },
        { name: './usr/bin/env' },
        { name: './bin', typeflag: '2', link: 'usr/bin' },
      ]),
      'docker save',
    ],
    ['something else', buildTar([{ name: 'notes.txt' }]), 'notes.txt'],
    [
      'a layout without oci-layout',
      buildTar([json('index.json', { schemaVersion: 2, manifests: [] })]),
      'oci-layout',
    ],
  ])('openArchive() explains the fault of %s', async (_, bytes, hint) => {
    await expect(openForTest(writeTar(bytes))).rejects.toMatchObject({
      code: 'INVALID_ARCHIVE',
      hint: expect.stringContaining(hint),
    });
  });

  test('openArchive() rejects with the reason when the signal has aborted', async () => {
    const reason = new Error('stop');
    await expect(openForTest(writeTar(tar), { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });
});
