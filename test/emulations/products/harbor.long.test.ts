import { expect, test } from 'vitest';

import { makeImage } from '../../support/images/images.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { describeCloud, layoutOf, seed } from '../cloud-contract.ts';
import { harbor } from './harbor.ts';
import { withRegistry } from '../library.ts';

let cloud: ReturnType<typeof harbor>;

describeCloud(
  'harbor',
  () => (cloud = harbor()),
  ({ served, limit }) => {
    test('a project that is not there ends with status 4, also with an empty challenge', async () => {
      const { layout } = await layoutOf({ seed: 81 });
      const { status, stderr, sleeps } = await served().regi([
        'copy',
        layout,
        served().ref('1', 'unknown/app'),
      ]);
      expect([status, stderr, sleeps]).toEqual([
        4,
        expect.stringContaining('project unknown not found'),
        [],
      ]);
      limit('A project must exist before the first push. Otherwise the response is 401.');
    });

    test('a public project wants the token that everybody gets', async () => {
      const image = makeImage({ seed: 82 });
      seed(cloud.core, 'public/app', ['1'], image);
      const { stdout } = await served().regi(['digest', served().ref('1', 'public/app')], {
        home: temporaryFolder('home'),
      });
      expect(stdout).toBe(`${image.root.digest}\n`);
    });

    test('the catalog takes the password of an administrator, after a token was good for everything else', async () => {
      const names = await withRegistry(served(), async ({ open, repositories }) => {
        await open('proj/app').resolve('1');
        return repositories();
      });
      expect(names).toContain('proj/app');
      limit(
        'The catalog is for administrators, with Basic authentication. A robot account gets 401.',
      );
    });

    test('the catalog refuses a robot with status 4', async () => {
      const [, robot] = cloud.logins;
      const home = served().homeOf(robot ?? cloud.logins[0]);
      await expect(
        withRegistry(served(), async ({ repositories }) => repositories(), { home }),
      ).rejects.toMatchObject({ code: 'NOT_AUTHORISED' });
    });

    test('B4: an image moves although its referrers are refused with 401', async () => {
      const { layout, image } = await layoutOf({ seed: 84 });
      cloud.refuseReferrers(true);
      try {
        const from = `docker://${served().ref('unlisted')}`;
        expect(await served().skopeo(['copy', '--quiet', layout, from])).toMatchObject({
          status: 0,
        });
        const out = temporaryFolder('out');
        expect(await served().skopeo(['copy', '--quiet', from, `oci:${out}:1`])).toMatchObject({
          status: 0,
        });
        const to = served().ref('1', 'proj/deeper/nested/copy');
        const plain = await served().regi(['copy', served().ref('unlisted'), to]);
        expect([plain.status, plain.stdout]).toEqual([0, `${to}@${image.root.digest}\n`]);
        const whole = await served().regi(['copy', '--referrers', served().ref('unlisted'), to]);
        expect([whole.status, whole.stdout, whole.stderr]).toEqual([
          8,
          `${to}@${image.root.digest}\n`,
          expect.stringContaining('status 401'),
        ]);
      } finally {
        cloud.refuseReferrers(false);
      }
      limit(
        'Referrers may be refused with 401. The image is copied all the same; with `--referrers` the status is 8.',
      );
    });

    test('a tag alone is not deleted, and a manifest goes with all its tags', async () => {
      const { layout, image } = await layoutOf({ seed: 83 });
      for (const tag of ['a', 'b']) await served().regi(['copy', layout, served().ref(tag)]);
      await withRegistry(served(), async ({ open }) => {
        await expect(open('proj/app').untag('a')).rejects.toMatchObject({
          code: 'REFUSED',
          status: 400,
        });
        await open('proj/app').delete(image.root);
      });
      expect((await served().regi(['digest', served().ref('b')])).status).toBe(3);
      limit("The registry API cannot delete a single tag. Harbor's own API can.");
    });
  },
);
