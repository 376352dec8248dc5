import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeArtifact, makeImage, makeIndex } from '../../support/images/images.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const ARM = { os: 'linux', architecture: 'arm', variant: 'v7' };
const platforms = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64' },
  ARM,
];
const index = makeIndex({ platforms, attestations: true });
const [amd64, arm64, arm] = index.images;
const signature = makeArtifact({ subject: index.root, artifactType: 'application/vnd.sig' });
const ofArm64 = makeArtifact({ subject: arm64?.root, seed: 7 });
const armOnly = makeImage({ platform: ARM, seed: 40 });

let from: FakeRegistry;
let cwd: string;

beforeAll(async () => {
  from = await startFakeRegistry();
  const app = from.place.open('app');
  await index.pushAll(app, '1');
  await signature.pushAll(app);
  await ofArm64.pushAll(app);
  await armOnly.pushAll(app, 'arm');
});

beforeEach(() => {
  cwd = temporaryFolder('sparse');
});

function regi(...argv: readonly string[]): Promise<MainResult> {
  return runMain(argv, { cwd });
}

const digestOf = (node: { readonly root: { readonly digest: string } } | undefined): string =>
  node?.root.digest ?? '';

async function holds(registry: FakeRegistry, digest: string): Promise<boolean> {
  return (await regi('digest', `${registry.host}/app@${digest}`)).status === 0;
}

describe('A25: regi copy --sparse', () => {
  test('keeps the index and its signatures, and copies one image of it', async () => {
    const to = await startFakeRegistry({ sparse: true });
    const sparse = ['--sparse', '--platform', 'linux/amd64', '--referrers'];
    const copied = await regi('copy', ...sparse, `${from.host}/app:1`, `${to.host}/app:1`);
    expect([copied.status, copied.stdout]).toEqual([0, `${to.host}/app:1@${digestOf(index)}\n`]);
    expect(await holds(to, digestOf(amd64))).toBe(true);
    expect(await holds(to, digestOf(index.attestations[0]))).toBe(true);
    expect(await holds(to, digestOf(arm64))).toBe(false);
    expect(await holds(to, digestOf(signature))).toBe(true);
    expect(await holds(to, digestOf(ofArm64))).toBe(false);
    expect((await regi('files', `${to.host}/app:1`, '--platform', 'linux/amd64')).status).toBe(0);
    const again = await regi('copy', ...sparse, `${from.host}/app:1`, `${to.host}/app:1`);
    expect(again.stderr).toContain('is unchanged');
  });

  test('adds another image to the same index, and a forced copy completes it', async () => {
    const to = await startFakeRegistry({ sparse: true });
    const [source, target] = [`${from.host}/app:1`, `${to.host}/app:1`];
    await regi('copy', '--sparse', '--platform', 'linux/amd64', source, target);
    const more = await regi(
      'copy',
      '--sparse',
      '--platform',
      'linux/arm64',
      source,
      target,
      '--json',
    );
    expect(JSON.parse(more.stdout)).toMatchObject({ digest: digestOf(index), outcome: 'copied' });
    expect(await holds(to, digestOf(arm64))).toBe(true);
    expect(await holds(to, digestOf(arm))).toBe(false);
    await regi('copy', '--force', source, target);
    expect((await regi('verify', target)).stdout).toContain('whole');
  });

  test('without --platform copies the images that the source has', async () => {
    const [middle, to] = [
      await startFakeRegistry({ sparse: true }),
      await startFakeRegistry({ sparse: true }),
    ];
    const sparse = ['copy', '--sparse', '--platform', 'linux/arm64'];
    await regi(...sparse, `${from.host}/app:1`, `${middle.host}/app:1`);
    const copied = await regi('copy', '--sparse', `${middle.host}/app:1`, `${to.host}/app:1`);
    expect([copied.status, copied.stdout]).toEqual([0, `${to.host}/app:1@${digestOf(index)}\n`]);
    expect(await holds(to, digestOf(arm64))).toBe(true);
    expect(await holds(to, digestOf(index.attestations[1]))).toBe(true);
  });

  test('names the registry that refuses such an index, and says what to type', async () => {
    const to = await startFakeRegistry();
    const sparse = ['copy', '--sparse', '--platform', 'linux/amd64'];
    const refused = await regi(...sparse, `${from.host}/app:1`, `${to.host}/app:1`);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(`${to.host} refuses an index without all of its images`);
    expect(refused.stderr).toContain('drop --sparse');
  });

  test('of many images passes over platforms that one of them lacks', async () => {
    const to = await startFakeRegistry({ sparse: true });
    const sparse = ['copy', '--all-tags', '--sparse', '--platform', 'linux/amd64'];
    const copied = await regi(
      ...sparse,
      '--platform',
      'linux/s390x',
      `${from.host}/app`,
      `${to.host}/app`,
    );
    expect([copied.status, copied.stdout]).toEqual([0, `${to.host}/app:1@${digestOf(index)}\n`]);
    expect(copied.stderr).toContain(`"${to.host}/app:1" has no linux/s390x`);
    expect(copied.stderr).toContain(`Skipped "${to.host}/app:arm": it is not for linux/amd64`);
    const none = await regi(
      'copy',
      '--all-tags',
      '--platform',
      'linux/s390x',
      `${from.host}/app`,
      `${to.host}/b`,
    );
    expect([none.status, none.stderr]).toEqual([
      3,
      expect.stringContaining('in any of the images'),
    ]);
  });
});

