import { beforeEach, describe, expect, test } from 'vitest';

import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeArtifact, makeImage, makeIndex } from '../../support/images/images.ts';
import { instantClock } from '../../support/clock.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const amd64 = makeImage();
const arm64 = makeImage({ seed: 2, platform: { os: 'linux', architecture: 'arm64' } });
const s390x = makeImage({ seed: 3, platform: { os: 'linux', architecture: 's390x' } });

let registry: FakeRegistry;
let name: string;
beforeEach(async () => {
  registry = await startFakeRegistry();
  name = `${registry.host}/team/app`;
  const store = registry.place.open('team/app');
  await amd64.pushAll(store, 'amd64');
  await arm64.pushAll(store, 'arm64');
  await s390x.pushAll(registry.place.open('other/app'), 's390x');
});

interface IndexJson {
  readonly mediaType: string;
  readonly manifests: readonly {
    readonly digest: string;
    readonly platform?: { readonly architecture: string };
  }[];
  readonly annotations?: unknown;
}

async function manifestOf(reference: string): Promise<IndexJson> {
  return JSON.parse((await runMain(['manifest', 'get', reference])).stdout) as IndexJson;
}

async function digestsOf(reference: string): Promise<readonly string[]> {
  return (await manifestOf(reference)).manifests.map(({ digest }) => digest);
}

describe('regi index create', () => {
  test('lists images with the platforms of their configs, and copies those of other repositories', async () => {
    const { status, stdout } = await runMain([
      'index',
      'create',
      `${name}:1`,
      `${name}:amd64`,
      `${registry.host}/other/app:s390x`,
      '--annotation',
      'a=b',
    ]);
    const found = await manifestOf(`${name}:1`);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `${name}:1@${(await runMain(['digest', `${name}:1`])).stdout}`,
    });
    expect(found).toMatchObject({
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: [
        { digest: amd64.root.digest, platform: { os: 'linux', architecture: 'amd64' } },
        { digest: s390x.root.digest, platform: { os: 'linux', architecture: 's390x' } },
      ],
      annotations: { a: 'b' },
    });
    expect((await runMain(['verify', `${name}:1`])).status).toBe(0);
  });

  test('adds every entry of an index, attestations included, and each image once', async () => {
    const index = makeIndex({ attestations: true });
    await index.pushAll(registry.place.open('other/app'), 'all');
    expect(
      (
        await runMain([
          'index',
          'create',
          `${name}:1`,
          `${registry.host}/other/app:all`,
          `${registry.host}/other/app:s390x`,
          `@${amd64.root.digest}`,
        ])
      ).status,
    ).toBe(0);
    expect(await digestsOf(`${name}:1`)).toEqual(
      [...index.images, ...index.attestations, s390x].map(({ root }) => root.digest),
    );
  });

  test("makes docker's kind of index of docker's images", async () => {
    const docker = makeImage({ format: 'docker' });
    await docker.pushAll(registry.place.open('team/app'), 'docker');
    await runMain(['index', 'create', `${name}:1`, `${name}:docker`]);
    expect(await manifestOf(`${name}:1`)).toMatchObject({
      mediaType: MEDIA_TYPE.dockerManifestList,
    });
    await runMain(['index', 'add', `${name}:1`, `${name}:arm64`]);
    expect(await manifestOf(`${name}:1`)).toMatchObject({
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: [{ digest: docker.root.digest }, { digest: arm64.root.digest }],
    });
  });

  test('creates an index in a layout', async () => {
    const folder = temporaryFolder('layout');
    expect(
      await runMain(['index', 'create', `oci:${folder}:1`, `${name}:amd64`, `${name}:arm64`]),
    ).toMatchObject({ status: 0 });
    expect(await digestsOf(`oci:${folder}:1`)).toEqual([amd64.root.digest, arm64.root.digest]);
  });

  test('refuses two images of one platform, and copies nothing', async () => {
    await makeImage({ seed: 7 }).pushAll(registry.place.open('other/app'), 'amd64');
    registry.forgetRequests();
    const { status, stderr } = await runMain([
      'index',
      'create',
      `${name}:1`,
      `${name}:amd64`,
      `${registry.host}/other/app:amd64`,
    ]);
    expect({ status, puts: registry.count('PUT'), posts: registry.count('POST') }).toEqual({
      status: 1,
      puts: 0,
      posts: 0,
    });
    expect(stderr).toContain('Cannot list two images for "linux/amd64"');
  });

  test('refuses a digest as the name', async () => {
    expect(
      (await runMain(['index', 'create', `${name}@${amd64.root.digest}`, `${name}:amd64`])).status,
    ).toBe(2);
  });
});

