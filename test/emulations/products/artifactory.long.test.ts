import { expect, test } from 'vitest';

import { makeImage } from '../../support/images/images.ts';
import { artifactory } from './artifactory.ts';
import { describeCloud, layoutOf, seed } from '../cloud-contract.ts';
import { serveEmulation } from '../serve.ts';

describeCloud(
  'artifactory',
  () => artifactory(),
  ({ served, limit }) => {
    test('pages go on although their link loses the key of the repository', async () => {
      const tags = Array.from({ length: 25 }, (_, index) => `t${index}`);
      seed(served().emulation.core, 'docker-local/many', tags, makeImage({ seed: 91 }));
      const { stdout } = await served().regi([
        'tags',
        'list',
        served().ref('1', 'docker-local/many').replace(/:1$/, ''),
      ]);
      expect(stdout.trim().split('\n').toSorted()).toEqual(tags.toSorted());
      limit(
        'Page links lack the key of the repository. regi keeps its own path and uses only the query of the link.',
      );
    });

    test('an error without a code is shown in its own words', async () => {
      const { status, stderr } = await served().regi([
        'digest',
        served().ref('1', 'docker-local/nowhere'),
      ]);
      expect([status, stderr.includes('undefined')]).toEqual([3, false]);
      limit('Error responses have no codes. regi uses the status and shows the text.');
    });

    test('a 403 to who has shown nothing yet is answered with the password', async () => {
      const forbidding = await serveEmulation(artifactory({ forbids: true }));
      const [{ username, password }] = forbidding.emulation.logins;
      // Others wait for a challenge that does not come.
      expect(
        await forbidding.skopeo(
          ['login', '-u', username, '--password-stdin', 'corp.jfrog.io'],
          password,
        ),
      ).not.toMatchObject({ status: 0 });
      const { layout } = await layoutOf({ seed: 92 });
      expect(await forbidding.regi(['copy', layout, forbidding.ref('1')])).toMatchObject({
        status: 0,
      });
      const home = forbidding.homeOf({ username, password: `${password}wrong` });
      const refused = await forbidding.regi(['digest', forbidding.ref('1')], { home });
      expect([refused.status, refused.stderr]).toEqual([
        4,
        expect.stringMatching(/the credentials from .*config\.json.* were refused/),
      ]);
      limit(
        'The first response may be 403 without a challenge. regi recognises `X-JFrog-Version` and tries Basic.',
      );
    });
  },
);
