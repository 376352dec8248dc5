import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { copyImages, createMemoryPlace, createMemoryStore, parseReference } from '../src/index.ts';
import { VERSION } from '../src/version.ts';
import { makeIndex } from './support/images.ts';

test('a program copies an image with what the library exports', async () => {
  const image = makeIndex();
  const source = createMemoryStore();
  await image.pushAll(source, '1.0');
  const { path } = parseReference('registry.example/team/app');
  const destination = createMemoryPlace('there').open(path);

  for await (const copied of copyImages([{ source, reference: '1.0', destination, tag: '1.0', image: path }])) {
    expect(copied.root.digest).toBe(image.root.digest);
  }

  expect((await destination.resolve('1.0')).digest).toBe(image.root.digest);
});

test('VERSION is that of package.json', () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { readonly version: string };
  expect(VERSION).toBe(version);
});