describe('regi index add and remove', () => {
  beforeEach(async () => {
    await runMain([
      'index',
      'create',
      `${name}:1`,
      `${name}:amd64`,
      `${name}:arm64`,
      '--annotation',
      'a=b',
    ]);
  });

  test('add moves the tag to an index with one more image, and keeps the rest', async () => {
    expect(
      (await runMain(['index', 'add', `${name}:1`, `${registry.host}/other/app:s390x`])).status,
    ).toBe(0);
    expect(await manifestOf(`${name}:1`)).toMatchObject({ annotations: { a: 'b' } });
    expect(await digestsOf(`${name}:1`)).toEqual([
      amd64.root.digest,
      arm64.root.digest,
      s390x.root.digest,
    ]);
  });

  test('add of a listed image changes nothing', async () => {
    const before = (await runMain(['digest', `${name}:1`])).stdout;
    expect(
      JSON.parse((await runMain(['index', 'add', '--json', `${name}:1`, `${name}:arm64`])).stdout),
    ).toMatchObject({ outcome: 'unchanged' });
    expect((await runMain(['digest', `${name}:1`])).stdout).toBe(before);
  });

  test('add replaces an image of the same platform only with --replace', async () => {
    const other = makeImage({ seed: 8 });
    await other.pushAll(registry.place.open('team/app'), 'fixed');
    const refused = await runMain(['index', 'add', `${name}:1`, `${name}:fixed`]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('--replace');
    expect(
      (await runMain(['index', 'add', '--replace', `${name}:1`, `${name}:fixed`])).status,
    ).toBe(0);
    expect(await digestsOf(`${name}:1`)).toEqual([arm64.root.digest, other.root.digest]);
  });

  test('remove removes exactly that platform, not a similar one', async () => {
    const missing = await runMain(['index', 'remove', `${name}:1`, '--platform', 'linux/arm/v7']);
    expect(missing.status).toBe(3);
    expect(missing.stderr).toContain('it has linux/amd64, linux/arm64');
    expect(
      (await runMain(['index', 'remove', `${name}:1`, '--platform', 'linux/arm64'])).status,
    ).toBe(0);
    expect(await digestsOf(`${name}:1`)).toEqual([amd64.root.digest]);
    expect((await runMain(['digest', `${name}@${arm64.root.digest}`])).status).toBe(0);
  });

  test('remove also removes attestations', async () => {
    const index = makeIndex({ attestations: true });
    await index.pushAll(registry.place.open('team/app'), 'built');
    await runMain(['index', 'remove', `${name}:built`, index.images[0]?.root.digest ?? '']);
    expect(await digestsOf(`${name}:built`)).toEqual([
      index.images[1]?.root.digest,
      index.attestations[1]?.root.digest,
    ]);
  });

  test('remove leaves something', async () => {
    expect(
      (await runMain(['index', 'remove', `${name}:1`, amd64.root.digest, arm64.root.digest]))
        .status,
    ).toBe(2);
    expect(await digestsOf(`${name}:1`)).toHaveLength(2);
  });

  test('warn of signatures that the changed index has not', async () => {
    const { digest } = await registry.place.open('team/app').resolve('1');
    await makeArtifact({ subject: await registry.place.open('team/app').resolve(digest) }).pushAll(
      registry.place.open('team/app'),
    );
    expect((await runMain(['index', 'remove', `${name}:1`, amd64.root.digest])).stderr).toContain(
      'sign it again',
    );
  });

  test.each([
    [['add', 'amd64', 'arm64'], 2, 'regi index create'],
    [['remove', 'amd64', amd64.root.digest], 2, 'regi index create'],
    [['remove', '1'], 2, 'regi inspect'],
    [['remove', '1', s390x.root.digest], 3, 'regi inspect'],
    [['add', 'nope', 'arm64'], 3, 'check the spelling'],
  ])(
    '%j ends with %d and says what to type',
    async ([verb = '', tag = '', rest], expected, hint) => {
      const last = rest === undefined ? [] : [rest.startsWith('sha') ? rest : `${name}:${rest}`];
      const { status, stderr } = await runMain(['index', verb, `${name}:${tag}`, ...last]);
      expect(status).toBe(expected);
      expect(stderr).toContain(hint);
    },
  );

  test('work in a layout', async () => {
    const folder = temporaryFolder('layout');
    const index = makeIndex();
    await index.pushAll(await openLayout(folder, { create: true, clock: instantClock() }), '1');
    expect(
      (await runMain(['index', 'rm', `oci:${folder}:1`, '--platform', 'linux/amd64'])).status,
    ).toBe(0);
    expect(
      (await runMain(['index', 'add', `oci:${folder}:1`, `@${index.images[0]?.root.digest}`]))
        .status,
    ).toBe(0);
    expect(await digestsOf(`oci:${folder}:1`)).toEqual([
      index.images[1]?.root.digest,
      index.images[0]?.root.digest,
    ]);
  });
});
