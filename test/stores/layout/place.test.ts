import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import {
  type TestImage,
  makeArtifact,
  makeBlob,
  makeImage,
  makeIndex,
} from '../../support/images/images.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { openLayoutPlace, type LayoutPlace } from '../../../src/stores/layout/place.ts';
import { storeContract } from '../../contract/store-contract.ts';
import { instantClock, realClock } from '../../support/clock.ts';
import {
  assertNoLeftovers,
  readIndexJson,
  writeLayout,
} from '../../support/images/layout-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { listAll } from '../../support/registries/watched.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const IMAGE_NAME = 'io.containerd.image.name';

storeContract('a repository of a layout', async () => {
  const folder = temporaryFolder('layout');
  const place = await openLayoutPlace(folder, { create: true, clock: realClock });
  return {
    store: place.open('team/app'),
    sibling: place.open('base'),
    close: async () => assertNoLeftovers(folder),
  };
});

storeContract(
  'the repository of bare tags',
  async () => {
    const folder = join(temporaryFolder('layout'), 'Builds');
    const place = await openLayoutPlace(folder, { create: true, clock: realClock });
    return { store: place.open('builds'), close: async () => assertNoLeftovers(folder) };
  },
  { mounts: false },
);

function open(folder: string): Promise<LayoutPlace> {
  return openLayoutPlace(folder, { create: true, clock: instantClock() });
}

/** A layout in a folder `Builds` with images under these names in its index.json. */
async function layoutOf(
  ...names: readonly (readonly [image: TestImage, ref: string, imageName?: string])[]
): Promise<LayoutPlace> {
  const folder = join(temporaryFolder('layout'), 'Builds');
  const layout = await openLayout(folder, { create: true, clock: instantClock() });
  for (const [image, ref] of names) await image.pushAll(layout, ref);
  return open(folder);
}

test('delete() of a shared layout removes content that this process has pushed', async () => {
  const folder = temporaryFolder('layout');
  const place = await openLayoutPlace(folder, { create: true, clock: realClock, isShared: true });
  const image = makeImage();
  const repository = place.open('team/app');
  await image.pushAll(repository, 'v1');
  await repository.delete(image.root);
  expect(await repository.exists(image.root)).toBe(false);
  await place.close();
});

describe('images()', () => {
  test('lists every name of the folder with its repository and tag', async () => {
    const image = makeImage();
    const place = await layoutOf(
      [image, 'v1'],
      [image, 'registry.example/team/app:2', 'registry.example/team/app:2'],
    );
    expect(await place.images()).toEqual([
      { name: 'v1', tag: 'v1', repository: undefined, root: image.root },
      {
        name: 'registry.example/team/app:2',
        tag: '2',
        repository: { domain: 'registry.example', path: 'team/app' },
        root: image.root,
      },
    ]);
  });
});

const [one, two, three] = [makeImage({ seed: 1 }), makeImage({ seed: 2 }), makeImage({ seed: 3 })];

