import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { makeImage } from '../../support/images/images.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { acr, REFRESH_TOKEN } from './acr.ts';
import { describeCloud, expectNoSecrets, layoutOf, seed } from '../cloud-contract.ts';

let cloud: ReturnType<typeof acr>;

describeCloud(
  'acr',
  () => (cloud = acr()),
  ({ served, limit }) => {
    test('an identity token of docker is exchanged by POST', async () => {
      const home = temporaryFolder('home');
      mkdirSync(join(home, '.docker'));
      const auth = Buffer.from('00000000-0000-0000-0000-000000000000:').toString('base64');
      writeFileSync(
        join(home, '.docker', 'config.json'),
        JSON.stringify({ auths: { [cloud.registry]: { auth, identitytoken: REFRESH_TOKEN } } }),
      );
      const { layout } = await layoutOf({ seed: 61 });
      const { status, stderr } = await served().regi(
        ['-vv', 'copy', layout, served().ref('identity')],
        { home },
      );
      expect(status).toBe(0);
      expectNoSecrets(served(), stderr);
      expect(cloud.asked.at(-1)?.method).toBe('POST');
      limit(
        'The password of the all-zero user is a refresh token. Stored as `identitytoken`, it is exchanged by POST.',
      );
    });

    test('a body that is too large is sent again in chunks, which say their length', async () => {
      const { layout } = await layoutOf({ layers: [21_000_000], seed: 62 });
      const before = served().seen.length;
      expect(await served().regi(['copy', layout, served().ref('large')])).toMatchObject({
        status: 0,
      });
      const sent = served()
        .seen.slice(before)
        .filter(
          ({ method, url }) =>
            (method === 'PUT' || method === 'PATCH') && url.pathname.includes('/uploads/'),
        );
      expect(sent.filter(({ status }) => status === 413)).toHaveLength(1);
      expect(
        sent.filter(({ method, status }) => method === 'PATCH' && status === 202),
      ).toHaveLength(5);
      limit(
        'A request body over 20 MB may be refused (413). regi then continues in chunks of 5 MiB.',
      );
    });

    test('an upload whose end is 416 starts again', async () => {
      const { layout } = await layoutOf({ seed: 64 });
      cloud.faults.commits = 1;
      expect(await served().regi(['copy', layout, served().ref('again-and-again')])).toMatchObject({
        status: 0,
      });
      limit('The last request of an upload sometimes fails with 416. regi restarts that upload.');
    });

    test('many tags come page by page', async () => {
      const tags = Array.from({ length: 1005 }, (_, index) => `t${index}`);
      seed(cloud.core, 'many', tags, makeImage({ seed: 63 }));
      const { stdout } = await served().regi([
        'tags',
        'list',
        served().ref('1', 'many').replace(/:1$/, ''),
      ]);
      expect(stdout.trim().split('\n')).toHaveLength(1005);
    });

    test('refuses a client without a login, and hints at the login', async () => {
      const { status, stderr } = await served().regi(['digest', served().ref('1')], {
        home: temporaryFolder('home'),
      });
      expect([status, stderr]).toEqual([
        4,
        expect.stringContaining('regi login myregistry.azurecr.io'),
      ]);
      limit(
        "The registry API cannot delete a single tag. Azure's own command can: `az acr repository untag`.",
      );
    });
  },
);
