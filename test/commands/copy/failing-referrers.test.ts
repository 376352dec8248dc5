import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeArtifact, makeImage } from '../../support/images/images.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const image = makeImage();
const [gone, kept] = [10, 20].map((size) => makeArtifact({ subject: image.root, size }));
if (gone === undefined || kept === undefined) throw new Error('Two referrers are made');

async function registry(): Promise<FakeRegistry> {
  const made = await startFakeRegistry();
  await image.pushAll(made.place.open('app'), 'v1');
  for (const referrer of [gone, kept]) await referrer?.pushAll(made.place.open('app'));
  return made;
}

/** What the client knows of the tag and of the two referrers. */
async function held({ place }: FakeRegistry): Promise<readonly boolean[]> {
  const store = place.open('app');
  const tag = await store.resolve('v1').then(
    ({ digest }) => digest === image.root.digest,
    () => false,
  );
  return [
    tag,
    await store.exists(gone?.root ?? image.root),
    await store.exists(kept?.root ?? image.root),
  ];
}

describe('B4: a referrer that fails', () => {
  test.each([400, 401])(
    'copy --referrers moves the tag, warns and ends with 8 when the list has status %i',
    async (status) => {
      const [from, to] = [await registry(), await startFakeRegistry()];
      from.fault({
        match: { path: /\/referrers\// },
        action: { kind: 'respond', status, body: '{"errors":[{"code":"UNAUTHORIZED"}]}' },
        times: 99,
      });
      const copied = await runMain([
        'copy',
        '--referrers',
        `${from.host}/app:v1`,
        `${to.host}/app:v1`,
      ]);
      expect([copied.status, copied.stdout]).toEqual([
        8,
        `${to.host}/app:v1@${image.root.digest}\n`,
      ]);
      expect(copied.stderr).toContain(`Referrers of "${to.host}/app:v1" were left out`);
      expect(copied.stderr).toContain(`status ${status}`);
      expect(await held(to)).toEqual([true, false, false]);
    },
  );

  test.each(['copy', 'export'])(
    'B6: %s --referrers carries the beginning of a list that breaks off, and ends with 8',
    async (command) => {
      const [from, to] = [await registry(), await startFakeRegistry()];
      from.fault({
        match: { path: new RegExp(`/referrers/${image.root.digest}`) },
        action: { kind: 'headers', headers: { link: '</v2/app; rel="next"' } },
        times: 99,
      });
      const cwd = temporaryFolder('cwd');
      const target = command === 'copy' ? [`${to.host}/app:v1`] : ['-o', 'a.tar'];
      const ran = await runMain([command, '--referrers', `${from.host}/app:v1`, ...target], {
        cwd,
      });
      expect([ran.status, ran.stderr]).toEqual([8, expect.stringContaining('malformed')]);
      if (command === 'export')
        expect((await runMain(['import', 'a.tar', to.host], { cwd })).status).toBe(0);
      expect(await held(to)).toEqual([true, true, true]);
    },
  );

  test.each(['copy', 'copy --keep-going', 'export', 'sync'])(
    '%s carries the others and ends with 8',
    async (command) => {
      const [from, to] = [await registry(), await startFakeRegistry()];
      from.fault({
        match: { method: 'GET', path: new RegExp(`/manifests/${gone.root.digest}`) },
        action: { kind: 'respond', status: 404 },
        times: 99,
      });
      const cwd = temporaryFolder('cwd');
      const [source, destination] = [`${from.host}/app:v1`, `${to.host}/app:v1`];
      const [name = '', ...flags] = command.split(' ');
      const run = (...argv: readonly string[]) => runMain(argv, { cwd });
      if (name === 'export') {
        const { status, stderr } = await run('export', '--referrers', source, '-o', 'a.tar');
        expect([status, stderr]).toEqual([8, expect.stringContaining(gone.root.digest)]);
        const imported = await run('import', 'a.tar', to.host);
        expect(imported.status).toBe(0);
        expect(imported.stdout).toContain(kept.root.digest);
        expect(imported.stdout).not.toContain(gone.root.digest);
        return;
      }
      if (name === 'sync') {
        writeFileSync(
          join(cwd, 'm.yaml'),
          `version: 1\nimages:\n  - { from: ${source}, to: ${to.host}/app }\n`,
        );
        const { status, stderr } = await run('sync', 'm.yaml');
        expect([status, stderr]).toEqual([
          8,
          expect.stringContaining('referrers of 1 image were left out'),
        ]);
        expect(await held(to)).toEqual([true, false, true]);
        return;
      }
      const { status, stderr } = await run(name, ...flags, '--referrers', source, destination);
      expect([status, stderr]).toEqual([8, expect.stringContaining(gone.root.digest)]);
      expect(await held(to)).toEqual([true, false, true]);
    },
  );

  test('copy writes the content, then the referrers, then the tag', async () => {
    const [from, to] = [await registry(), await startFakeRegistry()];
    expect(
      (await runMain(['copy', '--referrers', `${from.host}/app:v1`, `${to.host}/app:v1`])).status,
    ).toBe(0);
    const puts = to.requests
      .filter(({ method, url }) => method === 'PUT' && url.includes('/manifests/'))
      .map(({ url }) => url.split('/').at(-1));
    expect([puts[0], puts.at(-1)]).toEqual([image.root.digest, 'v1']);
    expect(puts.slice(1, -1)).toEqual(expect.arrayContaining([gone.root.digest, kept.root.digest]));
  });
});

test('B1: copy --referrers to a registry that keeps the referrers tag for itself moves the tag and ends with 8', async () => {
  const [from, to] = [await registry(), await startFakeRegistry()];
  to.fault({
    match: { path: /\/referrers\// },
    action: { kind: 'respond', status: 404 },
    times: 99,
  });
  to.fault({
    match: { method: 'PUT', path: /\/manifests\/sha256:/ },
    action: { kind: 'headers', headers: { 'oci-subject': undefined } },
    times: 99,
  });
  const tag = image.root.digest.replace(':', '-');
  const node = image.nodes.get(image.root.digest);
  to.fault({
    match: { path: new RegExp(`/manifests/${tag}$`) },
    action: {
      kind: 'respond',
      status: 200,
      headers: { 'content-type': image.root.mediaType, 'docker-content-digest': image.root.digest },
      body: node?.bytes ?? '',
    },
    times: 99,
  });

  const copied = await runMain(['copy', '--referrers', `${from.host}/app:v1`, `${to.host}/app:v1`]);

  expect([copied.status, copied.stderr]).toEqual([
    8,
    expect.stringContaining('responds with the image itself, and 1 more'),
  ]);
  expect(await held(to)).toEqual([true, true, true]);
  const listed = await runMain(['referrers', `${to.host}/app:v1`]);
  expect([listed.status, listed.stdout]).toEqual([0, expect.not.stringContaining('config')]);
});
