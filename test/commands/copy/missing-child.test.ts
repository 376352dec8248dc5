import { expect, test } from 'vitest';

import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeIndex } from '../../support/images/images.ts';
import { runMain } from '../../support/cli/run-main.ts';

test('B13: copy names the child of an index that is gone, and what to type', async () => {
  const index = makeIndex();
  const [from, to] = [await startFakeRegistry(), await startFakeRegistry()];
  await index.pushAll(from.place.open('app'), 'v1');
  const gone = index.images[0]?.root.digest ?? '';
  from.fault({
    match: { path: new RegExp(`/manifests/${gone}`) },
    action: { kind: 'respond', status: 404 },
    times: 99,
  });
  const { status, stderr } = await runMain(['copy', `${from.host}/app:v1`, `${to.host}/app:v1`]);
  expect(status).toBe(3);
  expect(stderr).toContain(
    `app@${gone}": "${from.host}" does not have it (status 404); an index lists it`,
  );
  expect(stderr).toContain('copy the platforms that are there with --platform');
});
