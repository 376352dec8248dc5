import { expect, test } from 'vitest';

import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage } from '../../support/images/images.ts';
import { runMain } from '../../support/cli/run-main.ts';

const image = makeImage({ layers: [100, 200, 3_000_000] });

/** Says 201 to mounts, and stores nothing (moby#53293). */
async function falseMounts(): Promise<FakeRegistry> {
  const registry = await startFakeRegistry();
  await image.pushAll(registry.place.open('one'), 'v1');
  registry.fault({
    match: { method: 'POST', path: /mount=/ },
    action: { kind: 'respond', status: 201, headers: { location: '/v2/two/blobs/x' } },
    times: 99,
  });
  return registry;
}

test('B19: copy uploads the blobs that a registry said it mounted and does not know', async () => {
  const registry = await falseMounts();
  const [from, to] = [`${registry.host}/one:v1`, `${registry.host}/two:v1`];
  expect(await runMain(['copy', from, to])).toMatchObject({ status: 0 });
  expect(await runMain(['verify', to])).toMatchObject({ status: 0 });
  const puts = registry.requests.filter(
    ({ method, url }) => method === 'PUT' && url.includes('/two/manifests/'),
  );
  expect(puts).toHaveLength(2);
});

test('B19: copy --force trusts no mount', async () => {
  const registry = await falseMounts();
  const [from, to] = [`${registry.host}/one:v1`, `${registry.host}/two:v1`];
  expect(await runMain(['copy', '--force', from, to])).toMatchObject({ status: 0 });
  expect(registry.requests.filter(({ url }) => url.includes('mount='))).toEqual([]);
});
