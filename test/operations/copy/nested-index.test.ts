import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { toDescriptorJson, type Descriptor } from '../../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import { bytesOf } from '../../../src/bytes.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage, nodeOf, type TestNode } from '../../support/images/images.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };
const S390X = { os: 'linux', architecture: 's390x' };
const [amd64, arm64, s390x] = [AMD64, ARM64, S390X].map((platform, seed) =>
  makeImage({ platform, seed: seed + 60 }),
) as [ReturnType<typeof makeImage>, ReturnType<typeof makeImage>, ReturnType<typeof makeImage>];

function indexOf(manifests: readonly Descriptor[]): TestNode {
  return nodeOf(
    MEDIA_TYPE.ociIndex,
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.ociIndex,
        manifests: manifests.map(toDescriptorJson),
        annotations: { a: 'b' },
      }),
    ),
  );
}

// An inner index with platforms of its own, and one whose platform only its entry tells.
const inner = indexOf([
  { ...amd64.root, platform: AMD64 },
  { ...arm64.root, platform: ARM64 },
]);
const innermost = indexOf([s390x.root]);
const deeper = indexOf([{ ...innermost.descriptor, platform: S390X }]);
const outer = indexOf([inner.descriptor, deeper.descriptor]);

let from: FakeRegistry;
let cwd: string;
let image: string;

beforeAll(async () => {
  from = await startFakeRegistry();
  image = `${from.host}/app:1`;
  const app = from.place.open('app');
  for (const each of [amd64, arm64, s390x]) await each.pushAll(app);
  for (const { descriptor, bytes } of [inner, innermost, deeper, outer])
    await app.push(descriptor, bytesOf(bytes));
  await app.tag(outer.descriptor, '1');
});

beforeEach(() => {
  cwd = temporaryFolder('nested');
});

function regi(...argv: readonly string[]): Promise<MainResult> {
  return runMain(argv, { cwd });
}

describe('indexes in an index', () => {
  test('A2: inspect lists the platforms of all levels, and shows an image of the innermost', async () => {
    const { stdout } = await regi('inspect', image, '--json', '--platform', 'linux/s390x');
    const report = JSON.parse(stdout) as { manifests: { digest: string; platform: string }[] };
    expect(report).toMatchObject({ image: { digest: s390x.root.digest } });
    expect(report.manifests.map(({ digest, platform }) => [digest, platform])).toEqual([
      [amd64.root.digest, 'linux/amd64'],
      [arm64.root.digest, 'linux/arm64'],
      [s390x.root.digest, 'linux/s390x'],
    ]);
  });

  test.each([
    ['linux/arm64', arm64],
    ['linux/s390x', s390x],
  ])('A2: --platform %s finds its image at any depth', async (platform, { root, config }) => {
    const found = await regi('digest', image, '--platform', platform);
    expect(found.stdout).toBe(`${root.digest}\n`);
    const { status, stdout } = await regi('config', image, '--platform', platform);
    expect([status, stdout.length]).toEqual([0, config.size]);
    for (const command of ['files', 'rootfs'])
      expect((await regi(command, image, '--platform', platform)).status).toBe(0);
    const copied = await regi('copy', image, 'oci:one:1', '--platform', platform);
    expect(copied.stdout).toBe(`oci:one@${root.digest}\n`);
  });

  test('A2: a smaller index is valid, and keeps whole inner indexes', async () => {
    const wanted = ['--platform', 'linux/s390x', '--platform', 'linux/amd64'];
    expect((await regi('copy', image, 'oci:two:1', ...wanted)).status).toBe(0);
    const { stdout } = await regi('manifest', 'get', 'oci:two:1');
    expect(JSON.parse(stdout)).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: [
        toDescriptorJson({ ...amd64.root, platform: AMD64 }),
        toDescriptorJson(deeper.descriptor),
      ],
      annotations: { a: 'b' },
    });
    const verified = await regi('verify', 'oci:two');
    expect([verified.status, verified.stdout]).toEqual([0, expect.stringContaining('whole')]);
    const all = ['amd64', 'arm64', 's390x'].flatMap((cpu) => ['--platform', `linux/${cpu}`]);
    const same = await regi('copy', image, 'oci:all:1', ...all);
    expect(same.stdout).toBe(`oci:all@${outer.descriptor.digest}\n`);
  });

  test('A2: an entry of an inner index takes the platform of that index along', async () => {
    const mixed = indexOf([{ ...indexOf([amd64.root, arm64.root]).descriptor, platform: AMD64 }]);
    const inside = indexOf([amd64.root, arm64.root]);
    const app = from.place.open('app');
    const two = indexOf([
      ...JSON.parse(Buffer.from(mixed.bytes).toString()).manifests,
      { ...s390x.root, platform: S390X },
    ]);
    for (const { descriptor, bytes } of [inside, two]) await app.push(descriptor, bytesOf(bytes));
    await app.tag(two.descriptor, '2');
    const wanted = ['--platform', 'linux/s390x', '--platform', 'linux/amd64'];
    await regi('copy', `${from.host}/app:2`, 'oci:two:1', ...wanted);
    const { stdout } = await regi('inspect', 'oci:two:1', '--json');
    const report = JSON.parse(stdout) as { manifests: { platform: string }[] };
    expect(report.manifests.map(({ platform }) => platform)).toEqual([
      'linux/amd64',
      'linux/s390x',
    ]);
  });

  test('A2: an archive has manifest.json for docker, and a sparse copy keeps the digest', async () => {
    expect((await regi('export', image, '-o', 'all.tar')).status).toBe(0);
    await regi('copy', 'docker-archive:all.tar', 'oci:loaded:1');
    expect((await regi('config', 'oci:loaded:1')).stdout).toContain('"architecture":"amd64"');
    const sparse = ['--sparse', '--platform', 'linux/arm64'];
    const copied = await regi('copy', image, 'oci:some:1', ...sparse);
    expect(copied.stdout).toBe(`oci:some@${outer.descriptor.digest}\n`);
    expect((await regi('digest', 'oci:some:1', '--platform', 'linux/arm64')).stdout).toBe(
      `${arm64.root.digest}\n`,
    );
    expect((await regi('verify', '--sparse', 'oci:some')).status).toBe(0);
  });

  test('A2: deeper nesting than any real image is refused, whatever the command', async () => {
    const app = from.place.open('app');
    let node = inner;
    for (let level = 0; level < 9; level += 1) {
      node = indexOf([node.descriptor]);
      await app.push(node.descriptor, bytesOf(node.bytes));
    }
    await app.tag(node.descriptor, 'deep');
    for (const argv of [
      ['inspect', `${from.host}/app:deep`],
      ['copy', `${from.host}/app:deep`, 'oci:deep'],
    ]) {
      const { status, stderr } = await regi(...argv);
      expect([status, stderr]).toEqual([7, expect.stringContaining('8 levels of indexes')]);
    }
  });
});
