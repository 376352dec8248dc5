import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { runRegi } from '../../support/cli/regi.ts';
import { describePeer, peerClient } from '../../support/programs/peers.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { makeFixture, regi, type Fixture } from './fixture.ts';

let fixture: Fixture;

beforeAll(async () => {
  fixture = await makeFixture(7);
});

const OFFLINE = [
  '--use-signing-config=false',
  '--tlog-upload=false',
  '--allow-insecure-registry',
  '-y',
];

describePeer('cosign', 'sid', ['cosign'], () => {
  const cosign = peerClient('sid', 'cosign', [], { COSIGN_PASSWORD: 'test' });

  /** A registry without and one with a referrers API. */
  test.each([
    ['docker-registry', async () => (await startDockerRegistry()).host],
    ['regi serve', async () => fixture.host],
  ])('regi verifies both of its forms in %s, and refuses another key', async (name, start) => {
    const host = await start();
    const folder = temporaryFolder('cosign');
    const [key, other] = ['key', 'other'].map((word) => join(folder, word));
    for (const prefix of [key, other])
      await cosign.run('generate-key-pair', '--output-key-prefix', prefix ?? '');
    for (const form of ['true', 'false']) {
      const image = `${host}/signed/${name.replace(' ', '-')}-${form}`;
      await regi('copy', `oci:${fixture.layout}:1`, `${image}:1`);
      const pinned = `${image}@${fixture.image.root.digest}`;
      const verify = (by: string | undefined) =>
        runRegi(['verify', '--signatures', '--key', `${by ?? ''}.pub`, `${image}:1`]);
      expect(await verify(key)).toMatchObject({ status: 9 });
      await cosign.run(
        'sign',
        '--key',
        `${key ?? ''}.key`,
        ...OFFLINE,
        `--new-bundle-format=${form}`,
        pinned,
      );
      const good = await verify(key);
      expect(good, good.stderr).toMatchObject({ status: 0 });
      expect(good.stdout).toContain(`signed ${image}:1@${fixture.image.root.digest}`);
      expect(await verify(other)).toMatchObject({ status: 9 });
      const trusted = ['--key', `${key ?? ''}.pub`];
      await regi('copy', ...trusted, `${image}:1`, `${image}-copy:1`);
      const archive = join(folder, `${form}.tar`);
      await regi('export', ...trusted, `${image}-copy:1`, '-o', archive);
      await regi('import', ...trusted, archive, `${host}/imported`);
      const path = image.slice(host.length);
      for (const name of [`${image}-copy:1`, `${host}/imported${path}-copy:1`]) {
        const copied = await runRegi(['verify', '--signatures', ...trusted, name]);
        expect(copied, copied.stderr).toMatchObject({ status: 0 });
        await cosign.run(
          'verify',
          ...trusted,
          '--insecure-ignore-tlog',
          '--allow-insecure-registry',
          name,
        );
      }
      const refused = await runRegi([
        'copy',
        '--key',
        `${other ?? ''}.pub`,
        `${image}:1`,
        `${image}-other:1`,
      ]);
      expect(refused, refused.stderr).toMatchObject({ status: 9 });
    }
  });

  test('signaturesFrom finds what cosign keeps with COSIGN_REPOSITORY, and it moves along', async () => {
    const { host } = await startDockerRegistry();
    const folder = temporaryFolder('elsewhere');
    const prefix = join(folder, 'key');
    await cosign.run('generate-key-pair', '--output-key-prefix', prefix);
    for (const form of ['true', 'false']) {
      const [image, elsewhere] = [`${host}/app-${form}`, `${host}/signatures-${form}`];
      await regi('copy', `oci:${fixture.layout}:1`, `${image}:1`);
      const keeper = peerClient('sid', 'cosign', [], {
        COSIGN_PASSWORD: 'test',
        COSIGN_REPOSITORY: elsewhere,
      });
      const pinned = `${image}@${fixture.image.root.digest}`;
      const argv = ['--key', `${prefix}.key`, ...OFFLINE, `--new-bundle-format=${form}`, pinned];
      await keeper.run('sign', ...argv);
      const trusted = ['--key', `${prefix}.pub`];
      const without = await runRegi(['verify', '--signatures', ...trusted, `${image}:1`]);
      expect(without).toMatchObject({ status: 9 });
      const policy = join(folder, `${form}.yaml`);
      writeFileSync(
        policy,
        `version: 1\nscopes:\n  '${host}': { key: ${prefix}.pub, signaturesFrom: '${elsewhere}' }\n`,
      );
      await regi('copy', '--verify', policy, `${image}:1`, `${image}-copy:1`);
      const copied = await runRegi(['verify', '--signatures', ...trusted, `${image}-copy:1`]);
      expect(copied, copied.stderr).toMatchObject({ status: 0 });
    }
  });
});
