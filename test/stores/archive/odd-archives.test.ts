import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { beforeEach, describe, expect, test } from 'vitest';

import { encodedOf } from '../../../src/oci/digest.ts';
import { toDescriptorJson } from '../../../src/oci/descriptor.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { json, layoutMembers } from '../../support/images/archives.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { makeArtifact, makeImage, makeIndex } from '../../support/images/images.ts';
import { writeTar, type TarMember } from '../../support/images/tar-builder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const image = makeImage({ layers: [1000, 2000] });
/** A zstd frame of no bytes. */
const EMPTY_ZSTD = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0]);
let cwd: string;

beforeEach(() => {
  cwd = temporaryFolder('odd');
});

function regi(...argv: readonly string[]): Promise<MainResult> {
  return runMain(argv, { cwd });
}

/** A docker archive of `image`, its first layer packed as zstd. */
function zstdArchive(tags: readonly string[]): readonly TarMember[] {
  const bytesOf = (at: number): Uint8Array => {
    const layer = image.layers[at];
    return gunzipSync((layer && image.nodes.get(layer.digest)?.bytes) ?? new Uint8Array());
  };
  const name = `${encodedOf(image.config.digest)}.json`;
  return [
    { name: '0.tar', content: EMPTY_ZSTD },
    { name: '1.tar', content: bytesOf(1) },
    { name, content: image.nodes.get(image.config.digest)?.bytes ?? new Uint8Array() },
    json('manifest.json', [{ Config: name, RepoTags: tags, Layers: ['0.tar', '1.tar'] }]),
  ];
}

describe('a docker archive', () => {
  test('A8: with a zstd layer gives an OCI manifest, in which all types are OCI types', async () => {
    const path = writeTar(zstdArchive(['app:1']));
    const { status, stdout } = await regi('manifest', 'get', `archive:${path}`);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json' },
      layers: [
        { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' },
        { mediaType: 'application/vnd.oci.image.layer.v1.tar' },
      ],
    });
  });

  test.each([
    ['app:1@sha256:' + 'a'.repeat(64), 'app:1'],
    ['app@sha256:' + 'a'.repeat(64), undefined],
  ])('A12: the name "%s" is imported as %s', async (name, tag) => {
    const path = writeTar(zstdArchive([name]), 'thing.tar');
    const registry = await startFakeRegistry();
    const { status, stdout, stderr } = await regi('import', path, registry.host);
    expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
    if (tag === undefined) expect(stdout).toMatch(/@sha256:/);
    else expect((await regi('digest', `${registry.host}/library/${tag}`)).status).toBe(0);
  });
});

describe('an image layout in a tar', () => {
  const index = makeIndex();
  const signature = makeArtifact({ subject: index.root });
  const entries = (named: boolean): readonly unknown[] => [
    { ...index.root, ...(named && { annotations: { [REF_NAME]: '1' } }) },
    ...index.images.map(({ root }) => root),
    signature.root,
  ];
  const members = (manifests: readonly unknown[]): readonly TarMember[] => [
    ...layoutMembers([{ image: index }, { image: signature }]).filter(
      ({ name }) => name !== 'index.json',
    ),
    json('index.json', { schemaVersion: 2, manifests }),
  ];

  test.each([true, false])(
    'A10: with its children and referrers listed beside it is one image (named: %s)',
    async (named) => {
      const path = writeTar(members(entries(named)));
      const { status, stdout } = await regi('digest', `archive:${path}`);
      expect([status, stdout]).toEqual([0, `${index.root.digest}\n`]);
      expect((await regi('copy', `archive:${path}`, 'oci:out:1')).status).toBe(0);
      expect((await regi('digest', 'oci:out:1')).stdout).toBe(`${index.root.digest}\n`);
    },
  );

  test('A11: an annotation that is no text does not make an image unusable', async () => {
    const odd = {
      ...toDescriptorJson(image.root),
      annotations: { [REF_NAME]: '1', 'example.count': 3 },
    };
    const path = writeTar([
      ...layoutMembers([{ image }]).filter(({ name }) => name !== 'index.json'),
      json('index.json', { schemaVersion: 2, manifests: [odd] }),
    ]);
    expect((await regi('copy', `archive:${path}:1`, 'oci:out:1')).status).toBe(0);
  });

  test('A23: signatures arrive before the tag of their image moves', async () => {
    const tag = `sha256-${encodedOf(image.root.digest)}.sig`;
    const sig = makeArtifact({ seed: 9 });
    const path = writeTar(
      layoutMembers([
        { image, refName: 'v1', fullName: 'registry.example/app:v1' },
        { image: sig, refName: tag, fullName: `registry.example/app:${tag}` },
      ]),
    );
    const registry = await startFakeRegistry();
    expect((await regi('import', path, registry.host)).status).toBe(0);
    const puts = registry.requests.flatMap(({ method, url }) =>
      method === 'PUT' && url.includes('/manifests/') ? [url.split('/').at(-1)] : [],
    );
    expect(puts).toEqual([tag, 'v1']);
  });

  test('A5: two untagged images of one repository are imported, each by its own digest', async () => {
    const [one, two] = [makeImage({ seed: 21 }), makeImage({ seed: 22 })];
    const path = writeTar([
      ...layoutMembers([{ image: one }, { image: two }]).filter(
        ({ name }) => name !== 'index.json',
      ),
      json('index.json', {
        schemaVersion: 2,
        manifests: [one, two].map(({ root }) => ({
          ...toDescriptorJson(root),
          annotations: { [REF_NAME]: `registry.example/app@${root.digest}` },
        })),
      }),
    ]);
    const registry = await startFakeRegistry();
    const { status, stdout, stderr } = await regi('import', path, registry.host);
    expect([
      status,
      stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split('@')[1]),
    ]).toEqual([0, [one.root.digest, two.root.digest]]);
    for (const { root } of [one, two])
      expect(stderr).toMatch(new RegExp(`app@${root.digest} +copied`));
  });
});

