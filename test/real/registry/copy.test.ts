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
  'regi between two docker-registry processes',
  ['docker-registry', 'skopeo', 'buildah'],
  () => {
    let images: RealImages;
    let a: DockerRegistry;
    let b: DockerRegistry;

    beforeAll(async () => {
      images = await realImages();
      [a, b] = await Promise.all([
        startDockerRegistry({ delete: true }),
        startDockerRegistry({ delete: true }),
      ]);
      const pushed = await runRegi(['copy', images.image, `${a.host}/debian:12`]);
      expect(pushed).toMatchObject({
        status: 0,
        stdout: `${a.host}/debian:12@${images.imageDigest}\n`,
      });
    });

    test('copy brings an image from registry to registry, and skopeo reads the same digest on both', async () => {
      const copied = await runRegi(['copy', `${a.host}/debian:12`, `${b.host}/mirror/debian:12`]);

      expect(copied).toMatchObject({
        status: 0,
        stdout: `${b.host}/mirror/debian:12@${images.imageDigest}\n`,
      });
      expect(await skopeo.digest(`docker://${a.host}/debian:12`)).toBe(images.imageDigest);
      expect(await skopeo.digest(`docker://${b.host}/mirror/debian:12`)).toBe(images.imageDigest);
    });

    test('copy of an existing image moves nothing, with at most two requests a side', async () => {
      await runRegi(['copy', `${a.host}/debian:12`, `${b.host}/again/debian:12`]);
      await Promise.all([a.forgetRequests(), b.forgetRequests()]);

      const again = await runRegi(['copy', `${a.host}/debian:12`, `${b.host}/again/debian:12`]);

      expect(again.status).toBe(0);
      for (const registry of [a, b]) {
        const requests = await registry.requests();
        expect(requests.length).toBeLessThanOrEqual(2);
        expect(requests.map(({ method }) => method)).toEqual(requests.map(() => 'HEAD'));
      }
    });

    test('copy copies an index whole, and narrows it with --platform', async () => {
      const whole = await runRegi(['copy', images.index, `${a.host}/multi:1`]);
      expect(whole.stdout).toBe(`${a.host}/multi:1@${images.indexDigest}\n`);
      expect(await skopeo.rawManifest(`docker://${a.host}/multi:1`)).toBe(
        await skopeo.rawManifest(images.index),
      );

      const one = await runRegi([
        'copy',
        '--platform',
        'linux/amd64',
        `${a.host}/multi:1`,
        `${b.host}/one:1`,
      ]);
      expect(one.stdout).toBe(`${b.host}/one:1@${images.imageDigest}\n`);

      const two = await runRegi([
        'copy',
        '--platform',
        'linux/amd64',
        '--platform',
        'linux/arm64',
        `${a.host}/multi:1`,
        `${b.host}/two:1`,
      ]);
      expect(two.status).toBe(0);
      const index = JSON.parse(await skopeo.rawManifest(`docker://${b.host}/two:1`)) as {
        readonly manifests: readonly unknown[];
      };
      expect(index.manifests).toHaveLength(2);
      await skopeo.copy(`docker://${b.host}/two:1`, `oci:${temporaryFolder('two')}:1`, {
        all: true,
      });
    });

    test('tag names an image again without a byte, and mounts every blob into another repository', async () => {
      expect((await runRegi(['tag', `${a.host}/debian:12`, 'stable'])).stdout).toBe(
        `${a.host}/debian:stable@${images.imageDigest}\n`,
      );
      await a.forgetRequests();

      const promoted = await runRegi([
        'tag',
        '--mount-only',
        `${a.host}/debian:12`,
        `${a.host}/release/debian:12`,
      ]);

      expect(promoted.status).toBe(0);
      const requests = await a.requests();
      expect(
        requests.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/')),
      ).toEqual([]);
      expect(
        requests.filter(({ path }) => path.includes('mount=')).map(({ status }) => status),
      ).toEqual([201, 201, 201]);
      expect(
        requests.filter(({ method, path }) => method === 'PUT' && path.includes('/blobs/uploads/')),
      ).toEqual([]);
      expect(await skopeo.digest(`docker://${a.host}/release/debian:12`)).toBe(images.imageDigest);
    });

    test('tags list prints the tags that skopeo lists', async () => {
      await runRegi(['copy', `${a.host}/debian:12`, `${b.host}/listed/debian:12`]);
      await runRegi(['tag', `${b.host}/listed/debian:12`, 'stable', 'bookworm']);

      const { stdout } = await runRegi(['tags', 'list', `${b.host}/listed/debian`]);

      expect(stdout.trim().split('\n').toSorted()).toEqual(
        await skopeo.listTags(`docker://${b.host}/listed/debian`),
      );
      expect((await runRegi(['ls', '--match', 'b*', `${b.host}/listed/debian`])).stdout).toBe(
        'bookworm\n',
      );
    });

    test('copy --all-tags sends a layer that tags share once', async () => {
      for (const tag of ['1.0', '1.1', '2.0'])
        await runRegi(['tag', `${a.host}/debian:12`, `${a.host}/many:${tag}`]);
      await b.forgetRequests();

      const copied = await runRegi(['copy', '--tags', '1.*', `${a.host}/many`, `${b.host}/many`]);

      expect(copied.stdout.trim().split('\n')).toHaveLength(2);
      expect(await skopeo.listTags(`docker://${b.host}/many`)).toEqual(['1.0', '1.1']);
      const uploads = (await b.requests()).filter(
        ({ method, path }) => method === 'PUT' && path.includes('/blobs/uploads/'),
      );
      expect(uploads).toHaveLength(3);
    });

    test('copy --dry-run counts and writes nothing', async () => {
      await b.forgetRequests();
      const dry = await runRegi([
        'copy',
        '--dry-run',
        `${a.host}/debian:12`,
        `${b.host}/dry/debian:12`,
      ]);
      expect(dry.status).toBe(0);
      expect(
        (await b.requests()).filter(({ method }) => method !== 'HEAD' && method !== 'GET'),
      ).toEqual([]);
    });

    test('copy prints "unchanged" when a child of the index is missing, and restores it with --force', async () => {
      await runRegi(['copy', images.index, `${b.host}/lost:1`]);
      const { stdout } = await runRegi(['digest', '--platform', 'linux/arm64', `${b.host}/lost:1`]);
      const child = `http://${b.host}/v2/lost/manifests/${stdout.trim()}`;
      const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' };
      expect((await fetch(child, { method: 'DELETE' })).status).toBe(202);

      expect((await runRegi(['copy', images.index, `${b.host}/lost:1`])).stderr).toMatch(
        /unchanged/i,
      );
      expect((await fetch(child, { headers })).status).toBe(404);

      expect((await runRegi(['copy', '--force', images.index, `${b.host}/lost:1`])).status).toBe(0);
      expect((await fetch(child, { headers })).status).toBe(200);
    });

    test('copy writes a layout that skopeo reads, and reads one that skopeo wrote', async () => {
      const folder = temporaryFolder('layout');
      const copied = await runRegi(['copy', `${a.host}/debian:12`, `oci:${folder}/out:12`]);
      expect(copied.stdout).toBe(`oci:${folder}/out@${images.imageDigest}\n`);
      expect(await skopeo.digest(`oci:${folder}/out:12`)).toBe(images.imageDigest);

      await skopeo.copy(`oci:${folder}/out:12`, `oci:${folder}/skopeo:x`);
      expect((await runRegi(['copy', `oci:${folder}/skopeo:x`, `${b.host}/back:1`])).stdout).toBe(
        `${b.host}/back:1@${images.imageDigest}\n`,
      );
    });

    test('digest and manifest get print the exact bytes', async () => {
      expect((await runRegi(['digest', `${a.host}/debian:12`])).stdout).toBe(
        `${images.imageDigest}\n`,
      );
      expect(
        (await runRegi(['digest', '--expect', images.indexDigest, `${a.host}/debian:12`])).status,
      ).toBe(7);
      expect((await runRegi(['manifest', 'get', `${a.host}/debian:12`])).stdout).toBe(
        await skopeo.rawManifest(`docker://${a.host}/debian:12`),
      );
    });

    test.each([
      ['an unknown tag', (host: string) => ['digest', `${host}/debian:nope`], 3],
      ['an unknown host', () => ['digest', 'registry.invalid/debian:12'], 5],
      ['an upper-case name', (host: string) => ['copy', `${host}/Debian:12`, `${host}/x:1`], 2],
      ['a typo in a command', () => ['cpoy', 'a', 'b'], 2],
      ['a typo in a flag', () => ['copy', '--platfrom', 'linux/amd64', 'a', 'b'], 2],
    ] as const)('%s gets its status and two lines', async (_, args, status) => {
      const result = await runRegi(args(a.host));
      expect(result.status).toBe(status);
      expect(result.stdout).toBe('');
      expect(result.stderr.trimEnd().split('\n')).toHaveLength(2);
    });
  },
);
