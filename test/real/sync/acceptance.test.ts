import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { runRegi, spawnRegi } from '../../support/cli/regi.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { describePeer, peerClient } from '../../support/programs/peers.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import {
  startDockerRegistry,
  type LoggedRequest,
} from '../../support/registries/docker-registry.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { startServe } from '../../support/registries/serve.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const [one, two, moved] = [70, 71, 72].map((seed) => makeImage({ seed }));
const index = makeIndex({ seed: 73 });
const signature = makeImage({ seed: 74 });
const signatureTag = `${index.root.digest.replace(':', '-')}.sig`;

function countOf(requests: readonly LoggedRequest[], method: string, path: RegExp): number {
  return requests.filter((one) => one.method === method && path.test(one.path)).length;
}

describeReal('regi sync from docker-registry', ['docker-registry', 'skopeo'], () => {
  describePeer('with crane as a witness', 'sid', ['crane'], () => {
    test(
      'three repositories to regi serve and to a registry that deletes no tag alone',
      { timeout: 240_000 },
      async () => {
        const staging = await startFakeRegistry();
        const [source, mirror, serve] = await Promise.all([
          startDockerRegistry({ delete: true }),
          startDockerRegistry({ delete: true }),
          startServe(['--memory']),
        ]);
        for (const [tag, image] of Object.entries({ '1.0': one, '1.1': two, '2.0-rc1': two }))
          await image?.pushAll(staging.place.open('app'), tag);
        for (const tag of ['v1', 'v2']) await index.pushAll(staging.place.open('tool'), tag);
        await index.pushAll(staging.place.open('signed'), 'v1');
        await signature.pushAll(staging.place.open('signed'), signatureTag);
        for (const name of ['app', 'tool', 'signed']) {
          const pair = [`${staging.host}/${name}`, `${source.host}/${name}`];
          expect(await runMain(['copy', '--all-tags', ...pair])).toMatchObject({ status: 0 });
        }
        const cwd = temporaryFolder('sync');
        writeFileSync(
          join(cwd, 'mirror.yaml'),
          `version: 1
defaults: { prune: { viaDummy: true } }
images:
  - from: ${source.host}/app
    to: [${serve.host}/m/app, ${mirror.host}/m/app]
    tags: ['1.*', '!*-rc*']
  - from: ${source.host}/tool
    to: [${serve.host}/m/tool, ${mirror.host}/m/tool]
    platforms: [linux/amd64]
  - from: ${source.host}/signed
    to: [${serve.host}/m/signed, ${mirror.host}/m/signed]
`,
        );
        const sync = (...flags: readonly string[]): ReturnType<typeof runMain> =>
          runMain(['sync', 'mirror.yaml', '--state', 'state', ...flags], { cwd });
        const plan = await sync('--dry-run');
        expect(plan.status).toBe(0);
        expect(plan.stderr).toContain('patterns dropped 1 (2.0-rc1)');
        const first = await sync();
        expect(first).toMatchObject({ status: 0, stdout: plan.stdout });
        expect(first.stderr).toMatch(/10 images: 10 new; /);

        await Promise.all([source.forgetRequests(), mirror.forgetRequests()]);
        const again = await sync();
        expect(again).toMatchObject({ status: 0, stdout: '' });
        expect(again.stderr).toMatch(/10 images: 10 same; 0 B uploaded/);
        const writes = countOf(await mirror.requests(), 'PUT', /./);
        expect(writes + countOf(await mirror.requests(), 'POST', /./)).toBe(0);
        for (const registry of [source, mirror])
          expect(countOf(await registry.requests(), 'GET', /manifests/)).toBe(0);

        await moved?.pushAll(staging.place.open('app'), '1.0');
        const pair = [`${staging.host}/app:1.0`, `${source.host}/app:1.0`];
        expect(await runMain(['copy', ...pair])).toMatchObject({ status: 0 });
        const gone = `${source.host}/tool:v2`;
        expect(await runMain(['tags', 'delete', '--via-dummy', gone])).toMatchObject({ status: 0 });
        const third = await sync();
        expect(third).toMatchObject({ status: 0 });
        const lines = third.stdout
          .trimEnd()
          .split('\n')
          .map((line) => line.replace(/@.*/, ''));
        expect(lines.toSorted()).toEqual(
          [serve.host, mirror.host]
            .flatMap((host) => [`deleted ${host}/m/tool:v2`, `moved ${host}/m/app:1.0`])
            .toSorted(),
        );

        const crane = peerClient('sid', 'crane');
        for (const host of [serve.host, mirror.host]) {
          expect(await skopeo.listTags(`docker://${host}/m/app`)).toEqual(['1.0', '1.1']);
          expect(await skopeo.listTags(`docker://${host}/m/tool`)).toEqual(['v1']);
          expect(await skopeo.listTags(`docker://${host}/m/signed`)).toEqual([signatureTag, 'v1']);
          const digest = (name: string): Promise<string> =>
            crane.run('digest', '--insecure', `${host}/m/${name}`);
          expect(await digest('app:1.0')).toBe(moved?.root.digest);
          expect(await digest('app:1.1')).toBe(two?.root.digest);
          expect(await digest('signed:v1')).toBe(index.root.digest);
          expect(await digest('tool:v1')).not.toBe(index.root.digest);
        }
      },
    );
  });
});

test(
  'a second run ends with 1 while the first works, and takes over when it was killed',
  { timeout: 240_000 },
  async () => {
    const [from, to] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
    await one?.pushAll(from.place.open('app'), '1');
    const cwd = temporaryFolder('sync');
    writeFileSync(
      join(cwd, 'mirror.yaml'),
      `version: 1\nimages: [{ from: ${from.host}/app, to: ${to.host}/app }]\n`,
    );
    const args = ['sync', 'mirror.yaml', '--state', 'state'];
    const held = from.hold({ path: /blobs/ });
    const running = spawnRegi(args, { cwd });
    await held.reached;
    const [second, shard] = await Promise.all([
      runRegi(args, { cwd }),
      runRegi([...args, '--shard', '1/2'], { cwd }),
    ]);
    for (const { status, stderr } of [second, shard]) {
      expect(status).toBe(1);
      expect(stderr).toContain('in progress');
    }
    running.process.kill('SIGKILL');
    await running.finished;
    held.release();
    expect(await runRegi(args, { cwd })).toMatchObject({ status: 0 });
    expect((await to.place.open('app').resolve('1')).digest).toBe(one?.root.digest);
  },
);