test('A18: a tar of absolute names names the first of them', async () => {
  const path = writeTar([{ name: '/data/x', content: 'x' }]);
  const { status, stderr } = await regi('inspect', `archive:${path}`);
  expect(status).not.toBe(0);
  expect(stderr).toContain('it holds "data"');
  expect(stderr).not.toContain('""');
});

test('A14: signed schema 1, whose digest leaves out the signatures, is named as such', async () => {
  const body = JSON.stringify({ schemaVersion: 1, name: 'a', fsLayers: [], signatures: [] });
  const registry = await startFakeRegistry({
    faults: [
      {
        match: { path: /\/manifests\/1$/ },
        times: 9,
        action: {
          kind: 'respond',
          status: 200,
          headers: {
            'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws',
            'docker-content-digest': `sha256:${'b'.repeat(64)}`,
          },
          body,
        },
      },
    ],
  });
  const { stderr } = await regi('inspect', `${registry.host}/a:1`);
  expect(stderr).toContain('schema 1');
  expect(stderr).not.toContain('do not use this image');
});

describe('index.json and manifest.json in one tar', () => {
  const other = makeImage({ seed: 31 });
  const members = (
    names: { readonly refName: string; readonly fullName?: string },
    repoTags: readonly string[],
    of = image,
  ): readonly TarMember[] => [
    ...layoutMembers([{ image, ...names }, { image: other }]),
    json('manifest.json', [
      {
        Config: `blobs/sha256/${encodedOf(of.config.digest)}`,
        RepoTags: repoTags,
        Layers: of.layers.map(({ digest }) => `blobs/sha256/${encodedOf(digest)}`),
      },
    ]),
  ];

  test('A13: a name that means two images is refused, and both are named', async () => {
    const names = { refName: '1', fullName: 'docker.io/library/app:1' };
    const path = writeTar(members(names, ['app:1'], other));
    for (const argv of [
      ['verify', path],
      ['import', path, '127.0.0.1:1'],
    ]) {
      const { status, stderr } = await regi(...argv);
      expect([status, stderr]).toEqual([7, expect.stringContaining(image.root.digest)]);
      expect(stderr).toContain(other.config.digest);
    }
    const agreed = await regi('verify', writeTar(members(names, ['app:1'])));
    expect(agreed.status).toBe(0);
  });

  test('A24: a bare tag takes the full names that manifest.json has for the same image', async () => {
    const path = writeTar(members({ refName: 'latest' }, ['busybox:latest', 'busybox:1']));
    const registry = await startFakeRegistry();
    await regi('import', path, registry.host);
    expect((await regi('digest', `${registry.host}/library/busybox`)).stdout).toBe(
      `${image.root.digest}\n`,
    );
  });
});

test.each([
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['bzip2', [0x42, 0x5a, 0x68, 0x39]],
])('A15: a layer packed by %s in an archive of docker save is refused', async (kind, magic) => {
  const [, ...rest] = zstdArchive(['app:1']);
  const path = writeTar([{ name: '0.tar', content: new Uint8Array(magic) }, ...rest]);
  const { status, stderr } = await regi('import', path, '127.0.0.1:1');
  expect([status, stderr]).toEqual([7, expect.stringContaining(`"0.tar" is packed by ${kind}`)]);
});

test.each([
  ['a zip file', 'PK\u0003\u0004'],
  ['JSON', '{"a": 1}'],
  ['a text that begins with "hello, world"', 'hello, world'],
  ['other bytes, which begin with 01020304', '\u0001\u0002\u0003\u0004'],
])('A18: a file that is no archive is described as %s', async (name, start) => {
  writeFileSync(join(cwd, 'x'), start.padEnd(1024, start.endsWith('d') ? ' ' : '\u0001'));
  const { status, stderr } = await regi('inspect', 'archive:x');
  expect([status, stderr]).toEqual([7, expect.stringContaining(`expected a tar, found ${name}`)]);
});

test.each(['oci:image', 'archive:image.tar'])(
  'A17: an index.json that is the index of an image is the image (%s)',
  async (location) => {
    const index = makeIndex({ attestations: true });
    const bytes = index.nodes.get(index.root.digest)?.bytes ?? new Uint8Array();
    const members = [
      ...layoutMembers([{ image: index }]).filter(({ name }) => name !== 'index.json'),
      { name: 'index.json', content: bytes },
    ];
    writeFileSync(join(cwd, 'image.tar'), readFileSync(writeTar(members)));
    mkdirSync(join(cwd, 'image'));
    execFileSync('tar', ['-xf', 'image.tar', '-C', 'image'], { cwd });
    rmSync(join(cwd, 'image', 'blobs', 'sha256', encodedOf(index.root.digest)));
    expect((await regi('digest', location)).stdout).toBe(`${index.root.digest}\n`);
    const copied = await regi('copy', location, 'oci:out:1');
    expect([copied.status, copied.stdout]).toEqual([0, expect.stringContaining(index.root.digest)]);
    expect((await regi('verify', location)).status).toBe(0);
    const registry = await startFakeRegistry();
    const imported = await regi('import', location, registry.host);
    expect([imported.status, imported.stdout]).toEqual([
      0,
      expect.stringContaining(index.root.digest),
    ]);
    // A new name keeps what the file listed.
    if (location !== 'oci:image') return;
    expect((await regi('copy', 'oci:out:1', 'oci:image:new')).status).toBe(0);
    expect((await regi('verify', 'oci:image')).status).toBe(0);
    expect((await regi('digest', 'oci:image:new')).stdout).toBe(`${index.root.digest}\n`);
  },
);
