import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { runMain } from '../../support/cli/run-main.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const [one, two, index] = [makeImage({ seed: 1 }), makeImage({ seed: 2 }), makeIndex({ seed: 3 })];
const ENTRY =
  "  - { name: all, from: FROM/team/**, to: 'TO/m/{rest}', platforms: [linux/amd64], referrers: false }";

interface Registries {
  readonly from: FakeRegistry;
  readonly to: FakeRegistry;
  readonly cwd: string;
  readonly sync: (...flags: readonly string[]) => ReturnType<typeof runMain>;
}

async function registries(): Promise<Registries> {
  const [from, to] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
  const cwd = temporaryFolder('sync');
  for (let at = 0; at < 8; at += 1) {
    await one.pushAll(from.place.open(`team/app-${at}`), 'one');
    await index.pushAll(from.place.open(`team/app-${at}`), 'all');
  }
  const text = ENTRY.replaceAll('FROM', from.host).replaceAll('TO', to.host);
  writeFileSync(join(cwd, 'mirror.yaml'), `version: 1\nimages:\n${text}\n`);
  const sync: Registries['sync'] = (...flags) =>
    runMain(['sync', 'mirror.yaml', '--state', join(cwd, 'state'), ...flags], { cwd });
  return { from, to, cwd, sync };
}

const lines = (text: string): readonly string[] => text.trimEnd().split('\n').toSorted();

describe('regi sync --shard', () => {
  test('the shards of the matrix together do what a whole run does, each tag once', async () => {
    const { to, sync } = await registries();
    const plan = await sync('--dry-run');
    const { stdout } = await sync('--matrix', '3');
    const { include } = JSON.parse(stdout) as { include: { shard: string }[] };
    expect(to.requests.every(({ method }) => method === 'GET' || method === 'HEAD')).toBe(true);
    const runs: string[] = [];
    for (const { shard } of include) runs.push((await sync('--shard', shard)).stdout);
    expect(lines(runs.join(''))).toEqual(lines(plan.stdout));
    const tags = to.requests.filter(
      ({ method, url }) => method === 'PUT' && /manifests\/(?:one|all)/.test(url),
    );
    expect(tags).toHaveLength(16);
    expect(await sync()).toMatchObject({ status: 0, stdout: '' });
  });

  test('auto is explained on standard error', async () => {
    const { cwd } = await registries();
    const run = await runMain(['sync', 'mirror.yaml', '--dry-run', '--shard', 'auto'], {
      cwd,
      env: { JOB_COMPLETION_INDEX: '1', REGI_SHARDS: '3' },
    });
    expect(run.stderr).toContain('Shard 2/3, from JOB_COMPLETION_INDEX and REGI_SHARDS');
  });
});

describe('regi sync --locked', () => {
  test('copies the digests of the lock, without lists, whatever the tags are now', async () => {
    const { from, to, cwd, sync } = await registries();
    expect((await sync('--write-lock', 'LOCK', '--dry-run')).status).toBe(0);
    const lock = readFileSync(join(cwd, 'LOCK'), 'utf8');
    expect(lines(lock)).toHaveLength(16);
    expect(lock).toContain(
      `${from.host}/team/app-0:one@${one.root.digest} ${to.host}/m/app-0:one entry=all bytes=`,
    );
    expect(lock).toMatch(
      /app-0:all\S+ \S+ entry=all bytes=\d+ platforms=linux\/amd64 digest=sha256:/,
    );
    await two.pushAll(from.place.open('team/app-0'), 'one');
    from.forgetRequests();
    const shards = await Promise.all(
      ['1/2', '2/2'].map((shard) =>
        sync('--locked', 'LOCK', '--shard', shard, '--progress', 'none'),
      ),
    );
    expect(shards.map(({ status }) => status)).toEqual([0, 0]);
    expect(shards.every(({ stdout }) => lines(stdout).length === 8)).toBe(true);
    expect([from.count('GET', 'tags'), from.count('GET', 'catalog')]).toEqual([0, 0]);
    expect((await to.place.open('m/app-0').resolve('one')).digest).toBe(one.root.digest);
    writeFileSync(join(cwd, 'LOCK'), lock.replaceAll(one.root.digest, `sha256:${'0'.repeat(64)}`));
    expect((await sync('--locked', 'LOCK')).status).toBe(8);
  });
});
