import { afterEach, expect, test } from 'vitest';

import { makeImage } from '../../support/images/images.ts';
import { describeCloud, layoutOf, seed } from '../cloud-contract.ts';
import { nexus, NEXUS_REALMS } from './nexus.ts';

let cloud: ReturnType<typeof nexus>;

describeCloud(
  'nexus',
  () => (cloud = nexus()),
  ({ served, limit }) => {
    afterEach(() => cloud.nameRealm('right'));

    test.each(['null', 'doubledPort'] as const)(
      'B11: a realm that leads nowhere (%s) ends with status 4, and the message shows it as the registry sent it',
      async (kind) => {
        cloud.nameRealm(kind);
        const skopeo = await served().skopeo(['inspect', `docker://${served().ref('1')}`]);
        expect(skopeo.status).not.toBe(0);
        const before = served().seen.length;
        const { status, stderr, sleeps } = await served().regi(['digest', served().ref('1')]);
        expect([status, sleeps]).toEqual([4, []]);
        expect(stderr).toContain(`the realm "${NEXUS_REALMS[kind]}"`);
        // The password goes to no other place than the realm.
        expect(
          served()
            .seen.slice(before)
            .filter(({ authorization }) => authorization !== undefined),
        ).toEqual([]);
        limit(
          kind === 'null'
            ? 'Version 3.77 names the token service null://HOST, unless the proxy before it sends X-Forwarded-Proto.'
            : 'Versions 3.78 to 3.80 double the port of the token service, unless X-Forwarded-Host has none.',
        );
      },
    );

    test('B19: a blob that another client stores meanwhile is no failure', async () => {
      const { layout, image } = await layoutOf({ seed: 131 });
      const app = cloud.core.repository('app');
      const before = served().seen.length;
      const copying = served().regi(['copy', layout, served().ref('raced')]);
      await expect
        .poll(() =>
          served()
            .seen.slice(before)
            .some(({ method }) => method === 'POST'),
        )
        .toBe(true);
      for (const [digest, { bytes }] of image.nodes)
        if (digest !== image.root.digest) app.blobs.set(digest, bytes);
      expect(await copying).toMatchObject({ status: 0 });
    });

    test('all tags are listed, although links lead to a path inside of Nexus', async () => {
      const tags = Array.from({ length: 25 }, (_, at) => `t${String(at).padStart(2, '0')}`);
      seed(cloud.core, 'many', tags, makeImage({ seed: 132 }));
      const { stdout } = await served().regi([
        'tags',
        'list',
        served().ref('1', 'many').replace(/:1$/, ''),
      ]);
      expect(stdout.trim().split('\n')).toEqual(tags);
      limit('Links to further pages have the path inside of Nexus. regi keeps its own path.');
    });
  },
);
