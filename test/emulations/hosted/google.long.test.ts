import { expect, test } from 'vitest';

import { describeCloud, layoutOf } from '../cloud-contract.ts';
import { google } from './google.ts';
import { withRegistry } from '../library.ts';

let gcr: ReturnType<typeof google>;

describeCloud(
  'gcr',
  () => (gcr = google('gcr.io')),
  ({ served, limit }) => {
    test('a 401 without a challenge is answered by that of the ping', () => {
      expect(
        served().seen.some(
          ({ url, status, authorization }) =>
            url.pathname === '/v2/' && status === 401 && authorization === undefined,
        ),
      ).toBe(true);
      expect(gcr.asked.every(({ method }) => method === 'GET')).toBe(true);
      limit('Some error responses name no token service. regi then asks `/v2/` for it.');
    });
  },
);

describeCloud(
  'artifact-registry',
  () => google('europe-docker.pkg.dev'),
  ({ served, limit }) => {
    test('an upload is one request, whatever size of chunks was asked for', async () => {
      const { layout } = await layoutOf({ layers: [3_000_000], seed: 71 });
      const before = served().seen.length;
      expect(
        await served().regi(['copy', '--chunk-size', '1000000', layout, served().ref('whole')]),
      ).toMatchObject({ status: 0 });
      expect(
        served()
          .seen.slice(before)
          .filter(({ method }) => method === 'PATCH'),
      ).toEqual([]);
      limit('Chunked uploads are not supported, so `--chunk-size` has no effect.');
    });

    test('what a tag names is not deleted, and the hint says what to delete first', async () => {
      const { layout, image } = await layoutOf({ seed: 72 });
      await served().regi(['copy', layout, served().ref('dangling')]);
      await withRegistry(served(), async ({ open }) => {
        await expect(open('project/repo/app').delete(image.root)).rejects.toMatchObject({
          message: expect.stringContaining(
            'Manifest is still referenced by tag: dangling',
          ) as string,
          hint: 'delete its tags first: regi tags delete',
        });
      });
      // skopeo goes by digest alone.
      const deleted = await served().skopeo(['delete', `docker://${served().ref('dangling')}`]);
      expect([deleted.status, deleted.stderr]).toEqual([
        1,
        expect.stringContaining('GOOGLE_MANIFEST_DANGLING_TAG'),
      ]);
      limit('A manifest can be deleted only after its tags.');
    });
  },
);