describe('openLayoutPlace() reads', () => {
  test('full references as tags of the repository that their path names', async () => {
    const place = await layoutOf(
      [one, 'docker.io/library/debian:12'],
      [two, 'registry.example:5000/team/app:1'],
      [three, 'registry.example:5000/team/app:2'],
    );
    expect(await listAll(place.repositories())).toEqual(['library/debian', 'team/app']);
    expect(await listAll(place.open('team/app').listTags())).toEqual(['1', '2']);
    expect(await place.open('team/app').resolve('2')).toEqual(three.root);
  });

  test('bare tags as those of a repository named after the folder', async () => {
    const place = await layoutOf([one, 'v1'], [two, 'docker.io/library/debian:12']);
    expect(await listAll(place.repositories())).toEqual(['builds', 'library/debian']);
    expect(await place.open('builds').resolve('v1')).toEqual(one.root);
  });

  test("containerd's name before the tag that stands beside it", async () => {
    const entry = (image: TestImage, imageName: string) => ({
      ...image.root,
      annotations: { [REF_NAME]: 'latest', [IMAGE_NAME]: imageName },
    });
    const folder = writeLayout({
      schemaVersion: 2,
      manifests: [
        entry(one, 'docker.io/library/nginx:latest'),
        entry(two, 'docker.io/library/redis:latest'),
      ],
    });
    const place = await open(folder);
    expect(await listAll(place.repositories())).toEqual(['library/nginx', 'library/redis']);
    expect(await place.open('library/redis').resolve('latest')).toEqual(two.root);
  });

  test('the only image as latest when it has no name', async () => {
    const folder = join(temporaryFolder('layout'), 'Builds');
    await one.pushAll(await openLayout(folder, { create: true, clock: instantClock() }), '');
    expect(await (await open(folder)).open('builds').resolve('latest')).toEqual(one.root);
  });

  test('names that are no references as no names', async () => {
    const place = await layoutOf([one, 'Not/A Name'], [two, 'v1']);
    expect(await listAll(place.repositories())).toEqual(['builds']);
    expect(await place.open('builds').resolve(one.root.digest)).toEqual(one.root);
  });

  test('a name without repositories as one without tags', async () => {
    const place = await layoutOf([one, 'v1']);
    expect(await listAll(place.open('absent').listTags())).toEqual([]);
    await expect(place.open('absent').resolve('v1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('one tag twice with different images as a mistake', async () => {
    const entry = ({ root }: TestImage) => ({
      ...root,
      annotations: { [REF_NAME]: 'docker.io/library/nginx:1' },
    });
    const place = await open(
      writeLayout({ schemaVersion: 2, manifests: [entry(one), entry(two)] }),
    );
    await expect(place.open('library/nginx').resolve('1')).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('openLayoutPlace() of two registries with one path', () => {
  const names = [
    [one, 'docker.io/team/app:1'],
    [two, 'registry.example:5000/team/app:1'],
  ] as const;

  test('serves both with their hosts', async () => {
    const place = await layoutOf(...names);
    expect(await listAll(place.repositories())).toEqual([
      'docker.io/team/app',
      'registry.example-5000/team/app',
    ]);
    expect(await place.open('registry.example-5000/team/app').resolve('1')).toEqual(two.root);
  });

  test('chooses by the namespace', async () => {
    const place = await layoutOf(...names);
    const resolve = async (namespace: string) =>
      place.open(place.repositoryFor('team/app', namespace)).resolve('1');
    expect([
      await resolve('docker.io'),
      await resolve('registry-1.docker.io'),
      await resolve('registry.example:5000'),
    ]).toEqual([one.root, one.root, two.root]);
    await expect(resolve('other.example')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('does not guess when neither registry is named', async () => {
    const place = await layoutOf(...names);
    await expect(place.open('team/app').resolve('1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('serves the pushed image when neither registry is named', async () => {
    const place = await layoutOf(...names);
    await three.pushAll(place.open('team/app'), '1');
    expect(await place.open('team/app').resolve('1')).toEqual(three.root);
    expect(await listAll(place.repositories())).toContain('localhost/team/app');
  });
});

describe('repositoryFor()', () => {
  test('gives nothing of another registry than the namespace', async () => {
    const place = await layoutOf([one, 'registry.example/library/debian:12']);
    await expect(
      place.open(place.repositoryFor('library/debian', 'docker.io')).resolve('12'),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('serves the pushed image for any namespace', async () => {
    const place = await layoutOf();
    await one.pushAll(place.open('library/debian'), '12');
    expect(
      await place.open(place.repositoryFor('library/debian', 'docker.io')).resolve('12'),
    ).toEqual(one.root);
  });
});

describe('openLayoutPlace() writes', () => {
  const written = (folder: string) =>
    readIndexJson(folder).manifests.map(({ annotations }) => annotations?.[REF_NAME]);

  async function pushed(
    existing: string | undefined,
    repository: string,
    tag: string,
  ): Promise<readonly (string | undefined)[]> {
    const folder = join(temporaryFolder('layout'), 'Builds');
    if (existing !== undefined)
      await one.pushAll(
        await openLayout(folder, { create: true, clock: instantClock() }),
        existing,
      );
    await two.pushAll((await open(folder)).open(repository), tag);
    expect(await (await open(folder)).open(repository).resolve(tag)).toEqual(two.root);
    return written(folder);
  }

  test.each([
    ['a new repository as one of localhost', undefined, 'team/app', '1', ['localhost/team/app:1']],
    ['the repository of the folder as a bare tag', undefined, 'builds', '1', ['1']],
    [
      'another tag of a repository under its registry',
      'docker.io/library/debian:12',
      'library/debian',
      '13',
      ['docker.io/library/debian:12', 'docker.io/library/debian:13'],
    ],
    [
      'the same tag over the existing one',
      'docker.io/library/debian:12',
      'library/debian',
      '12',
      ['docker.io/library/debian:12'],
    ],
    [
      'a tag of the repository of the folder over its full name',
      'localhost/builds:1',
      'builds',
      '1',
      ['localhost/builds:1'],
    ],
    [
      'a host as a part of the name',
      undefined,
      'ghcr.io/team/app',
      '1',
      ['localhost/ghcr.io/team/app:1'],
    ],
  ])('%s', async (_what, existing, repository, tag, expected) => {
    expect(await pushed(existing, repository, tag)).toEqual(expected);
  });

  test('a name for containerd beside a full reference', async () => {
    const folder = temporaryFolder('layout');
    await one.pushAll((await open(folder)).open('team/app'), '1');
    expect(readIndexJson(folder).manifests[0]?.annotations).toEqual({
      [REF_NAME]: 'localhost/team/app:1',
      [IMAGE_NAME]: 'localhost/team/app:1',
    });
  });

  test('the tags of many at once', async () => {
    const folder = temporaryFolder('layout');
    const [first, second] = [await open(folder), await open(folder)];
    await one.pushAll(first.open('app'));
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        (at % 2 === 0 ? first : second).open('app').tag(one.root, `v${at}`),
      ),
    );
    expect(await listAll(first.open('app').listTags())).toHaveLength(20);
    assertNoLeftovers(folder);
  });
});

describe('delete() of a repository of a layout', () => {
  test('leaves an image that another repository names', async () => {
    const place = await layoutOf();
    await one.pushAll(place.open('a'), '1');
    await one.pushAll(place.open('b'), '1');
    await place.open('a').delete(one.root);
    await expect(place.open('a').resolve('1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await place.open('b').resolve('1')).toEqual(one.root);
    expect(await place.open('b').exists(one.root)).toBe(true);
  });

  test('refuses content that a remaining image needs', async () => {
    const place = await layoutOf();
    const index = makeIndex();
    await index.pushAll(place.open('a'), '1');
    for (const { descriptor } of index.nodes.values()) {
      if (descriptor.digest === index.root.digest) continue;
      await expect(place.open('a').delete(descriptor)).rejects.toMatchObject({ code: 'REFUSED' });
      expect(await place.open('a').exists(descriptor)).toBe(true);
    }
  });

  test('removes blobs that no image needs', async () => {
    const place = await layoutOf();
    const { descriptor, bytes } = makeBlob(100);
    await place.open('a').push(descriptor, bytesOf(bytes));
    await place.open('a').delete(descriptor);
    expect(await place.open('b').exists(descriptor)).toBe(false);
  });

  test('removes a referrer', async () => {
    const place = await layoutOf([one, 'v1']);
    const artifact = makeArtifact({ subject: one.root });
    const store = place.open('builds');
    await artifact.pushAll(store);
    expect(await listAll(store.listReferrers(one.root))).toHaveLength(1);
    await store.delete(artifact.root);
    expect(await listAll(store.listReferrers(one.root))).toEqual([]);
  });

  test('still lists a repository without names', async () => {
    const place = await layoutOf();
    await one.pushAll(place.open('a'), '1');
    await place.open('a').untag('1');
    expect(await listAll(place.repositories())).toEqual(['a']);
  });
});
