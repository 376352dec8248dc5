import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { startDocker } from '../../support/programs/docker.ts';
import { describePeer, type PeerClient } from '../../support/programs/peers.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { makeFixture, regi, type Fixture } from './fixture.ts';

let fixture: Fixture;

beforeAll(async () => {
  fixture = await makeFixture();
});

describe.each([
  { set: 'system', store: 'classic' },
  { set: 'sid', store: 'classic' },
  { set: 'sid', store: 'containerd' },
] as const)('$store store', ({ set, store }) => {
  describePeer(
    'docker',
    set,
    ['docker', 'dockerd', 'containerd', 'ctr'],
    () => {
      let docker: PeerClient;
      /**
       * What `docker images` calls the image: its config, or its manifest in the containerd store.
       */
      const idOf = (name: string): Promise<string> =>
        docker.run('images', '--no-trunc', '--format', '{{.ID}}', name);

      beforeAll(async () => {
        docker = await startDocker(set, { store });
      });

      test('load reads an archive of regi export', async () => {
        const archive = join(temporaryFolder('export'), 'app.tar');
        await regi('export', `${fixture.host}/team/app:amd64`, '-o', archive);
        expect(await docker.run('load', '-i', archive)).toContain('team/app:amd64');
        expect(await idOf(`${fixture.host}/team/app:amd64`)).toBe(
          (store === 'classic' ? fixture.amd64.config : fixture.amd64.root).digest,
        );
      });

      test('regi import keeps the config of an archive of docker save', async () => {
        const archive = join(temporaryFolder('save'), 'app.tar');
        await docker.run('pull', '--quiet', `${fixture.host}/team/app:amd64`);
        await docker.run('save', '-o', archive, `${fixture.host}/team/app:amd64`);
        await regi(
          'import',
          archive,
          '--map',
          `${fixture.host}/team/app=${fixture.host}/saved/${set}-${store}`,
        );
        expect(
          JSON.parse(await regi('manifest', 'get', `${fixture.host}/saved/${set}-${store}:amd64`)),
        ).toMatchObject({ config: { digest: fixture.amd64.config.digest } });
      });

      test('pull and push work with regi serve', async () => {
        const pushed = `${fixture.host}/pushed/${set}-${store}:1`;
        await docker.run('pull', '--quiet', `${fixture.host}/team/app:1`);
        await docker.run('tag', `${fixture.host}/team/app:1`, pushed);
        await docker.run('push', '--quiet', pushed);
        expect(await regi('config', '--platform', 'linux/amd64', pushed)).toBe(
          await regi('config', `${fixture.host}/team/app:amd64`),
        );
      });
    },
    { daemon: true },
  );
});
