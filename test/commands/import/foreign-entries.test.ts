import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect, test } from 'vitest';

import { toDescriptorJson } from '../../../src/oci/descriptor.ts';
import { json, layoutMembers } from '../../support/images/archives.ts';
import { makeImage } from '../../support/images/images.ts';
import { writeTar } from '../../support/images/tar-builder.ts';
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

function writeFolder(): string {
  const root = temporaryFolder('foreign-entries');
  for (const { name, content = '' } of members) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    if (!name.endsWith('/')) writeFileSync(join(root, name), content);
  }
  return root;
}

test.each([
  ['an archive', () => writeTar(members)],
  ['a layout', writeFolder],
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
