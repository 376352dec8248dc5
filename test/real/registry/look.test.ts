import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import {
  startDockerRegistry,
  type DockerRegistry,
} from '../../support/registries/docker-registry.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { realImages, type RealImages } from '../../support/images/rootfs.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describeReal(
  'regi inspects, pulls and pushes as skopeo does',
  ['docker-registry', 'skopeo', 'buildah'],
  () => {
    let images: RealImages;
    let registry: DockerRegistry;

    beforeAll(async () => {
      images = await realImages();
      registry = await startDockerRegistry();
      await skopeo.copy(images.index, `docker://${registry.host}/team/multi:1`, { all: true });
    });

    test('push puts an image where skopeo reads it, under each of its names', async () => {
      const names = [
        `${registry.host}/team/app:12`,
        `${registry.host}/team/app:stable`,
        `${registry.host}/mirror/app:12`,
      ];
      const pushed = await runRegi(['push', images.image, ...names]);
      expect(pushed).toMatchObject({
        status: 0,
        stdout: ['team/app:12', 'team/app:stable', 'mirror/app:12']
          .map((name) => `${registry.host}/${name}@${images.imageDigest}\n`)
          .join(''),
      });
      for (const name of names)
        expect(await skopeo.digest(`docker://${name}`)).toBe(images.imageDigest);
    });

    test('inspect --config and config print the bytes that skopeo prints', async () => {
      const place = `${registry.host}/team/multi:1`;
      const wanted = await skopeo.run([
        'inspect',
        '--tls-verify=false',
        '--config',
        '--raw',
        `docker://${place}`,
      ]);
      expect(
        (await runRegi(['inspect', '--platform', 'linux/amd64', '--config', place])).stdout,
      ).toBe(wanted.stdout);
      expect((await runRegi(['config', '--platform', 'linux/amd64', place])).stdout).toBe(
        wanted.stdout,
      );
    });

    test('inspect --raw prints the manifest that skopeo prints, and --json its layers', async () => {
      const place = `${registry.host}/team/multi:1`;
      expect((await runRegi(['inspect', '--raw', place])).stdout).toBe(
        await skopeo.rawManifest(`docker://${place}`),
      );
      const { Layers } = await skopeo.inspect(`docker://${place}`);
      const { stdout } = await runRegi([
        'inspect',
        '--platform',
        'linux/amd64',
        '--format',
        '{{range .Layers}}{{.Digest}} {{end}}',
        place,
      ]);
      expect(stdout.trim().split(' ')).toEqual(Layers);
    });

    test('pull -o makes a layout that skopeo reads, with the digest of the platform', async () => {
      const folder = join(temporaryFolder('pulled'), 'out');
      const pulled = await runRegi([
        'pull',
        '--platform',
        'linux/amd64',
        `${registry.host}/team/multi:1`,
        '-o',
        `${folder}/`,
      ]);
      expect(pulled).toMatchObject({ status: 0 });
      expect(pulled.stdout).toContain(
        `Digest: ${images.indexDigest}\nStatus: Downloaded newer image for ${registry.host}/team/multi:1\n`,
      );
      expect(await skopeo.digest(`oci:${folder}:1`)).toBe(images.imageDigest);
      await skopeo.copy(`oci:${folder}:1`, `dir:${temporaryFolder('read')}`);
    });

    test('blob get prints a layer, and repos list prints the repositories', async () => {
      const place = `${registry.host}/team/multi`;
      const { stdout } = await runRegi([
        'inspect',
        '--platform',
        'linux/amd64',
        '--format',
        '{{index .Layers 0 "digest"}}',
        `${place}:1`,
      ]);
      const file = join(temporaryFolder('layer'), 'layer.tar.gz');
      expect((await runRegi(['blob', 'get', `${place}@${stdout.trim()}`, '-o', file])).status).toBe(
        0,
      );
      expect(
        (await runRegi(['repos', 'list', `${registry.host}/team`])).stdout.split('\n'),
      ).toContain('team/multi');
    });
  },
);
