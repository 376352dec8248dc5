import { expect, test } from 'vitest';

import { temporaryFolder } from '../../support/temporary-folder.ts';
import { describeCloud } from '../cloud-contract.ts';
import { gitlab } from './gitlab.ts';

let cloud: ReturnType<typeof gitlab>;

describeCloud(
  'gitlab',
  () => (cloud = gitlab()),
  ({ served, limit }) => {
    test('a private project ends with status 4 for who is not logged in, and says what to type', async () => {
      const { status, stderr, sleeps } = await served().regi(['digest', served().ref('1')], {
        home: temporaryFolder('home'),
      });
      expect([status, stderr, sleeps]).toEqual([
        4,
        expect.stringContaining('regi login registry.gitlab.com'),
        [],
      ]);
      limit('The token service refuses a private project with 403 when no login is given.');
    });

    test('the token service of the other host is asked by GET, with the name of the account', () => {
      expect(new Set(cloud.asked.map(({ method }) => method))).toEqual(new Set(['GET']));
      expect(cloud.asked.some(({ account }) => account === 'gitlab-ci-token')).toBe(true);
      limit(
        'The token service is another host (gitlab.com) and supports GET only. Deleting needs a scope of its own.',
      );
      limit(
        'A tag that is a digest with a dash (sha256-…) names the image itself, so it cannot list referrers. regi says so.',
      );
    });
  },
);