describe('A25: an archive or layout of a part of an index', () => {
  const EXPORTS: readonly (readonly [string, readonly string[]])[] = [
    ['regi export', ['export', '-o', 'some.tar', 'SRC']],
    ['regi copy', ['copy', 'SRC', 'archive:some.tar']],
    ['regi pull -o', ['pull', '-o', 'some.tar', 'SRC']],
  ];

  test.each(EXPORTS)(
    '%s --sparse keeps the index, and other commands carry it on',
    async (_, argv) => {
      const typed = argv.map((word) => (word === 'SRC' ? `${from.host}/app:1` : word));
      const written = await regi(...typed, '--sparse', '--platform', 'linux/arm64');
      expect([written.status, written.stdout]).toEqual([
        0,
        expect.stringContaining(digestOf(index)),
      ]);
      const verified = await regi('verify', './some.tar');
      expect([verified.status, verified.stdout]).toEqual([0, expect.stringContaining('absent')]);
      expect(verified.stdout).not.toContain('missing');

      const to = await startFakeRegistry({ sparse: true });
      await regi('import', '--sparse', 'some.tar', to.host);
      const copied = await regi('copy', '--sparse', 'archive:some.tar', `${to.host}/copied:1`);
      expect(copied.stdout).toBe(`${to.host}/copied:1@${digestOf(index)}\n`);
      expect((await regi('digest', `${to.host}/app:1`)).stdout).toBe(`${digestOf(index)}\n`);
      const plain = await regi('import', 'some.tar', `${to.host}/plain`);
      expect(plain.stdout).toContain(digestOf(arm64));
      expect(plain.stderr).toContain('with --sparse');
    },
  );

  test("docker's manifest.json names the image that is there", async () => {
    const sparse = ['--sparse', '--platform', 'linux/arm64', '--platform', 'linux/arm/v7'];
    await regi('export', '-o', 'some.tar', `${from.host}/app:1`, ...sparse);
    const { stdout } = await regi(
      'inspect',
      'archive:some.tar',
      '--json',
      '--platform',
      'linux/arm64',
    );
    expect(JSON.parse(stdout)).toMatchObject({
      digest: digestOf(index),
      image: { digest: digestOf(arm64) },
    });
    await regi('copy', 'docker-archive:some.tar', 'oci:loaded:1');
    expect((await regi('config', 'oci:loaded:1')).stdout).toContain('"architecture":"arm64"');
  });

  test('regi verify --sparse accepts a layout, and without it the hint names the flag', async () => {
    await regi('copy', '--sparse', '--platform', 'linux/amd64', `${from.host}/app:1`, 'oci:some:1');
    const { manifests } = JSON.parse(readFileSync(join(cwd, 'some', 'index.json'), 'utf8')) as {
      manifests: readonly { digest: string }[];
    };
    expect(manifests.map(({ digest }) => digest)).toEqual([digestOf(index)]);
    const strict = await regi('verify', 'oci:some');
    expect([strict.status, strict.stderr]).toEqual([7, expect.stringContaining('add --sparse')]);
    const verified = await regi('verify', '--sparse', 'oci:some');
    expect([verified.status, verified.stdout]).toEqual([0, expect.stringContaining('4 absent')]);
  });

  test('regi pull --sparse needs a file or folder, and a platform', async () => {
    const local = await regi('pull', '--sparse', '--platform', 'linux/amd64', `${from.host}/app:1`);
    expect([local.status, local.stderr]).toEqual([2, expect.stringContaining('-o FILE')]);
    const alone = await regi('pull', '--sparse', '-o', 'a.tar', `${from.host}/app:1`);
    expect([alone.status, alone.stderr]).toEqual([2, expect.stringContaining('--platform')]);
  });
});
