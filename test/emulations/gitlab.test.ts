import { expect, test } from 'vitest';

import { temporaryFolder } from '../support/temporary-folder.ts';
import { describeCloud } from './cloud-contract.ts';
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
      limit('A private project is 403 from the token service for who is not logged in.');
    });

    test('the token service of the other host is asked by GET, with the name of the account', () => {
      expect(new Set(cloud.asked.map(({ method }) => method))).toEqual(new Set(['GET']));
      expect(cloud.asked.some(({ account }) => account === 'gitlab-ci-token')).toBe(true);
      limit(
        'Tokens come from another host (gitlab.com), by GET only; deleting asks for a scope of its own.',
      );
    });
  },
);
