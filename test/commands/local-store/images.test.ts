import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { toDescriptorJson } from '../../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import { encodedOf } from '../../../src/oci/digest.ts';
import { expectGolden } from '../../support/golden.ts';
import {
  imageOf,
  makeArtifact,
  makeImage,
  makeIndex,
  nodeOf,
  nodesOf,
  makeBlob,
} from '../../support/images/images.ts';
import { blobPath } from '../../support/images/layout-folder.ts';
import { localImages, type LocalImages } from '../../support/images/local-images.ts';

const INDEX = makeIndex();
const [AMD64] = INDEX.images;
const OTHER = makeImage({ seed: 7 });
const NAMELESS = makeImage({ seed: 8 });

const idOf = (image: { readonly config: { readonly digest: string } } | undefined): string =>
  image?.config.digest.slice(7, 19) ?? '';

const original = localImages();
let local: LocalImages;

beforeAll(async () => {
  if (AMD64 === undefined) throw new Error('An index without images');
  await original.keep(AMD64, 'nginx:1.27', INDEX.root.digest);
  await original.keep(AMD64, 'registry.example:5000/gallery/ui:v1');
  await original.keep(NAMELESS, 'registry.example:5000/gallery/other:v2');
  await original.keep(OTHER, 'registry.example:5000/gallery/other:v2');
});

beforeEach(() => {
  local = localImages(original);
});

/** What a command line prints. */
async function printed(...args: readonly string[]): Promise<string> {
  const { status, io } = await local.run(['images', ...args]);
  expect({ status, stderr: io.stderrText() }).toEqual({ status: 0, stderr: '' });
  return io.stdoutText();
}

/** The names in a table, as they are printed. */
async function listed(...args: readonly string[]): Promise<readonly string[]> {
  const lines = (await printed(...args)).trimEnd().split('\n').slice(1);
  return lines.map((line) => line.split(/ {2,}/).slice(0, 2).join(':'));
}

