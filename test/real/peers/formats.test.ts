import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { decompress } from 'fzstd';
import { beforeAll, describe, expect, test } from 'vitest';

import { digestOf } from '../../../src/oci/digest.ts';
import { json } from '../../support/images/archives.ts';
import { writeTar } from '../../support/images/tar-builder.ts';
import { startDocker } from '../../support/programs/docker.ts';
import { describePeer, peerClient, type PeerClient } from '../../support/programs/peers.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { makeFixture, regi, type Fixture } from './fixture.ts';

/** A tar with one file, by `zstd -19`. */
const ZSTD = Buffer.from(
  'KLUv/QRoxQEAwoIID7BrDOQJzUtepPUywgBNASaEzPFVha2mA8WBvDv+vSP/lgcgcB/3hS9z1PkzcSsRGM5PDgvPA8jy',
  'base64',
);

let fixture: Fixture;
/**
 * The image of linux/amd64 with the media types of OCI, made of an archive in docker's old format.
 */
let converted: string;
/** An image with a layer packed by zstd, made of such an archive. */
let zstd: string;

beforeAll(async () => {
  fixture = await makeFixture();
  const archive = join(temporaryFolder('docker'), 'app.tar');
  await regi('copy', `${fixture.host}/team/app:amd64`, `docker-archive:${archive}`);
  converted = `${fixture.host}/made/oci:1`;
  await regi('copy', '--format', 'oci', `docker-archive:${archive}`, converted);

  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(decompress(ZSTD))] },
  });
  const packed = writeTar([
    { name: 'layer.tar', content: ZSTD },
    { name: 'config.json', content: config },
    json('manifest.json', [
      { Config: 'config.json', RepoTags: ['made/zstd:1'], Layers: ['layer.tar'] },
    ]),
  ]);
  zstd = `${fixture.host}/made/zstd:1`;
  await regi('copy', `docker-archive:${packed}`, zstd);
});

const IMAGES: readonly (readonly [string, () => string])[] = [
  ['A7: the types of OCI', (): string => converted],
  ['A8: a zstd layer', (): string => zstd],
];

/** The digest of the config, which docker calls the image's id. */
async function configOf(image: string): Promise<string> {
  const { config } = JSON.parse(await regi('manifest', 'get', image)) as {
    config: { digest: string };
  };
  return config.digest;
}

describeReal('an image made of an old archive, skopeo of the system', ['skopeo'], () => {
  test.each(IMAGES)('is copied with %s', async (_, image) => {
    const target = `oci:${temporaryFolder('skopeo')}/one:1`;
    await skopeo.copy(`docker://${image()}`, target);
    expect(await regi('digest', target)).toBe(await regi('digest', image()));
  });
});

describePeer('an image made of an old archive, skopeo', 'sid', ['skopeo'], () => {
  test.each(IMAGES)('is copied with %s', async (_, image) => {
    const target = `oci:${temporaryFolder('skopeo')}/one:1`;
    const newer = peerClient('sid', 'skopeo');
    await newer.run('copy', '--quiet', '--src-tls-verify=false', `docker://${image()}`, target);
    expect(await regi('digest', target)).toBe(await regi('digest', image()));
  });
});

/** Writes the zstd image into docker's old format, and gives its location and its `diff_id`. */
async function unpackedArchive(): Promise<readonly [location: string, diffId: string]> {
  const path = join(temporaryFolder('zstd'), 'z.tar');
  await regi('copy', zstd, `docker-archive:${path}`);
  return [`docker-archive:${path}`, digestOf(decompress(ZSTD))];
}

describeReal(
  'A9: docker-archive: of an image with a zstd layer, skopeo of the system',
  ['skopeo'],
  () => {
    test('has the bytes of the diff_id', async () => {
      const [source, diffId] = await unpackedArchive();
      const target = `${temporaryFolder('skopeo')}/one`;
      await skopeo.copy(source, `dir:${target}`);
      expect(readdirSync(target)).toContain(diffId.slice('sha256:'.length));
    });
  },
);

describePeer('A9: docker-archive: of an image with a zstd layer, skopeo', 'sid', ['skopeo'], () => {
  test('has the bytes of the diff_id', async () => {
    const [source, diffId] = await unpackedArchive();
    const target = `${temporaryFolder('skopeo')}/one`;
    await peerClient('sid', 'skopeo').run('copy', '--quiet', source, `dir:${target}`);
    expect(readdirSync(target)).toContain(diffId.slice('sha256:'.length));
  });
});

describe.each([
  { set: 'system', images: IMAGES.slice(0, 1) },
  // docker unpacks zstd since version 23.
  { set: 'sid', images: IMAGES },
] as const)('an image made of an old archive', ({ set, images }) => {
  describePeer(
    'docker',
    set,
    ['docker', 'dockerd', 'containerd', 'ctr'],
    () => {
      let docker: PeerClient;

      beforeAll(async () => {
        docker = await startDocker(set, { store: 'classic' });
      });

      test.each(images)('is pulled with %s', async (_, image) => {
        await docker.run('pull', '--quiet', image());
        expect(await docker.run('image', 'inspect', '--format', '{{.Id}}', image())).toBe(
          await configOf(image()),
        );
      });

      // Before the test that loads the layer: docker does not unpack a layer that it has.
      test('A9: an archive of regi export is loaded with its zstd layer by docker 23 and later', async () => {
        const path = join(temporaryFolder('zstd'), 'z.tar');
        await regi('export', zstd, '-o', path);
        const { status } = await docker.finish('load', '-i', path);
        expect(status === 0).toBe(set === 'sid');
      });

      test('A9: docker-archive: holds a zstd layer unpacked, and is loaded', async () => {
        const path = join(temporaryFolder('zstd'), 'z.tar');
        const name = 'registry.example/made/unpacked:1';
        await regi('copy', zstd, `docker-archive:${path}:${name}`);
        await docker.run('load', '-i', path);
        expect(await docker.run('image', 'inspect', '--format', '{{.Id}}', name)).toBe(
          await configOf(zstd),
        );
      });
    },
    { daemon: true },
  );
});

describePeer('oras', 'sid', ['oras'], () => {
  test('A10: the named image of a layout of oras cp -r is the image', async () => {
    const folder = temporaryFolder('oras');
    const sbom = join(folder, 'sbom.json');
    writeFileSync(sbom, '{}');
    const app = `${fixture.host}/team/app:1`;
    await regi('attach', sbom, '--to', app, '--type', 'application/vnd.example.sbom');
    const layout = join(folder, 'layout');
    const oras = peerClient('sid', 'oras');
    await oras.run('cp', '-r', '--from-plain-http', app, '--to-oci-layout', `${layout}:1`);
    expect(await regi('digest', `oci:${layout}`)).toBe(fixture.image.root.digest);
    await regi('push', `oci:${layout}`, `${fixture.host}/oras/app:1`);
    expect(await regi('digest', `${fixture.host}/oras/app:1`)).toBe(fixture.image.root.digest);
  });
});
