import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { realClock } from '../../support/clock.ts';
import { makeIndex } from '../../support/images/images.ts';
import { startDocker } from '../../support/programs/docker.ts';
import { describePeer, type PeerClient } from '../../support/programs/peers.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { makeFixture, regi, type Fixture } from './fixture.ts';

let fixture: Fixture;

/** An index with attestations, as buildkit pushes it: `team/attested:1` in the fixture's registry. */
const attested = makeIndex({ seed: 31, attestations: true });

beforeAll(async () => {
  fixture = await makeFixture();
  const layout = join(temporaryFolder('attested'), 'layout');
  await attested.pushAll(await openLayout(layout, { create: true, clock: realClock }), '1');
  await regi('push', `oci:${layout}:1`, `${fixture.host}/team/attested:1`);
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

      test('A4: an archive of docker save, whose index lists what docker left out, is read by every command', async () => {
        const archive = join(temporaryFolder('save'), 'attested.tar');
        const source = `${fixture.host}/team/attested`;
        await docker.run('pull', '--quiet', `${source}:1`);
        await docker.run('save', '-o', archive, `${source}:1`);
        const config = attested.images[0]?.config.digest ?? '';
        const to = `${fixture.host}/attested/${set}-${store}`;

        const report = await regi('verify', '--json', archive);
        expect(report).not.toContain('missing');
        expect(report.includes('"absent"')).toBe(store === 'containerd');
        expect(await regi('inspect', `archive:${archive}`)).toContain('linux/amd64');
        await regi('import', archive, '--map', `${source}=${to}-import`);
        await regi('push', `archive:${archive}`, `${to}-push:1`);
        for (const image of [`${to}-import:1`, `${to}-push:1`]) {
          const manifest = JSON.parse(
            await regi('manifest', 'get', '--platform', 'linux/amd64', image),
          ) as unknown;
          expect(manifest).toMatchObject({ config: { digest: config } });
        }
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