describe('regi images', () => {
  test.each([
    ['images', []],
    ['images-digests', ['--digests']],
    ['images-no-trunc', ['--no-trunc']],
    ['images-json', ['--json']],
  ])('prints as %s has it', async (name, args) => {
    expectGolden(`test/golden/local/${name}.txt`, await printed(...args));
  });

  test('-q prints each id once', async () => {
    expect(await printed('-q')).toBe(
      [AMD64, OTHER, NAMELESS].map((image) => `${idOf(image)}\n`).join(''),
    );
  });

  test('image ls is the same command', async () => {
    expect((await local.run(['image', 'ls', '-q'])).io.stdoutText()).toBe(await printed('-q'));
  });

  test.each([
    ['a name', ['nginx'], ['nginx:1.27']],
    ['a name with its tag', ['nginx:1.27'], ['nginx:1.27']],
    ['a name in full', ['docker.io/library/nginx'], ['nginx:1.27']],
    ['a pattern', ['registry.example:5000/*/ui'], ['registry.example:5000/gallery/ui:v1']],
    [
      'a pattern with a tag',
      ['*:5000/gallery/*:v*'],
      ['registry.example:5000/gallery/other:v2', 'registry.example:5000/gallery/ui:v1'],
    ],
    [
      'several references',
      ['-f', 'reference=nginx', '-f', 'reference=*/*/ui'],
      ['nginx:1.27', 'registry.example:5000/gallery/ui:v1'],
    ],
    ['dangling=true', ['-f', 'dangling=true'], ['<none>:<none>']],
    ['dangling=false', ['-f', 'dangling=false', 'nginx'], ['nginx:1.27']],
    ['a label', ['-f', 'label=org.example.test', 'nginx'], ['nginx:1.27']],
    [
      'an age and what has no name',
      ['-f', 'dangling=true', '-f', 'until=2024-01-02'],
      ['<none>:<none>'],
    ],
    ['docker’s -a', ['-a', 'nginx'], ['nginx:1.27']],
    ['a label with its value', ['-f', 'label=org.example.test=yes', 'nginx'], ['nginx:1.27']],
  ])('lists by %s', async (_what, args, names) => {
    expect(await listed(...args)).toEqual(names);
  });

  test.each([
    ['a name that is not there', ['absent']],
    ['a label of another value', ['-f', 'label=org.example.test=no']],
    ['a name that a pattern must not reach over a slash', ['registry.example:5000/*']],
  ])('prints nothing for %s, and says so', async (_what, args) => {
    const { status, io } = await local.run(['images', ...args]);
    expect([status, io.stdoutText(), io.stderrText()]).toEqual([
      0,
      '',
      'The local store has no such images; to pull one, type: regi pull REF\n',
    ]);
  });

  test.each([
    ['a filter that is none', ['-f', 'size=1'], 'reference='],
    ['a time that is none', ['-f', 'until=yesterday'], 'until=24h'],
    ['a template that is none', ['--format', '{{.Nope}}'], 'Repository, Tag'],
    ['a template beside --quiet', ['-q', '--format', '{{.ID}}'], 'drop one'],
    ['a word of dangling that is none', ['-f', 'dangling=perhaps'], 'dangling=true'],
  ])('refuses %s', async (_what, args, hint) => {
    const { status, io } = await local.run(['images', ...args]);
    expect([status, io.stdoutText()]).toEqual([2, '']);
    expect(io.stderrText()).toContain(hint);
  });

  test.each([
    ['a template', '{{.Repository}}:{{.Tag}} {{.ID}}', `nginx:1.27 ${idOf(AMD64)}\n`],
    [
      'a table of a template',
      'table {{.Tag}}\\t{{.Repository}}',
      'TAG    REPOSITORY\n1.27   nginx\n',
    ],
    ['a part as JSON', '{{json .Tag}}', '"1.27"\n'],
  ])('prints %s as docker does', async (_what, format, text) => {
    expect(await printed('--format', format, 'nginx')).toBe(text);
  });

  test('--format table and json match docker', async () => {
    expect(await printed('--format', 'table', 'nginx')).toBe(await printed('nginx'));
    expect(JSON.parse(await printed('--format', 'json', 'nginx'))).toMatchObject({
      Repository: 'nginx',
      Tag: '1.27',
      ID: idOf(AMD64),
    });
  });

  test('refuses to compare with a missing image', async () => {
    const { status, io } = await local.run(['images', '-f', 'before=absent']);
    expect([status, io.stdoutText()]).toEqual([3, '']);
    expect(await printed('-q', '-f', 'since=nginx:1.27')).toBe('');
  });

  test('hides the digest of a tagged image, unless --digests is given', async () => {
    if (AMD64 === undefined) throw new Error('An index without images');
    await local.keep(AMD64, `nginx@${AMD64.root.digest}`, INDEX.root.digest);
    expect(await listed('nginx')).toEqual(['nginx:1.27']);
    expect(await listed('--digests', 'nginx')).toEqual(['nginx:1.27', 'nginx:<none>']);
  });

  test('shows an index as one image with the size of all stored content', async () => {
    await local.keep(INDEX, 'all:1');
    const row = JSON.parse(await printed('--json', 'all')) as Record<string, unknown>;
    const size = [...INDEX.nodes.values()].reduce(
      (sum, { descriptor }) => sum + descriptor.size,
      0,
    );
    expect(row).toMatchObject({
      name: 'docker.io/library/all:1',
      id: INDEX.root.digest,
      digest: INDEX.root.digest,
      size,
    });
    expect(row['platform']).toBeUndefined();
  });

  test('shows the age of an index as that of its first image', async () => {
    await local.keep(INDEX, 'all:1');
    expect(JSON.parse(await printed('--json', 'all'))).toMatchObject({
      created: '2024-01-01T00:00:00Z',
    });
  });

  test('D20: images -a shows an artifact as what it is, which has no age', async () => {
    await local.keep(makeArtifact(), 'chart:1');
    expect(await printed('-a', 'chart')).toMatch(
      /^REPOSITORY .* TYPE\nchart +1 +[0-9a-f]{12} +N\/A +\S+ B +application\/vnd\.example\.sbom\n$/,
    );
    expect(await printed('-a')).toMatch(/\nnginx .* image\n/);
    expect(JSON.parse(await printed('-a', '--json', 'chart'))).toMatchObject({
      artifactType: 'application/vnd.example.sbom',
    });
  });

  test('D20: images leaves artifacts out, and says how to list them', async () => {
    const before = await printed();
    await local.keep(makeArtifact(), 'chart:1');
    const { io } = await local.run(['images']);
    expect([io.stdoutText(), io.stderrText()]).toEqual([
      before,
      'Left out 1 artifact; to list artifacts too, type: regi images -a\n',
    ]);
    expect(await printed('-q', 'chart')).toBe('');
  });

  test('D20: images leaves out the signatures of cosign, which have the config of an image', async () => {
    const before = await printed();
    const tag = `sha256-${encodedOf(OTHER.root.digest)}.sig`;
    await local.keep(makeImage({ seed: 78 }), `registry.example:5000/gallery/other:${tag}`);
    const { io } = await local.run(['images']);
    expect(io.stdoutText()).toBe(before);
    expect(io.stderrText()).toContain('Left out 1 artifact');
  });

  test('D20: images leaves out artifact manifests of OCI 1.1 release candidates', async () => {
    const before = await printed();
    const blob = makeBlob(50);
    const body = {
      mediaType: MEDIA_TYPE.ociArtifact,
      artifactType: 'application/vnd.example.sbom',
      blobs: [toDescriptorJson(blob.descriptor)],
    };
    const artifact = nodeOf(MEDIA_TYPE.ociArtifact, Buffer.from(JSON.stringify(body)));
    await local.keep(imageOf([blob, artifact]), 'sbom:1');
    expect((await local.run(['images'])).io.stdoutText()).toBe(before);
    expect(JSON.parse(await printed('-a', '--json', 'sbom'))).toMatchObject({
      artifactType: 'application/vnd.example.sbom',
      digest: artifact.descriptor.digest,
    });
  });

  test('D20: images lists an index that has an artifact before its image', async () => {
    const [artifact, image] = [makeArtifact(), makeImage({ seed: 9 })];
    const manifests = [artifact, image].map(({ root }) => toDescriptorJson(root));
    const body = { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests };
    const index = nodeOf(MEDIA_TYPE.ociIndex, Buffer.from(JSON.stringify(body)));
    await local.keep(imageOf([...nodesOf(artifact), ...nodesOf(image), index]), 'mixed:1');
    expect(await listed('mixed')).toEqual(['mixed:1']);
  });

  test('warns of a damaged image, and lists the others', async () => {
    writeFileSync(blobPath(local.folder, OTHER.root.digest), Buffer.alloc(OTHER.root.size));
    const { status, io } = await local.run(['images']);
    expect([status, io.stdoutText().split('\n')]).toMatchObject([0, { length: 6 }]);
    expect(io.stderrText()).toContain('registry.example:5000/gallery/other:v2 is damaged');
    expect(io.stderrText()).toContain('regi pull registry.example:5000/gallery/other:v2');
  });

  test('creates no store', async () => {
    const folder = join(local.folder, 'absent');
    const { status, io } = await local.run(['images'], { env: { REGI_DATA: folder } });
    expect([status, io.stdoutText(), existsSync(folder)]).toEqual([0, '', false]);
  });

  test('prints no control characters of an image that was made to do harm', async () => {
    const { io } = await local.run(['images', '\u001b[2J']);
    expect(io.stdoutText() + io.stderrText()).not.toContain('\u001b');
  });

  test('the id of a table is one that other commands take', async () => {
    const { status, io } = await local.run(['inspect', '--json', `local:${idOf(OTHER)}`]);
    expect([status, io.stdoutText()]).toEqual([
      0,
      expect.stringContaining(encodedOf(OTHER.root.digest)),
    ]);
  });
});
