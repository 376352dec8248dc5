import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { toDescriptorJson } from '../../../src/oci/descriptor.ts';
import { blobName, json, layoutMembers } from '../../support/images/archives.ts';
import { makeImage, nodeOf } from '../../support/images/images.ts';
import { writeTar, type TarMember } from '../../support/images/tar-builder.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const image = makeImage();
const members = [
  ...layoutMembers([{ image }]).filter(({ name }) => name !== 'index.json'),
  json('index.json', {
    schemaVersion: 2,
    manifests: [
      { ...toDescriptorJson(image.root), annotations: { [REF_NAME]: 'registry.example/app:1' } },
      {
        mediaType: 'application/xml',
        digest: 'blake3:0',
        size: 1,
        annotations: { [REF_NAME]: 'note', 'example.count': 3 },
      },
    ],
  }),
];

function writeFolder(files: readonly TarMember[]): string {
  const root = temporaryFolder('foreign-entries');
  for (const { name, content = '' } of files) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    if (!name.endsWith('/')) writeFileSync(join(root, name), content);
  }
  return root;
}

test.each([
  ['an archive', () => writeTar(members)],
  ['a layout', () => writeFolder(members)],
])(
  'A11: import leaves out an entry of a foreign media type in %s with a warning that names it',
  async (_, write) => {
    const registry = await startFakeRegistry();
    const { status, stdout, stderr } = await runMain(['import', write(), registry.host]);
    expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
    expect(stdout).toBe(`${registry.host}/app:1@${image.root.digest}\n`);
    expect(stderr).toContain(
      'Left out "note" of index.json: its type "application/xml" is not that of an image',
    );
  },
);

const broken = nodeOf(image.root.mediaType, Buffer.from('{"schemaVersion": 2, "layers": 7}'));
const { mediaType } = image.root;

describe.each([
  ['has no usable digest', { mediaType, digest: 'blake3:0', size: 1 }],
  ['has no usable size', { mediaType, digest: broken.descriptor.digest, size: -1 }],
  ['names a manifest that is none', toDescriptorJson(broken.descriptor)],
  [
    'names a manifest that is not there',
    { mediaType, digest: `sha256:${'a'.repeat(64)}`, size: 9 },
  ],
])('A11: an entry of an image that %s', (_, entry) => {
  const files: readonly TarMember[] = [
    ...layoutMembers([{ image }]).filter(({ name }) => name !== 'index.json'),
    { name: blobName(broken.descriptor), content: broken.bytes },
    json('index.json', {
      schemaVersion: 2,
      manifests: [
        { ...entry, annotations: { [REF_NAME]: 'registry.example/bad:1' } },
        { ...toDescriptorJson(image.root), annotations: { [REF_NAME]: 'registry.example/app:1' } },
      ],
    }),
  ];

  test.each([
    ['an archive', () => writeTar(files)],
    ['a layout', () => writeFolder(files)],
  ])('is left out of %s and named, and the status is 8', async (_kind, write) => {
    const path = write();
    const registry = await startFakeRegistry();
    const { status, stdout, stderr } = await runMain(['import', path, registry.host]);
    expect([status, stdout]).toEqual([8, `${registry.host}/app:1@${image.root.digest}\n`]);
    expect(stderr).toMatch(/bad:1"/);

    const listed = await runMain(['images', path]);
    expect([listed.status, listed.stdout]).toEqual([0, expect.stringContaining('example/app')]);
    expect(listed.stderr).toContain('registry.example/bad:1');
    expect((await runMain(['verify', path])).status).toBe(7);
  });

  test('does not keep the image beside it from being copied', async () => {
    const registry = await startFakeRegistry();
    const source = `archive:${writeTar(files)}:registry.example/app:1`;
    expect((await runMain(['copy', source, `${registry.host}/app:1`])).status).toBe(0);
  });
});
