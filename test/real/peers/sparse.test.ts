import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { startDocker } from '../../support/programs/docker.ts';
import { describePeer, peerClient, type PeerClient } from '../../support/programs/peers.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { startServe } from '../../support/registries/serve.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { makeFixture, regi, type Fixture } from './fixture.ts';

const SPARSE = ['--sparse', '--platform', 'linux/amd64'];

let fixture: Fixture;
let name: string;
let archive: string;
/** A `regi serve --sparse` with the same index, of which it has linux/amd64. */
let sparse: string;

beforeAll(async () => {
  fixture = await makeFixture();
  name = `${fixture.host}/team/app:1`;
  archive = join(temporaryFolder('sparse'), 'app.tar');
  await regi('export', name, '-o', archive, ...SPARSE);
  ({ host: sparse } = await startServe(['--memory', '--sparse']));
  await regi('copy', name, `${sparse}/team/app:1`, ...SPARSE);
});

const SOURCES: readonly (readonly [string, () => string])[] = [
  ['an archive', (): string => `oci-archive:${archive}`],
  ['regi serve', (): string => `docker://${sparse}/team/app:1`],
];

describeReal('an index with one of its images, skopeo of the system', ['skopeo'], () => {
  test.each(SOURCES)('A25: skopeo copies the image that is there, from %s', async (_, source) => {
    const target = `oci:${temporaryFolder('skopeo')}/one:1`;
    await skopeo.copy(source(), target);
    expect(await regi('digest', target)).toBe(fixture.amd64.root.digest);
  });
});

describePeer('an index with one of its images, skopeo', 'sid', ['skopeo'], () => {
  test.each(SOURCES)('A25: skopeo copies the image that is there, from %s', async (_, source) => {
    const target = `oci:${temporaryFolder('skopeo')}/one:1`;
    const linux = ['--override-os', 'linux', '--override-arch', 'amd64'];
    const newer = peerClient('sid', 'skopeo');
    await newer.run(...linux, 'copy', '--quiet', '--src-tls-verify=false', source(), target);
    expect(await regi('digest', target)).toBe(fixture.amd64.root.digest);
  });
});

describe.each([
  { set: 'system', store: 'classic' },
  { set: 'sid', store: 'classic' },
  { set: 'sid', store: 'containerd' },
] as const)('an index with one of its images, $store store', ({ set, store }) => {
  describePeer(
    'docker',
    set,
    ['docker', 'dockerd', 'containerd', 'ctr'],
    () => {
      let docker: PeerClient;

      beforeAll(async () => {
        docker = await startDocker(set, { store });
      });

      test('A25: docker load reads the image that is there', async () => {
        expect(await docker.run('load', '-i', archive)).toContain('team/app:1');
        expect(await docker.run('image', 'inspect', name)).toContain('"Architecture": "amd64"');
      });

      test('A25: docker pull takes the image that is there from regi serve', async () => {
        await docker.run('pull', '--quiet', '--platform', 'linux/amd64', `${sparse}/team/app:1`);
        expect(await docker.run('image', 'inspect', `${sparse}/team/app:1`)).toContain(
          fixture.image.root.digest,
        );
      });
    },
    { daemon: true },
  );
});
