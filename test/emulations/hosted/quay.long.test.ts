import { expect, test } from 'vitest';

import { makeImage } from '../../support/images/images.ts';
import { describeCloud, layoutOf, seed } from '../cloud-contract.ts';
import { quay } from './quay.ts';

let cloud: ReturnType<typeof quay>;

describeCloud(
  'quay',
  () => (cloud = quay()),
  ({ served, limit }) => {
    test('scopes are pull and push only, also to delete', () => {
      const actions = cloud.asked.flatMap(({ scopes }) =>
        scopes.flatMap((scope) => scope.split(':').at(-1)?.split(',') ?? []),
      );
      expect(new Set(actions)).toEqual(new Set(['pull', 'push']));
      limit('Scopes are pull and push; deleting needs push.');
    });

    test('pages are of 100 tags, whatever was asked for', async () => {
      const tags = Array.from({ length: 250 }, (_, index) => `t${index}`);
      seed(cloud.core, 'ns/many', tags, makeImage({ seed: 101 }));
      const before = served().seen.length;
      const { stdout } = await served().regi([
        'tags',
        'list',
        served().ref('1', 'ns/many').replace(/:1$/, ''),
      ]);
      expect(stdout.trim().split('\n')).toEqual(tags);
      const pages = served()
        .seen.slice(before)
        .filter(({ url, status }) => url.pathname.endsWith('/tags/list') && status === 200);
      expect(pages).toHaveLength(3);
      limit('A page has at most 100 tags, oldest first.');
    });

    test('ranges that are counted in another way do no harm to chunks', async () => {
      const { layout, image } = await layoutOf({ layers: [3_000_000], seed: 102 });
      expect(
        await served().regi(['copy', '--chunk-size', '1000000', layout, served().ref('chunked')]),
      ).toMatchObject({ status: 0 });
      expect((await served().regi(['digest', served().ref('chunked')])).stdout).toBe(
        `${image.root.digest}\n`,
      );
    });

    test('a nested name ends with status 1, and the reason is shown', async () => {
      const { layout } = await layoutOf({ seed: 103 });
      const { status, stderr } = await served().regi([
        'copy',
        layout,
        served().ref('1', 'ns/nested/app'),
      ]);
      expect([status, stderr]).toEqual([
        1,
        expect.stringContaining('Nested repositories are not supported'),
      ]);
      limit('Nested repository names are refused unless the server enables them.');
    });
  },
);
