import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { startContainerd, type Containerd } from '../../support/programs/containerd.ts';
import type { PeerSet } from '../../support/programs/peer-path.ts';
import { describePeer } from '../../support/programs/peers.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { makeFixture, regi, type Fixture } from './fixture.ts';

let fixture: Fixture;

beforeAll(async () => {
  fixture = await makeFixture();
});

/** By the transfer service of containerd 2, `ctr` may end before the last bytes of an archive are on the disk. */
const locally = (set: PeerSet): readonly string[] => (set === 'sid' ? ['--local'] : []);

describe.each(['system', 'sid'] as const)('%s', (set) => {
  describePeer(
    'containerd',
    set,
    ['containerd', 'ctr'],
    () => {
      let ctr: Containerd['ctr'];
      const digestOf = async (name: string): Promise<string | undefined> =>
        (await ctr.run('images', 'ls', `name==${name}`)).match(/sha256:[0-9a-f]{64}/)?.[0];

      beforeAll(async () => {
        ({ ctr } = await startContainerd(set));
      });

      test('import reads an archive of regi export, with the digest of the index', async () => {
        const archive = join(temporaryFolder('export'), 'app.tar');
        await regi('export', `${fixture.host}/team/app:1`, '-o', archive);
        await ctr.run('images', 'import', '--all-platforms', archive);
        expect(await digestOf(`${fixture.host}/team/app:1`)).toBe(fixture.image.root.digest);
      });

      test('regi reads an archive of ctr export, with the digest of the index', async () => {
        const archive = join(temporaryFolder('save'), 'app.tar');
        const name = `${fixture.host}/team/app:1`;
        await ctr.run('images', 'pull', '--plain-http', '--all-platforms', name);
        await ctr.run('images', 'export', '--all-platforms', ...locally(set), archive, name);
        expect(await regi('digest', `archive:${archive}`)).toBe(fixture.image.root.digest);
      });

      test('push works with regi serve', async () => {
        const pushed = `${fixture.host}/pushed/${set}:1`;
        await ctr.run(
          'images',
          'pull',
          '--plain-http',
          '--all-platforms',
          `${fixture.host}/team/app:1`,
        );
        await ctr.run('images', 'push', '--plain-http', pushed, `${fixture.host}/team/app:1`);
        expect(await regi('digest', pushed)).toBe(fixture.image.root.digest);
      });
    },
    { daemon: true },
  );
});
