import { expect, test } from 'vitest';

import { makeImage } from '../../support/images/images.ts';
import { describeCloud, layoutOf, seed } from '../cloud-contract.ts';
import { ecrPrivate } from './ecr-private.ts';
import { withRegistry } from '../library.ts';

describeCloud('ecr-private', ecrPrivate, ({ served, limit }) => {
  test('chunks are counted by who sends them, and are not smaller than 5 MiB', async () => {
    const { layout } = await layoutOf({ layers: [11_000_000], seed: 51 });
    const before = served().seen.length;
    expect(
      await served().regi(['copy', '--chunk-size', '1000000', layout, served().ref('chunked')]),
    ).toMatchObject({ status: 0 });
    const patches = served()
      .seen.slice(before)
      .filter(({ method }) => method === 'PATCH');
    expect(
      patches.map(({ status, headers }) => [status, headers['content-range']?.split('-')[0]]),
    ).toEqual([
      [201, '0'],
      [201, '5242880'],
      [201, '10485760'],
    ]);
    limit(
      'A chunk has 5 to 20 MiB, and `--chunk-size` is adjusted. `Range` stays at the first chunk, so regi counts itself.',
    );
  });

  test('more than 1000 tags come page by page', async () => {
    const tags = Array.from({ length: 1005 }, (_, index) => `t${index}`);
    seed(served().emulation.core, 'many', tags, makeImage({ seed: 52 }));
    const { stdout } = await served().regi([
      'tags',
      'list',
      served().ref('1', 'many').replace(/:1$/, ''),
    ]);
    expect(stdout.trim().split('\n').toSorted()).toEqual(tags.toSorted());
    limit('A page of tags has at most 1000. `last` is opaque, so only the link is followed.');
  });

  test('a deletion says by what to delete', async () => {
    await withRegistry(served(), async ({ open }) => {
      await expect(open('team/app').untag('1')).rejects.toMatchObject({
        code: 'REFUSED',
        hint: 'delete it with: aws ecr batch-delete-image',
      });
    });
    limit('The registry API deletes nothing. Use `aws ecr batch-delete-image`.');
  });

  test('a repository that is not there ends with status 3, and says so', async () => {
    const { layout } = await layoutOf({ seed: 53 });
    const { status, stderr } = await served().regi([
      'copy',
      layout,
      served().ref('1', 'nobody/made/this'),
    ]);
    expect([status, stderr]).toEqual([
      3,
      expect.stringMatching(/'nobody\/made\/this' does not exist[^]*create the repository first/),
    ]);
    limit('A repository must exist before the first push.');
  });

  test('a tag of an immutable repository ends with status 1, and the reason is shown', async () => {
    const [first, second] = [await layoutOf({ seed: 54 }), await layoutOf({ seed: 55 })];
    await served().regi(['copy', first.layout, served().ref('1', 'immutable')]);
    const { status, stderr } = await served().regi([
      'copy',
      second.layout,
      served().ref('1', 'immutable'),
    ]);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('because the repository is immutable'),
    ]);
  });
});
