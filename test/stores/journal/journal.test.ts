import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';

import { parseDigest } from '../../../src/oci/digest.ts';
import { parseJournalEntry, type JournalSubject } from '../../../src/stores/journal/entry.ts';
import { Journal } from '../../../src/stores/journal/journal.ts';
import { systemProcesses, type Processes } from '../../../src/disk/processes.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const ARCHIVE: JournalSubject = { kind: 'archive', path: '/images/bundle.tar' };
const UPLOAD: JournalSubject = {
  kind: 'upload',
  origin: 'https://registry.example',
  repository: 'team/app',
  digest: parseDigest(`sha256:${'a'.repeat(64)}`),
  size: 100,
  location: 'https://registry.example/v2/team/app/blobs/uploads/1?_state=signed',
  offset: 10,
};
const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

let folder: string;
let now: number;

beforeEach(() => {
  folder = join(temporaryFolder('state'), 'regi');
  now = Date.UTC(2026, 0, 1);
});

/** The journal as another process sees it; its owner is gone for all others. */
function journalOfOther(identity: { readonly host?: string; readonly pid?: number } = {}): Journal {
  const processes: Processes = {
    ...systemProcesses,
    self: async () => ({ ...(await systemProcesses.self()), pid: 4_194_305, ...identity }),
  };
  return journal(processes);
}

function journal(
  processes: Processes = systemProcesses,
  onFailure?: (message: string) => void,
): Journal {
  return new Journal(folder, { clock: { now: () => now }, processes, onFailure });
}

describe('Journal', () => {
  test.each([ARCHIVE, UPLOAD])(
    'find() returns the entry of an ended process: $kind',
    async (subject) => {
      await journalOfOther().write(subject);
      expect((await journal().find(subject))?.subject).toEqual(subject);
      expect((await journal().list()).map((entry) => entry.subject)).toEqual([subject]);
    },
  );

  test('find() gives nothing of a process that is at work, and list() neither', async () => {
    await journal().write(UPLOAD);
    const other = journalOfOther();
    expect([await other.find(UPLOAD), await other.list()]).toEqual([undefined, []]);
  });

  test('write() keeps the entry of another process at work', async () => {
    await journal().write(UPLOAD);
    await journalOfOther().write({ ...UPLOAD, offset: 20 });
    expect((await journal().find(UPLOAD))?.subject).toEqual(UPLOAD);
  });

  test('find() gives nothing of another thing', async () => {
    await journalOfOther().write(UPLOAD);
    expect(await journal().find({ ...UPLOAD, repository: 'team/other' })).toBeUndefined();
  });

  test('remove() forgets it', async () => {
    await journalOfOther().write(UPLOAD);
    await journal().remove(UPLOAD);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('forgets after a week', async () => {
    await journalOfOther().write(UPLOAD);
    now += 8 * DAY_MS;
    expect([await journal().find(UPLOAD), readdirSync(folder)]).toEqual([undefined, []]);
  });

  test.each([
    [0.5 * HOUR_MS, undefined],
    [2 * HOUR_MS, UPLOAD],
  ])(
    'of another machine, whose processes it cannot ask for, after %i ms',
    async (ageMs, expected) => {
      await journalOfOther({ host: 'another' }).write(UPLOAD);
      now += ageMs;
      expect((await journal().find(UPLOAD))?.subject).toEqual(expected);
    },
  );

  test('can be read by its user alone', async () => {
    await journal().write(UPLOAD);
    const modes = [folder, ...readdirSync(folder).map((name) => join(folder, name))].map(
      (path) => statSync(path).mode % 0o1000,
    );
    expect(modes).toEqual([0o700, 0o600]);
  });

  test.each([
    ['half of an entry', (text: string) => text.slice(0, 40)],
    ['another version', (text: string) => text.replace('"version":1', '"version":2')],
    [
      'a location on another host',
      (text: string) =>
        text.replace('"location":"https://registry.example', '"location":"https://evil.example'),
    ],
    ['an offset behind the end', (text: string) => text.replace('"offset":10', '"offset":101')],
  ])('removes %s', async (_, damage) => {
    await journalOfOther().write(UPLOAD);
    const [name = ''] = readdirSync(folder);
    writeFileSync(join(folder, name), damage(readFileSync(join(folder, name), 'utf8')));
    expect([await journal().find(UPLOAD), readdirSync(folder)]).toEqual([undefined, []]);
  });

  test('leaves files that are not its own', async () => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'notes.txt'), '');
    expect(await journal().list()).toEqual([]);
    expect(existsSync(join(folder, 'notes.txt'))).toBe(true);
  });

  test('does without where it cannot write, and says so once', async () => {
    writeFileSync(folder, 'a file');
    const said: string[] = [];
    const broken = journal(systemProcesses, (message) => said.push(message));
    await broken.write(UPLOAD);
    await broken.write(ARCHIVE);
    expect([await broken.find(UPLOAD), await broken.list(), said.length]).toEqual([
      undefined,
      [],
      1,
    ]);
  });
});

describe('parseJournalEntry()', () => {
  test('gives an entry or undefined on any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        parseJournalEntry(text);
      }),
    );
  });
});
