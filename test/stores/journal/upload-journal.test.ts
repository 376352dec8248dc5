import { readdirSync } from 'node:fs';

import { expect, test } from 'vitest';

import { Journal } from '../../../src/stores/journal/journal.ts';
import { systemProcesses } from '../../../src/disk/processes.ts';
import { createUploadJournal } from '../../../src/stores/journal/upload-journal.ts';
import { makeBlob } from '../../support/images/images.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const { descriptor } = makeBlob(100);
const LOCATION = new URL('https://registry.example/v2/team/app/blobs/uploads/1?_state=x');

function open(
  folder: string,
  {
    origin = 'https://registry.example',
    onChange,
  }: { origin?: string | undefined; onChange?: (remembered: number) => void } = {},
) {
  const journal = new Journal(folder, { clock: { now: () => 0 }, processes: systemProcesses });
  return createUploadJournal({ journal, origin: () => origin, repository: 'team/app', onChange });
}

test('createUploadJournal() finds a written location until it is removed', async () => {
  const folder = temporaryFolder('state');
  await open(folder).write(descriptor, LOCATION, 10);
  expect((await open(folder).find(descriptor))?.href).toBe(LOCATION.href);
  const later = open(folder);
  await later.find(descriptor);
  await later.remove(descriptor);
  expect(readdirSync(folder)).toEqual([]);
});

test('createUploadJournal() records no location on another origin, which must not get credentials', async () => {
  const folder = temporaryFolder('state');
  await open(folder).write(descriptor, new URL('https://storage.example/upload?signature=x'), 10);
  expect(readdirSync(folder)).toEqual([]);
});

test('createUploadJournal() reports the number of unfinished uploads', async () => {
  const told: number[] = [];
  const journal = open(temporaryFolder('state'), {
    onChange: (remembered) => told.push(remembered),
  });
  await journal.write(descriptor, LOCATION, 0);
  await journal.write(makeBlob(7).descriptor, LOCATION, 0);
  await journal.remove(descriptor);
  expect(told).toEqual([1, 2, 1]);
});
