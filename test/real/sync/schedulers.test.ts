import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { runMain } from '../../support/cli/run-main.ts';
import { makeImage } from '../../support/images/images.ts';
import { describeReal, isPrivileged, requireTool } from '../../support/programs/real-tools.ts';
import { runOrThrow } from '../../support/programs/run-program.ts';
import { startSlurm } from '../../support/programs/slurm.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { ROOT } from '../../support/root.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const SHARDS = 4;
const REPOSITORIES = 12;

interface Mirror {
  readonly to: FakeRegistry;
  readonly cwd: string;
  /** A script that syncs one shard: its first argument, or the task of the array. */
  readonly script: string;
  readonly plan: string;
}

/** Repositories with a layer of their own over a common one. */
async function mirror(): Promise<Mirror> {
  const [from, to] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
  for (let seed = 0; seed < REPOSITORIES; seed += 1) {
    const store = from.place.open(`team/app-${seed}`);
    await makeImage({ seed: 80, layers: [20_000] }).pushAll(store, 'base');
    await makeImage({ seed: 81 + seed, layers: [3000] }).pushAll(store, 'own');
  }
  const cwd = temporaryFolder('sync');
  writeFileSync(
    join(cwd, 'mirror.yaml'),
    `version: 1\nimages: [{ from: ${from.host}/team/**, to: '${to.host}/m/{rest}', referrers: false }]\n`,
  );
  const script = join(cwd, 'shard.sh');
  const regi = [process.execPath, join(ROOT, 'bin/regi.js')].join(' ');
  writeFileSync(
    script,
    `#!/bin/sh
index=\${1:-$SLURM_ARRAY_TASK_ID}
export HOME=${cwd}
exec ${regi} sync --shard "$index/${SHARDS}" --state state mirror.yaml > "out-$index.txt"
`,
    { mode: 0o755 },
  );
  const plan = await runMain(['sync', '--dry-run', 'mirror.yaml', '--state', 'other'], { cwd });
  expect(plan.status).toBe(0);
  to.forgetRequests();
  return { to, cwd, script, plan: plan.stdout };
}

const lines = (text: string): readonly string[] => text.trimEnd().split('\n').toSorted();

function expectWhole({ to, cwd, plan }: Mirror): void {
  const outputs = Array.from({ length: SHARDS }, (_, at) =>
    readFileSync(join(cwd, `out-${at + 1}.txt`), 'utf8'),
  );
  const shards = outputs.filter((text) => text !== '').map((text) => lines(text));
  expect(shards.length).toBeGreaterThan(1);
  expect(shards.flat().toSorted()).toEqual(lines(plan));
  const tags = to.requests
    .filter(({ method, url }) => method === 'PUT' && /manifests\/(?:base|own)$/.test(url))
    .map(({ url }) => url);
  expect(tags).toHaveLength(2 * REPOSITORIES);
  expect(new Set(tags).size).toBe(tags.length);
  // A blob whose bytes arrived is in the query of its last request; a mounted one has none.
  const uploads = new Map<string, number>();
  for (const { method, url, bytes } of to.requests) {
    const digest = /[?&]digest=([^&]+)/.exec(url)?.[1];
    if (digest === undefined || bytes === 0 || method === 'GET') continue;
    uploads.set(digest, (uploads.get(digest) ?? 0) + 1);
  }
  expect(uploads.size).toBeGreaterThan(REPOSITORIES);
  for (const count of uploads.values()) expect(count).toBeLessThanOrEqual(SHARDS);
}

describeReal('regi sync as shards of GNU parallel', ['parallel'], () => {
  test('the union is the plan, no tag is written twice, a blob crosses at most once a shard', async () => {
    const world = await mirror();
    const { cwd, script } = world;
    const indexes = Array.from({ length: SHARDS }, (_, at) => String(at + 1));
    const env = { PATH: process.env['PATH'] ?? '', HOME: cwd };
    await runOrThrow(requireTool('parallel'), ['--will-cite', script, '{}', ':::', ...indexes], {
      cwd,
      env,
      timeoutMs: 120_000,
    });
    expectWhole(world);
  });
});

describeReal('regi sync as an array of Slurm', ['munged', 'slurmctld', 'slurmd', 'sbatch'], () => {
  test.skipIf(!isPrivileged)(
    'the union is the plan, no tag is written twice, a blob crosses at most once a shard',
    { timeout: 240_000 },
    async () => {
      const [slurm, world] = await Promise.all([startSlurm(), mirror()]);
      const { cwd, script } = world;
      await slurm.run(script, [`--array=1-${SHARDS}`, '--output=slurm-%a.txt'], cwd);
      expectWhole(world);
    },
  );
});
