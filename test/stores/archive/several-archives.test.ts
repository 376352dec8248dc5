import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { openArchives, type ArchivePlace } from '../../../src/stores/archive/archive.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { json, layoutMembers } from '../../support/images/archives.ts';
import { afterFile } from '../../support/cleanup.ts';
import { makeImage } from '../../support/images/images.ts';
import { blobPath } from '../../support/images/layout-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { writeTar } from '../../support/images/tar-builder.ts';
import { listAll, readAll } from '../../support/registries/watched.ts';

const [one, two] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
const [layer = one.root] = one.layers;

async function open(paths: readonly string[], notices: string[] = []): Promise<ArchivePlace> {
  const place = await openArchives(paths, {
    tempFolder: tmpdir(),
    onNotice: (message) => notices.push(message),
  });
  afterFile(() => place.close());
  return place;
}

describe('openArchives()', () => {
  test('gives the repositories and tags of all', async () => {
    const place = await open([
      writeTar(layoutMembers([{ image: one, fullName: 'a.example/app:1' }])),
      writeTar(
        layoutMembers([
          { image: two, fullName: 'a.example/app:2' },
          { image: two, fullName: 'a.example/other:1' },
        ]),
      ),
    ]);
    expect(await listAll(place.repositories())).toEqual(['app', 'other']);
    expect(await listAll(place.open('app').listTags())).toEqual(['1', '2']);
    expect([await place.open('app').resolve('1'), await place.open('app').resolve('2')]).toEqual([
      one.root,
      two.root,
    ]);
  });

  test('reads each node from the archive that has it', async () => {
    const omitted = json('regi-omitted.json', {
      regi: 'omitted',
      version: 1,
      blobs: [{ digest: layer.digest, size: layer.size, repositories: [] }],
    });
    const place = await open([
      writeTar([
        ...layoutMembers([{ image: one, fullName: 'a.example/app:2' }], [layer.digest]),
        omitted,
      ]),
      writeTar(layoutMembers([{ image: one, fullName: 'a.example/base:1' }])),
    ]);
    for (const { descriptor, bytes } of one.nodes.values())
      expect(await readAll(place.open('app').fetch(descriptor))).toEqual(bytes);
    expect(place.omitted).toEqual([]);
  });

  test('lists the layers that none of them carries', async () => {
    const record = {
      regi: 'omitted',
      version: 1,
      blobs: [{ digest: layer.digest, size: layer.size, repositories: ['a.example/base'] }],
    };
    const delta = writeTar([
      ...layoutMembers([{ image: one, fullName: 'a.example/app:2' }], [layer.digest]),
      json('regi-omitted.json', record),
    ]);
    const place = await open([
      delta,
      writeTar(layoutMembers([{ image: two, fullName: 'a.example/other:1' }])),
    ]);
    expect(place.omitted).toEqual([
      { digest: layer.digest, size: layer.size, repositories: ['a.example/base'] },
    ]);
  });

  test('takes image layout folders too', async () => {
    const folder = join(temporaryFolder('several'), 'app');
    const layout = await openLayout(folder, { create: true });
    await two.pushAll(layout, 'a.example/app:2');
    const place = await open([
      writeTar(layoutMembers([{ image: one, fullName: 'a.example/app:1' }])),
      folder,
    ]);
    expect(await listAll(place.open('app').listTags())).toEqual(['1', '2']);
    for (const { descriptor, bytes } of two.nodes.values())
      expect(await readAll(place.open('app').fetch(descriptor))).toEqual(bytes);
  });

  test('finds no bytes of a folder that lost them since', async () => {
    const folder = join(temporaryFolder('several'), 'app');
    await one.pushAll(await openLayout(folder, { create: true }), '1');
    const place = await open([folder]);
    rmSync(blobPath(folder, layer.digest));
    await expect(readAll(place.open('app').fetch(layer))).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
  });

  test('serves the only image, when it has no name, as that of the file and latest', async () => {
    const place = await open([writeTar(layoutMembers([{ image: one }]))]);
    const [repository = ''] = await listAll(place.repositories());
    expect(await listAll(place.open(repository).listTags())).toEqual(['latest']);
    expect(await place.open(repository).resolve('latest')).toEqual(one.root);
    expect(await place.images()).toMatchObject([{ name: undefined, tag: undefined }]);
  });

  test('a name of two archives means the image of the last, with a notice', async () => {
    const notices: string[] = [];
    const paths = [one, two].map((image) =>
      writeTar(layoutMembers([{ image, refName: '1', fullName: 'a.example/app:1' }])),
    );
    const place = await open(paths, notices);
    expect(await place.open('app').resolve('1')).toEqual(two.root);
    expect(notices).toEqual([expect.stringContaining('"a.example/app:1"')]);
  });

  test('closes all when one cannot be opened', async () => {
    const good = writeTar(layoutMembers([{ image: one, refName: '1' }]));
    await expect(open([good, '/nothing/there.tar'])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
