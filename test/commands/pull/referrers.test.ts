import { beforeEach, describe, expect, test } from 'vitest';

import { makeArtifact, makeImage } from '../../support/images/images.ts';
import { localImages, type LocalImages } from '../../support/images/local-images.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';

const IMAGE = makeImage({ seed: 1 });
const SIGNATURE = makeArtifact({ size: 2000, subject: IMAGE.root });

let registry: FakeRegistry;
let local: LocalImages;
let image: string;

beforeEach(async () => {
  registry = await startFakeRegistry();
  const store = registry.place.open('app');
  await IMAGE.pushAll(store, '1');
  await SIGNATURE.pushAll(store, undefined);
  image = `${registry.host}/app:1`;
  local = localImages();
});

describe('D24: regi pull of a signed image', () => {
  test('warns that the signatures were not pulled', async () => {
    const { status, io } = await local.run(['pull', image]);
    expect([status, io.stderrText()]).toEqual([
      0,
      expect.stringContaining('has signatures or other referrers, which were not copied'),
    ]);
    expect(io.stderrText()).toContain('add --referrers');
  });

  test('--referrers keeps them in the local store', async () => {
    const { status, io } = await local.run(['pull', '--referrers', image]);
    expect([status, io.stderrText()]).toEqual([0, expect.not.stringContaining('warning')]);
    const shown = await local.run(['referrers', `local:${image}`]);
    expect(shown.io.stdoutText()).toContain(SIGNATURE.root.digest.slice(0, 19));
  });

  test('-a does not ask for the referrers of every tag', async () => {
    registry.forgetRequests();
    await local.run(['pull', '-a', `${registry.host}/app`]);
    expect(registry.requests.filter(({ url }) => url.includes('/referrers/'))).toEqual([]);
  });
});
