import { expect, test } from 'vitest';

import { makeArtifact, makeImage } from '../../support/images/images.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

test('A5: a blob that the base archive carried for another repository is mounted for the one referrer of two that needs it', async () => {
  const cwd = temporaryFolder('since-referrers');
  const [from, to] = [await startFakeRegistry(), await startFakeRegistry()];
  const image = makeImage();
  const [one, two] = [5, 6].map((seed) => makeArtifact({ subject: image.root, size: 3000, seed }));
  const other = makeArtifact({ artifactType: 'application/vnd.other', size: 3000, seed: 5 });
  await image.pushAll(from.place.open('app'), 'v1');
  await one?.pushAll(from.place.open('app'));
  await two?.pushAll(from.place.open('app'));
  await other.pushAll(from.place.open('other'), 'v1');
  for (const argv of [
    ['export', '-o', 'base.tar', `${from.host}/other:v1`],
    ['export', '-o', 'next.tar', '--since', 'base.tar', '--referrers', `${from.host}/app:v1`],
    ['import', 'base.tar', to.host],
  ])
    expect((await runMain(argv, { cwd })).status).toBe(0);
  const { status, stdout, stderr } = await runMain(['import', 'next.tar', to.host], { cwd });
  expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
  expect(stdout.split('\n').map((line) => line.split('@')[1])).toEqual(
    expect.arrayContaining([one, two, image].map((made) => made?.root.digest)),
  );
  const [shared] = other.layers;
  expect(
    to.requests.flatMap(({ url }) =>
      url.includes(`/app/blobs/uploads/?mount=${shared?.digest}`) ? [url] : [],
    ),
  ).toEqual([`/v2/app/blobs/uploads/?mount=${shared?.digest}&from=other`]);
  for (const made of [one, two])
    for (const node of made === undefined ? [] : [made.root, ...made.layers])
      expect(await to.place.open('app').exists(node)).toBe(true);
});
