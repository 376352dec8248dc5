import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { createMemoryPlace } from '../../../src/stores/memory.ts';
import type { Place } from '../../../src/store.ts';
import { runRegi, type RegiFinished } from '../../support/cli/regi.ts';
import { makeImage } from '../../support/images/images.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const REPOSITORIES = 1000;
const TAGS = 20;
const MB = 1e6;
/** Lists, pings and pages of the catalog. */
const PAGES = 10;

async function filled(prefix: string): Promise<Place> {
  const place = createMemoryPlace();
  const image = makeImage({ seed: 7 });
  for (let at = 0; at < REPOSITORIES; at += 1) {
    const store = place.open(`${prefix}/app-${at}`);
    await image.pushAll(store);
    for (let tag = 0; tag < TAGS; tag += 1) await store.tag(image.root, `1.${tag}`);
  }
  return place;
}

test(
  '1,000 repositories of 20 tags: two requests a tag and a repository, or lists only, and little memory',
  { timeout: 1_200_000 },
  async () => {
    const [from, to] = await Promise.all([
      startFakeRegistry({ place: await filled('team') }),
      startFakeRegistry({ place: await filled('m') }),
    ]);
    const cwd = temporaryFolder('sync');
    const sync = (more: string): Promise<RegiFinished> => {
      from.forgetRequests();
      to.forgetRequests();
      writeFileSync(
        join(cwd, 'mirror.yaml'),
        `version: 1\nimages: [{ from: ${from.host}/team/**, to: '${to.host}/m/{rest}'${more} }]\n`,
      );
      return runRegi(['sync', 'mirror.yaml', '--state', 'state'], { cwd });
    };
    const requests = (): number => from.requests.length + to.requests.length;

    const all = await sync('');
    expect(all).toMatchObject({ status: 0, stdout: '' });
    expect(all.stderr).toContain(`${REPOSITORIES * TAGS} images: ${REPOSITORIES * TAGS} same`);
    expect(requests()).toBeLessThanOrEqual(2 * (REPOSITORIES * TAGS + REPOSITORIES) + PAGES);
    expect(all.peakBytes ?? 0).toBeLessThan(150 * MB);

    const immutable = await sync(", immutable: ['1.*']");
    expect(immutable).toMatchObject({ status: 0, stdout: '' });
    expect(requests()).toBeLessThanOrEqual(2 * REPOSITORIES + PAGES);
    expect(immutable.peakBytes ?? 0).toBeLessThan(150 * MB);
  },
);

test('a catalog of 100,000 names is read page by page', { timeout: 600_000 }, async () => {
  const place = createMemoryPlace();
  await makeImage({ seed: 8 }).pushAll(place.open('team/app-77777'), '1');
  const from = await startFakeRegistry({
    place: {
      name: place.name,
      open: (repository) => place.open(repository),
      async *repositories() {
        for (let at = 0; at < 100_000; at += 1) yield `team/app-${String(at).padStart(5, '0')}`;
      },
    },
  });
  const to = await startFakeRegistry();
  const cwd = temporaryFolder('sync');
  writeFileSync(
    join(cwd, 'mirror.yaml'),
    `version: 1
images:
  - { from: ${from.host}/team/**, to: '${to.host}/m/{rest}', repositories: ['*-77777'], minRepositories: 1 }
`,
  );
  const run = await runRegi(['sync', 'mirror.yaml', '--state', 'state'], { cwd });
  expect(run).toMatchObject({ status: 0 });
  expect(run.stdout).toContain(`new ${to.host}/m/app-77777:1@`);
  expect(from.count('GET', 'catalog')).toBeGreaterThan(50);
  expect(run.peakBytes ?? 0).toBeLessThan(150 * MB);
});
