import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { readManifest } from '../../../src/operations/copy/read-manifest.ts';
import { canListReferrers, type Store } from '../../../src/store.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { instantClock } from '../../support/clock.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const SPDX = 'application/spdx+json';
const image = makeIndex();

let registry: FakeRegistry;
let name: string;
let cwd: string;
beforeEach(async () => {
  registry = await startFakeRegistry();
  name = `${registry.host}/team/app`;
  await image.pushAll(registry.place.open('team/app'), '1.4');
  cwd = temporaryFolder('cwd');
  writeFileSync(join(cwd, 'sbom.json'), '{"spdxVersion":"SPDX-2.3"}');
  writeFileSync(join(cwd, 'notes.txt'), 'tested');
});

describe('regi attach', () => {
  test('makes an artifact of the files that refers to the image, and prints its name', async () => {
    const { status, stdout } = await runMain(
      [
        'attach',
        'sbom.json',
        'notes.txt',
        '--to',
        `${name}:1.4`,
        '--type',
        SPDX,
        '--annotation',
        'org.example.by=me=you',
      ],
      { cwd },
    );
    const store = registry.place.open('team/app');
    const [referrer] = await referrersOf(store, image.root);
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${name}@${referrer?.digest}\n` });
    expect(referrer).toMatchObject({ artifactType: SPDX });
    const { bytes } = await readManifest(store, referrer ?? image.root);
    expect(JSON.parse(new TextDecoder().decode(bytes))).toMatchObject({
      artifactType: SPDX,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', size: 2 },
      subject: {
        digest: image.root.digest,
        size: image.root.size,
        mediaType: image.root.mediaType,
      },
      layers: [
        {
          mediaType: 'application/json',
          size: 26,
          annotations: { 'org.opencontainers.image.title': 'sbom.json' },
        },
        {
          mediaType: 'application/octet-stream',
          size: 6,
          annotations: { 'org.opencontainers.image.title': 'notes.txt' },
        },
      ],
      annotations: { 'org.example.by': 'me=you' },
    });
    expect(await store.resolve('1.4')).toMatchObject({ digest: image.root.digest });
  });

  test('changes nothing when the same is attached again, and says so', async () => {
    const argv = ['attach', 'sbom.json', '--to', `${name}:1.4`, '--type', SPDX, '--json'];
    const first = JSON.parse((await runMain(argv, { cwd })).stdout) as Record<string, unknown>;
    const second = JSON.parse((await runMain(argv, { cwd })).stdout) as Record<string, unknown>;
    expect(first).toMatchObject({
      name,
      outcome: 'copied',
      artifactType: SPDX,
      subject: image.root.digest,
    });
    expect(second).toEqual({ ...first, outcome: 'unchanged' });
    expect(await referrersOf(registry.place.open('team/app'), image.root)).toHaveLength(1);
  });

  test('attaches to the manifest of a platform', async () => {
    await runMain(
      ['attach', 'sbom.json', '--to', `${name}:1.4`, '--type', SPDX, '--platform', 'linux/arm64'],
      { cwd },
    );
    expect(
      await referrersOf(registry.place.open('team/app'), image.images[1]?.root ?? image.root),
    ).toHaveLength(1);
  });

  test('goes along with copy --referrers', async () => {
    const { stdout } = await runMain(
      ['attach', 'sbom.json', '--to', `${name}:1.4`, '--type', SPDX],
      { cwd },
    );
    const copied = await runMain([
      'copy',
      '--referrers',
      `${name}:1.4`,
      `${registry.host}/mirror/app:1.4`,
    ]);
    expect(copied.status).toBe(0);
    const [referrer] = await referrersOf(registry.place.open('mirror/app'), image.root);
    expect(stdout).toBe(`${name}@${referrer?.digest}\n`);
  });

  test('attaches in a layout', async () => {
    const folder = temporaryFolder('layout');
    const layout = await openLayout(folder, { create: true, clock: instantClock() });
    await image.pushAll(layout, '1');
    const { status, stdout } = await runMain(
      ['attach', 'sbom.json', '--to', `oci:${folder}:1`, '--type', SPDX],
      { cwd },
    );
    const [referrer] = await referrersOf(layout, image.root);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `oci:${folder}@${referrer?.digest}\n`,
    });
  });

  test('creates no layout for a mistyped path', async () => {
    expect(
      (await runMain(['attach', 'sbom.json', '--to', 'oci:./nowhere:1', '--type', SPDX], { cwd }))
        .status,
    ).toBe(3);
  });

  test.each([
    ['no type', ['sbom.json', '--to', 'app:1'], 2, 'add --type application/spdx+json'],
    ['no image', ['sbom.json', '--type', SPDX], 2, 'add --to registry.example/app:1.4'],
    [
      'a type that is none',
      ['sbom.json', '--to', 'app:1', '--type', 'spdx'],
      2,
      'such as application/spdx+json',
    ],
    [
      'an annotation without a value',
      ['sbom.json', '--to', 'app:1', '--type', SPDX, '--annotation', 'x'],
      2,
      'org.example.build=42',
    ],
    [
      'a missing file',
      ['nope.json', '--to', 'app:1', '--type', SPDX],
      3,
      'check the spelling of the path',
    ],
    ['a folder', ['folder', '--to', 'app:1', '--type', SPDX], 3, 'pack it first'],
    [
      'an archive',
      ['sbom.json', '--to', 'archive:x.tar', '--type', SPDX],
      2,
      'copy it into a layout first',
    ],
  ])('says what is wrong with %s', async (_what, argv, expected, hint) => {
    mkdirSync(join(cwd, 'folder'));
    const { status, stdout, stderr } = await runMain(['attach', ...argv], { cwd });
    expect({ status, stdout }).toEqual({ status: expected, stdout: '' });
    expect(stderr).toContain(hint);
  });
});

async function referrersOf(store: Store, target: Descriptor): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  if (canListReferrers(store))
    for await (const referrer of store.listReferrers(target)) found.push(referrer);
  return found;
}

test('regi attach finds an image of the same bytes in another repository by its own name', async () => {
  await makeImage().pushAll(registry.place.open('other/app'), '1');
  const { status } = await runMain(
    ['attach', 'notes.txt', '--to', `${registry.host}/other/app:1`, '--type', 'text/plain'],
    { cwd },
  );
  expect({
    status,
    there: await referrersOf(registry.place.open('team/app'), makeImage().root),
  }).toMatchObject({ status: 0 });
});
