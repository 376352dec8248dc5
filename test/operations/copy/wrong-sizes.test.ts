import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { toDescriptorJson, type Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { realClock } from '../../support/clock.ts';
import { makeImage } from '../../support/images/images.ts';
import { writeBlob } from '../../support/images/layout-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const image = makeImage({ layers: [1000] });
let cwd: string;

beforeEach(() => {
  cwd = temporaryFolder('sizes');
});

function regi(...argv: readonly string[]): Promise<MainResult> {
  return runMain(argv, { cwd });
}

function sized({ size, ...rest }: Descriptor, by: number): Record<string, unknown> {
  return toDescriptorJson({ ...rest, size: size + by });
}

/** The layout `src` with a tag of a manifest in JSON, beside the content of `image`. */
async function writeSource(body: Record<string, unknown>, by = 0): Promise<Descriptor> {
  const folder = join(cwd, 'src');
  await image.pushAll(await openLayout(folder, { create: true, clock: realClock }));
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, ...body }));
  const digest = writeBlob(folder, bytes);
  const root = { mediaType: String(body['mediaType']), digest, size: bytes.byteLength + by };
  const annotations = { 'org.opencontainers.image.ref.name': 'a' };
  const manifests = [{ ...root, annotations }];
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  return root;
}

describe.each([7, -7])('sizes that are wrong by %d bytes beside right digests', (by) => {
  const platform = { os: 'linux', architecture: 'amd64' };
  const list = {
    mediaType: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifests: [{ ...sized(image.root, by), platform }],
  };

  test('A1: an index is copied, unchanged, with one warning', async () => {
    const root = await writeSource(list, by);
    const copied = await regi('copy', 'oci:src:a', 'oci:dst:a');
    expect([copied.status, copied.stdout]).toEqual([0, `oci:dst@${root.digest}\n`]);
    expect(copied.stderr).toContain(
      `${image.root.digest} has ${image.root.size} bytes, where its descriptor states ${image.root.size + by}`,
    );
    expect(copied.stderr.split(image.root.digest)).toHaveLength(2);
    expect((await regi('verify', 'oci:dst:a')).status).toBe(0);
  });

  test('A1: inspect, files, export and verify read it', async () => {
    await writeSource(list, by);
    for (const argv of [
      ['inspect', 'oci:src:a', '--platform', 'linux/amd64'],
      ['files', 'oci:src:a', '--platform', 'linux/amd64'],
      ['verify', 'oci:src:a'],
      ['export', 'oci:src:a', '-o', 'out.tar'],
      ['verify', 'archive:out.tar'],
      ['copy', 'archive:out.tar', 'oci:again:a'],
    ]) {
      const { status, stderr } = await regi(...argv);
      expect([argv.join(' '), status, status === 0 ? '' : stderr]).toEqual([argv.join(' '), 0, '']);
    }
  });

  test('A1: a config and a layer go to a registry by their real sizes', async () => {
    const manifest = JSON.parse(
      new TextDecoder().decode(image.nodes.get(image.root.digest)?.bytes),
    ) as Record<string, unknown>;
    await writeSource({
      ...manifest,
      config: sized(image.config, by),
      layers: image.layers.map((layer) => sized(layer, by)),
    });
    const registry = await startFakeRegistry();
    const target = `${registry.host}/a/b:1`;
    for (const option of [[], ['--force']]) {
      const { status, stderr } = await regi('copy', ...option, 'oci:src:a', target);
      expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
    }
    expect((await regi('copy', target, 'oci:dst:a')).status).toBe(0);
    expect((await regi('verify', 'oci:dst:a')).status).toBe(0);
  });
});

test('A1: a wrong digest beside a right size is still refused', async () => {
  const body = new TextEncoder().encode('other bytes');
  await writeSource({
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [toDescriptorJson({ ...image.root, digest: digestOf(body) })],
  });
  writeFileSync(join(cwd, 'src', 'blobs', 'sha256', digestOf(body).slice(7)), 'not those');
  expect((await regi('copy', 'oci:src:a', 'oci:dst:a')).status).toBe(7);
});
