import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { beforeEach, expect, test } from 'vitest';
import * as z from 'zod';

import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { makeIndex } from '../support/images/images.ts';
import { makeLayered, member } from '../support/images/layered-image.ts';
import { runMain } from '../support/cli/run-main.ts';

const PAGE = readFileSync(
  fileURLToPath(new URL('../../docs/progress-events.md', import.meta.url)),
  'utf8',
);
const SCHEMA = JSON.parse(
  /```json\n(?<schema>.*?)```/s.exec(PAGE)?.groups?.['schema'] ?? '',
) as Parameters<typeof z.fromJSONSchema>[0];
const EVENT = z.fromJSONSchema(SCHEMA);

let registry: FakeRegistry;
beforeEach(async () => {
  registry = await startFakeRegistry();
  await makeIndex().pushAll(registry.place.open('team/app'), '1');
  await makeIndex({ seed: 5 }).pushAll(registry.place.open('team/app'), '2');
});

async function eventsOf(
  ...argv: readonly string[]
): Promise<readonly { readonly kind?: string }[]> {
  const { stderr } = await runMain([...argv, '--progress', 'json']);
  const events = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly kind?: string });
  for (const event of events)
    expect(EVENT.safeParse(event), JSON.stringify(event)).toMatchObject({ success: true });
  return events;
}

const kindsOf = (events: readonly { readonly kind?: string }[]): ReadonlySet<string> =>
  new Set(events.map(({ kind }) => kind ?? 'error'));

test('docs/progress-events.md describes what a copy tells, as a schema and in words', async () => {
  const { host } = registry;
  const seen = new Set<string>();
  for (const argv of [
    ['copy', `${host}/team/app:1`, `${host}/mirror/app:1`],
    ['copy', `${host}/team/app:1`, `${host}/mirror/app:1`],
    ['copy', '--no-clobber', `${host}/team/app:2`, `${host}/mirror/app:1`],
    [
      'copy',
      '--dry-run',
      '--platform',
      'linux/amd64',
      '--platform',
      'linux/arm64',
      '--all-tags',
      `${host}/team/app`,
      `${host}/other/app`,
    ],
    ['copy', '--platform', 'linux/s390x', '--all-tags', `${host}/team/app`, `${host}/none/app`],
    ['copy', `${host}/team/app:1`, 'local:team/app:1'],
    ['copy', `${host}/team/nope:1`, `${host}/mirror/nope:1`],
  ]) {
    for (const kind of kindsOf(await eventsOf(...argv))) seen.add(kind);
  }
  for (const kind of [
    'resolved',
    'unchanged',
    'kept',
    'passed',
    'found',
    'started',
    'progress',
    'copied',
    'mounted',
    'tagged',
    'summary',
    'error',
  ])
    expect(seen).toContain(kind);
  for (const kind of seen) if (kind !== 'error') expect(PAGE).toContain(`\`${kind}\``);
});

test('docs/progress-events.md describes what commands tell that read layers or move several images', async () => {
  const { host } = registry;
  const image = makeLayered([[member.file('a', 'a')], [member.file('b', 'b')]]);
  await image.pushTo(registry.place.open('team/files'), '1');
  const read = await eventsOf('files', `${host}/team/files:1`);
  expect(read.filter(({ kind }) => kind === 'found')).toHaveLength(2);
  expect(read.filter(({ kind }) => kind === 'read')).toHaveLength(2);
  const many = await eventsOf('copy', '--all-tags', `${host}/team/app`, `${host}/every/app`);
  expect(many).toContainEqual({ kind: 'listed', images: 2 });
  for (const kind of ['read', 'listed']) expect(PAGE).toContain(`\`${kind}\``);
});

test('the schema refuses what is no event', () => {
  for (const value of [
    {},
    { kind: 'new' },
    { kind: 'found', target: {}, to: '' },
    { kind: 'warning', message: 1 },
  ])
    expect(EVENT.safeParse(value).success).toBe(false);
});
