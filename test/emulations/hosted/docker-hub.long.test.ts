import { expect, test } from 'vitest';

import { makeImage } from '../../support/images/images.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { describeCloud, layoutOf, seed } from '../cloud-contract.ts';
import { dockerHub, type DockerHub } from './docker-hub.ts';
import { withRegistry } from '../library.ts';

let hub: DockerHub;

describeCloud(
  'docker-hub',
  () => (hub = dockerHub()),
  ({ served, limit }) => {
    const image = makeImage({ seed: 41 });

    test('a bare name is an official image, and needs no login', async () => {
      seed(hub.core, 'library/debian', ['latest'], image);
      const { stdout } = await served().regi(['digest', 'debian'], {
        home: temporaryFolder('home'),
      });
      expect(stdout).toBe(`${image.root.digest}\n`);
      expect(hub.asked.at(-1)).toMatchObject({
        scopes: ['repository:library/debian:pull'],
        account: undefined,
      });
    });

    test('what everybody may pull is pulled with a wrong password too, and a warning says so', async () => {
      seed(hub.core, 'library/debian', ['latest'], image);
      const home = served().homeOf({ username: 'somebody', password: 'dckr_pat_canary-expired' });
      const { status, stderr } = await served().regi(['digest', 'debian'], { home });
      expect([status, stderr]).toEqual([
        0,
        expect.stringMatching(
          /credentials from .*config\.json were refused by "docker\.io": trying without them/,
        ),
      ]);
    });

    test('a check costs no pull, and a copy costs one', async () => {
      seed(hub.core, 'library/counted', ['1'], image);
      const out = `oci:${temporaryFolder('out')}:1`;
      hub.pulls.remaining = 50;
      await served().regi(['digest', 'counted:1']);
      expect(hub.pulls.remaining).toBe(50);
      await served().regi(['copy', 'counted:1', out]);
      expect(hub.pulls.remaining).toBe(49);
      await served().regi(['copy', 'counted:1', out]);
      expect(hub.pulls.remaining).toBe(49);
      hub.pulls.remaining = undefined;
      limit(
        'Pulls are limited. A HEAD request is free, so an unchanged tag costs nothing. A copy costs one pull for each manifest.',
      );
    });

    test('a tenth of the pulls left is worth one warning, half of them is not', async () => {
      seed(hub.core, 'library/warned', ['1'], image);
      hub.pulls.remaining = 50;
      expect(
        (await served().regi(['copy', 'warned:1', `oci:${temporaryFolder('out')}:1`])).stderr,
      ).not.toContain('pulls');
      hub.pulls.remaining = 10;
      const { stderr } = await served().regi([
        'copy',
        'warned:1',
        `oci:${temporaryFolder('out')}:1`,
      ]);
      expect(
        stderr.match(/regi: warning: "docker\.io" allows 10 more pulls of 100 in 6 hours/g),
      ).toHaveLength(1);
      hub.pulls.remaining = undefined;
      limit('regi warns when only a tenth of the pulls is left.');
    });

    test.each([
      ['who is not logged in', undefined, 'regi login docker.io'],
      ['who is logged in', 'own', 'the limit resets after 6 hours'],
    ])(
      'the limit of six hours fails at once with status 6, and says to %s what to do',
      async (_, who, hint) => {
        seed(hub.core, 'library/limited', ['1'], image);
        hub.pulls.remaining = 0;
        const result = await served().regi(
          ['copy', 'limited:1', `oci:${temporaryFolder('out')}:1`],
          who === undefined ? { home: temporaryFolder('home') } : {},
        );
        hub.pulls.remaining = undefined;
        expect(result).toMatchObject({ status: 6, sleeps: [] });
        expect(result.stderr).toContain('You have reached your pull rate limit');
        expect(result.stderr.split('\n').at(-2)).toContain(hint);
      },
    );

    test('regi doctor shows what is left of the pulls, which costs none', async () => {
      seed(hub.core, 'ratelimitpreview/test', ['latest'], image);
      hub.pulls.remaining = 7;
      const { status, stdout } = await served().regi(['doctor']);
      expect([status, hub.pulls.remaining]).toEqual([0, 7]);
      expect(stdout).toMatch(
        /^\+ rate limit .*7 of 100 pulls left in 6 hours, counted for f2cf3f3a/m,
      );
      expect(stdout).toContain('> the limit resets after 6 hours');
      hub.pulls.remaining = undefined;
      expect((await served().regi(['doctor'])).stdout).toMatch(/^- rate limit .*none announced$/m);
      limit('`regi doctor` shows how many pulls are left.');
    });

    test('what no tag names any more is deleted by digest, with a scope of its own', async () => {
      const { layout, image: untagged } = await layoutOf({ seed: 42 });
      await served().regi(['copy', layout, served().ref('moved')]);
      hub.core.find(hub.repositories[0])?.tags.delete('moved');
      await withRegistry(served(), async ({ open }) =>
        open(hub.repositories[0]).delete(untagged.root),
      );
      expect(hub.asked.some(({ scopes }) => scopes.some((scope) => scope.includes('delete')))).toBe(
        true,
      );
      limit(
        'A manifest can be deleted by digest only when no tag names it (otherwise 403). Tags are deleted on the website.',
      );
    });
  },
);
