import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { systemClock } from '../../../src/clock.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import {
  startDockerRegistry,
  type DockerRegistry,
} from '../../support/registries/docker-registry.ts';
import { makeIndex } from '../../support/images/images.ts';
import { largeLayout } from '../../support/images/large-layout.ts';
import { damagedBlobs, leftovers } from '../../support/images/layout-folder.ts';
import { createEngine } from '../../support/programs/podman.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runRegi, spawnRegi, type RegiFinished } from '../../support/cli/regi.ts';
import { startServe } from '../../support/registries/serve.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Three versions that have layers in common, as tags of one repository. */
const VERSIONS = [1, 2, 3].map((version) =>
  makeIndex({
    attestations: true,
    layers: [200_000, 50_000],
    annotations: { version: String(version) },
  }),
);
const [FIRST] = VERSIONS;
const AMD64 = FIRST?.images[0]?.root.digest ?? '';
const ID = FIRST?.images[0]?.config.digest.slice(7, 19) ?? '';

describeReal('the local store', ['docker-registry', 'skopeo', 'podman'], () => {
  let registry: DockerRegistry;
  let other: DockerRegistry;
  const from = (tag: string): string => `${registry.host}/team/app:${tag}`;

  beforeAll(async () => {
    [registry, other] = await Promise.all([
      startDockerRegistry(),
      startDockerRegistry({ delete: true }),
    ]);
    const folder = temporaryFolder('versions');
    const layout = await openLayout(folder, { create: true, clock: systemClock });
    for (const [at, version] of VERSIONS.entries()) {
      await version.pushAll(layout, String(at + 1));
      await skopeo.copy(`oci:${folder}:${at + 1}`, `docker://${from(String(at + 1))}`, {
        all: true,
      });
    }
  });

  /** Runs regi on one store. */
  function onStore(data = temporaryFolder('data')): {
    readonly data: string;
    readonly regi: (...args: readonly string[]) => Promise<RegiFinished>;
  } {
    return { data, regi: (...args) => runRegi(args, { env: { REGI_DATA: data } }) };
  }

  test('pull, images, tag, push, rmi and prune work as with docker', async () => {
    const { data, regi } = onStore();
    const pulled = await regi('pull', from('1'));
    expect(pulled.stdout).toBe(
      `Digest: ${FIRST?.root.digest ?? ''}\nStatus: Downloaded newer image for ${from('1')}\n${from('1')}\n`,
    );
    expect((await regi('pull', from('1'))).stdout).toContain(
      `Status: Image is up to date for ${from('1')}\n`,
    );

    const listed = await regi('images', '--digests');
    expect(listed.stdout.split('\n')[1]?.split(/ {2,}/).slice(0, 4)).toEqual([
      `${registry.host}/team/app`,
      '1',
      FIRST?.root.digest,
      ID,
    ]);
    expect((await regi('images', '-q')).stdout).toBe(`${ID}\n`);

    const name = `${other.host}/gallery/ui:v1`;
    expect(await regi('tag', from('1'), name)).toMatchObject({
      status: 0,
      stdout: `local:${other.host}/gallery/ui:v1@${AMD64}\n`,
    });
    expect(await regi('push', name)).toMatchObject({
      status: 0,
      stdout: `${other.host}/gallery/ui:v1@${AMD64}\n`,
    });
    expect(await skopeo.digest(`docker://${name}`)).toBe(AMD64);

    expect((await regi('rmi', from('1'))).stdout).toBe(
      `Untagged: ${from('1')}\nUntagged: ${registry.host}/team/app@${FIRST?.root.digest ?? ''}\n`,
    );
    expect((await regi('rmi', name)).stdout).toMatch(/^Untagged: .+\n(?:Deleted: sha256:.+\n){4}$/);
    expect((await regi('images')).stdout).toBe('');
    expect((await regi('prune')).stdout).toBe('Total reclaimed space: 0 B\n');
    expect(leftovers(data)).toEqual([]);
  });

  test('is tagged by an image id, and pushed with every tag', async () => {
    const { regi } = onStore();
    await regi('pull', '-q', from('1'));
    for (const tag of ['a', 'b'])
      expect(await regi('tag', ID, `${other.host}/by/id:${tag}`)).toMatchObject({ status: 0 });
    expect(await regi('push', '-a', `${other.host}/by/id`)).toMatchObject({ status: 0 });
    expect(await skopeo.listTags(`docker://${other.host}/by/id`)).toEqual(['a', 'b']);
  });

  test('skopeo reads it, and writes an image that regi lists', async () => {
    const { data, regi } = onStore();
    await regi('pull', '-q', from('2'));
    expect(await skopeo.digest(`oci:${data}:${from('2')}`)).toBe(
      VERSIONS[1]?.images[0]?.root.digest,
    );
    await skopeo.copy(`docker://${from('3')}`, `oci:${data}:registry.example/by/skopeo:3`);
    expect((await regi('images', 'registry.example/by/skopeo')).stdout).toContain(
      'registry.example/by/skopeo   3',
    );
    expect(await regi('prune')).toMatchObject({ stdout: 'Total reclaimed space: 0 B\n' });
    expect(await regi('verify', 'local:')).toMatchObject({ status: 0 });
  });

  test('podman pulls from it by regi serve', async () => {
    const { data, regi } = onStore();
    await regi('pull', '-q', '--all-platforms', from('1'));
    const served = await startServe([], { env: { REGI_DATA: data } });
    expect(await skopeo.digest(`docker://${served.host}/team/app:1`)).toBe(FIRST?.root.digest);
    const id = await createEngine().podman(
      'pull',
      '-q',
      '--tls-verify=false',
      `${served.host}/team/app:1`,
    );
    expect(id.slice(0, 12)).toBe(ID);
    expect(await served.stop()).toMatchObject({ status: 0 });
  });

  describe('and several processes at once', () => {
    test('no process removes what another writes', async () => {
      const { data, regi } = onStore();
      for (let round = 0; round < 3; round += 1) {
        const pulls = ['1', '2', '3', '1'].map((tag) => regi('pull', '-q', from(tag)));
        const tidying = [regi('prune'), regi('rmi', from('2')), regi('prune')];
        expect((await Promise.all(pulls)).map(({ status, stderr }) => [status, stderr])).toEqual(
          pulls.map(() => [0, '']),
        );
        await Promise.all(tidying);
        expect(await regi('verify', 'local:')).toMatchObject({ status: 0 });
        expect(damagedBlobs(data)).toEqual([]);
      }
      await regi('rmi', from('1'), from('2'), from('3'));
      await regi('prune');
      expect([(await regi('images', '-q')).stdout, leftovers(data)]).toEqual(['', []]);
    });

    test('prune ends the lease of a pull that was killed, and the next one is whole', async () => {
      const { data, regi } = onStore();
      const large = await largeLayout(8 * 1024 * 1024);
      const name = `${other.host}/large:1`;
      await regi('copy', '-q', large.image, name);
      const running = spawnRegi(['pull', '--progress', 'json', '--limit-rate', '400000', name], {
        env: { REGI_DATA: data },
      });
      running.process.stderr.on('data', () => {
        if (running.output.stderr.includes('"kind":"progress"')) running.process.kill('SIGKILL');
      });
      await running.finished;
      expect((await regi('images')).stdout).toBe('');
      expect(await regi('prune')).toMatchObject({ status: 0 });
      expect(leftovers(data).filter((file) => file.includes('lease'))).toEqual([]);
      expect(await regi('pull', '-q', name)).toMatchObject({ status: 0 });
      expect(await regi('verify', 'local:')).toMatchObject({
        status: 0,
        stdout: expect.stringContaining('local: whole: 1 image'),
      });
    });
  });

  test('an image pushed to regi serve and one pulled beside it are both there', async () => {
    const { data, regi } = onStore();
    const served = await startServe([], { env: { REGI_DATA: data } });
    const [pushed, pulled] = await Promise.all([
      runRegi(['copy', from('1'), `${served.host}/by/push:1`]),
      regi('pull', '-q', from('2')),
    ]);
    expect([pushed.status, pulled.status]).toEqual([0, 0]);
    await served.stop();
    expect(
      (await regi('images', '--json')).stdout
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { name: string }).name]))
        .toSorted(),
    ).toEqual([from('2'), 'localhost/by/push:1'].toSorted());
    expect(await regi('verify', 'local:')).toMatchObject({ status: 0 });
    expect(await skopeo.digest(`oci:${join(data)}:localhost/by/push:1`)).toBe(FIRST?.root.digest);
  });
});
