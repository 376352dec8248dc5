import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import {
  archiveAt,
  copyImages,
  createMemoryPlace,
  createMemoryStore,
  exportImages,
  openArchives,
  parseReference,
  systemClock,
  type ExportJob,
} from '../src/index.ts';
import { VERSION } from '../src/version.ts';
import { makeIndex } from './support/images/images.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

test('a program copies an image with the exports of the library', async () => {
  const image = makeIndex();
  const source = createMemoryStore();
  await image.pushAll(source, '1.0');
  const { path } = parseReference('registry.example/team/app');
  const destination = createMemoryPlace('there').open(path);

  for await (const copied of copyImages([
    { source, reference: '1.0', destination, tag: '1.0', image: path },
  ])) {
    expect(copied.root.digest).toBe(image.root.digest);
  }

  expect((await destination.resolve('1.0')).digest).toBe(image.root.digest);
});

test('a program writes an archive and reads it with the exports of the library', async () => {
  const image = makeIndex();
  const source = createMemoryStore();
  await image.pushAll(source, '1.0');
  const folder = temporaryFolder('library');
  const path = join(folder, 'images.tar');
  async function* jobs(): AsyncGenerator<ExportJob> {
    yield {
      source,
      reference: '1.0',
      name: parseReference('registry.example/team/app:1.0'),
      image: 'app',
    };
  }

  await exportImages(jobs(), archiveAt(path, { clock: systemClock }));
  const archive = await openArchives([path], { tempFolder: folder });

  expect(await archive.images()).toEqual([
    expect.objectContaining({ name: 'registry.example/team/app:1.0', root: image.root }),
  ]);
  await archive.close();
});

test('VERSION equals the version of package.json', () => {
  const { version } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  ) as { readonly version: string };
  expect(VERSION).toBe(version);
});
