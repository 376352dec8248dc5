import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { canUntag } from '../../../src/store.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { makeImage } from '../../support/images/images.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const image = makeImage({ seed: 1 });

describe('regi sync with registries and programs', () => {
  test('createRepository runs once after a push to an unknown repository, and onChange at the end', async () => {
    const [from, to] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
    const cwd = temporaryFolder('sync');
    await image.pushAll(from.place.open('app'), '1');
    await image.pushAll(from.place.open('app'), '2');
    const isCreated = (): boolean => existsSync(join(cwd, 'created'));
    to.fault({
      match: ({ method }) => ['POST', 'PUT', 'PATCH'].includes(method) && !isCreated(),
      times: 99,
      action: {
        kind: 'respond',
        status: 404,
        body: '{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"}]}',
      },
    });
    writeFileSync(join(cwd, 'create.sh'), '#!/bin/sh\necho "$@ ${REGI_SECRET:-none}" >> created\n');
    writeFileSync(join(cwd, 'notify.sh'), '#!/bin/sh\ncat > changes.json\necho noted\n');
    for (const name of ['create.sh', 'notify.sh']) chmodSync(join(cwd, name), 0o755);
    writeFileSync(
      join(cwd, 'mirror.yaml'),
      `version: 1
registries:
  ${to.host}: { createRepository: [./create.sh, '{registry}', '{repository}'], plainHttp: true, concurrency: 4 }
images:
  - { from: ${from.host}/app, to: ${to.host}/m/app }
onChange: [./notify.sh]
`,
    );
    const run = (...flags: readonly string[]): ReturnType<typeof runMain> =>
      runMain(['sync', 'mirror.yaml', '--state', join(cwd, 'state'), ...flags], {
        cwd,
        env: { PATH: process.env['PATH'] ?? '', REGI_SECRET: 'secret' },
      });
    expect((await run('--no-run')).status).toBe(8);
    expect(isCreated()).toBe(false);
    const first = await run();
    expect(first).toMatchObject({ status: 0 });
    expect(readFileSync(join(cwd, 'created'), 'utf8')).toBe(`${to.host} m/app none\n`);
    expect(first.stderr).toContain('noted');
    const changes = JSON.parse(readFileSync(join(cwd, 'changes.json'), 'utf8')) as {
      images: { status: string }[];
    };
    expect(changes.images.map(({ status }) => status)).toEqual(['new', 'new']);
    writeFileSync(join(cwd, 'changes.json'), 'as before');
    expect((await run()).status).toBe(0);
    expect(readFileSync(join(cwd, 'changes.json'), 'utf8')).toBe('as before');
  });

  test('deleteTag has to delete the tag', async () => {
    const [from, to] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
    const cwd = temporaryFolder('sync');
    for (const tag of ['1', '2']) await image.pushAll(from.place.open('app'), tag);
    writeFileSync(
      join(cwd, 'mirror.yaml'),
      `version: 1
registries: { '${to.host}': { deleteTag: ['true', '{tag}'] } }
images: [{ from: ${from.host}/app, to: ${to.host}/app, prune: true }]
`,
    );
    const run = (): ReturnType<typeof runMain> =>
      runMain(['sync', 'mirror.yaml', '--state', join(cwd, 'state')], {
        cwd,
        env: { PATH: process.env['PATH'] ?? '' },
      });
    expect((await run()).status).toBe(0);
    const source = from.place.open('app');
    if (canUntag(source)) await source.untag('2');
    const pruned = await run();
    expect(pruned.status).toBe(8);
    expect(pruned.stderr).toContain('left it');
    expect(to.count('DELETE')).toBe(0);
  });

  test('credentials of the longest name go to its repositories and no others', async () => {
    const [from, to] = await Promise.all([
      startFakeRegistry({ auth: { kind: 'basic', users: { robot: 'pass' } } }),
      startFakeRegistry(),
    ]);
    await image.pushAll(from.place.open('team/app'), '1');
    const cwd = temporaryFolder('sync');
    const file = (credentials: string): void =>
      writeFileSync(
        join(cwd, 'mirror.yaml'),
        `version: 1
registries: { ${credentials} }
images: [{ from: ${from.host}/team/app, to: ${to.host}/app }]
`,
      );
    const run = (): ReturnType<typeof runMain> =>
      runMain(['sync', 'mirror.yaml', '--state', join(cwd, 'state')], {
        cwd,
        env: { TOKEN: 'pass' },
      });
    file(`'${from.host}/team': { credentials: 'robot:env:TOKEN' }`);
    const allowed = await run();
    file(`'${from.host}/other': { credentials: 'robot:env:TOKEN' }`);
    const refused = await run();
    expect([allowed.status, refused.status]).toEqual([0, 8]);
  });
});
