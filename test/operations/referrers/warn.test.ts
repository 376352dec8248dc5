import { join } from 'node:path';

import { expect, test } from 'vitest';

import { cosignTags } from '../../../src/operations/referrers/walk.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeArtifact, makeImage } from '../../support/images/images.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const WARNING = 'The image has signatures or other referrers, which were not copied';
const image = makeImage();
const sbom = makeArtifact({ subject: image.root });
const signature = makeImage({ seed: 9 });

async function copyWith(...flags: readonly string[]): Promise<string> {
  const registry = await startFakeRegistry();
  const store = registry.place.open('app');
  await image.pushAll(store, 'plain');
  if (flags.includes('tagged')) await signature.pushAll(store, cosignTags(image.root.digest)[0]);
  if (flags.includes('listed')) await sbom.pushAll(store);
  if (flags.includes('refusing'))
    registry.fault({
      match: { path: /referrers|sha256-/ },
      times: Number.POSITIVE_INFINITY,
      action: { kind: 'respond', status: 403 },
    });
  const argv = ['copy', `${registry.host}/app:plain`, `oci:${join(temporaryFolder(), 'to')}:v1`];
  const { status, stderr } = await runMain([...argv, ...flags.filter((flag) => flag[0] === '-')]);
  expect(status).toBe(0);
  return stderr;
}

test.each(['listed', 'tagged'])('copy warns when it leaves a referrer behind: %s', async (kind) => {
  const stderr = await copyWith(kind);
  expect(stderr).toContain(WARNING);
  expect(stderr).toContain('--referrers');
});

test.each([
  ['no referrers', []],
  ['--referrers', ['listed', '--referrers']],
  ['a source that refuses to list them', ['listed', 'refusing']],
])('copy does not warn with %s', async (_, flags) => {
  expect(await copyWith(...flags)).not.toContain(WARNING);
});
