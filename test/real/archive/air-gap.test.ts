import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import {
  startDockerRegistry,
  type DockerRegistry,
} from '../../support/registries/docker-registry.ts';
import { createEngine } from '../../support/programs/podman.ts';
import { describeReal, requireTool } from '../../support/programs/real-tools.ts';
import { runRegi, type RegiFinished } from '../../support/cli/regi.ts';
import { realImages, type RealImages } from '../../support/images/rootfs.ts';
import { runOrThrow } from '../../support/programs/run-program.ts';
import { startServe } from '../../support/registries/serve.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let images: RealImages;
let from: DockerRegistry;
let folder: string;

async function regi(...args: readonly string[]): Promise<RegiFinished> {
  const result = await runRegi(args, { cwd: folder });
  if (result.status !== 0)
    throw new Error(`regi ${args.join(' ')}: exit status ${result.status}\n${result.stderr}`);
  return result;
}

function at(registry: { readonly host: string }, name: string): string {
  return `docker://${registry.host}/${name}`;
}

/** The files of a tar. */
async function membersOf(path: string): Promise<readonly string[]> {
  const listed = await runOrThrow('/bin/tar', ['-tf', path], {
    env: { PATH: process.env['PATH'] ?? '' },
  });
  return listed.trimEnd().split('\n');
}

function filesBelow(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(path, name)).isFile(),
  );
}

/** The image with one more layer, beside it in a layout of its own. */
async function withLayer(image: string, name: string): Promise<string> {
  const layout = join(temporaryFolder('more'), 'layout');
  await skopeo.copy(image, `oci:${layout}:${name}`);
  const file = join(temporaryFolder('file'), name);
  writeFileSync(file, `${name}\n`.repeat(1000));
  await runOrThrow(
    requireTool('umoci'),
    ['insert', '--image', `${layout}:${name}`, file, `/opt/${name}`],
    { env: { PATH: process.env['PATH'] ?? '' } },
  );
  return `oci:${layout}:${name}`;
}

describeReal(
  'across the air gap',
  ['docker-registry', 'skopeo', 'podman', 'buildah', 'umoci'],
  () => {
    /** Name in the first registry, and the repository that it has behind the gap. */
    const carried = ['library/debian:12', 'other:1', 'other:2'] as const;
    let to: DockerRegistry;

    beforeAll(async () => {
      images = await realImages();
      folder = temporaryFolder('air-gap');
      [from, to] = await Promise.all([startDockerRegistry(), startDockerRegistry()]);
      await skopeo.copy(images.image, at(from, 'library/debian:12'));
      await skopeo.copy(images.index, at(from, 'other:1'), { all: true });
      await skopeo.copy(await withLayer(images.image, 'two'), at(from, 'other:2'));
      await regi(
        'export',
        ...carried.map((name) => `${from.host}/${name}`),
        '-o',
        'b.tar',
        '--write-list',
        'b.json',
      );
    });

    describe('regi export of three images', () => {
      test('stores shared content once', async () => {
        const members = await membersOf(join(folder, 'b.tar'));
        const { layers } = JSON.parse(await skopeo.rawManifest(at(from, 'library/debian:12'))) as {
          layers: { digest: string }[];
        };
        for (const { digest } of layers)
          expect(
            members.filter((name) => name === `blobs/${digest.replace(':', '/')}`),
          ).toHaveLength(1);
        expect(new Set(members).size).toBe(members.length);
      });

      test('is byte for byte the same the next time', async () => {
        await regi('export', ...carried.map((name) => `${from.host}/${name}`), '-o', 'again.tar');
        expect(
          readFileSync(join(folder, 'again.tar')).equals(readFileSync(join(folder, 'b.tar'))),
        ).toBe(true);
      });

      test('is verified as whole', async () => {
        expect((await regi('verify', 'archive:b.tar')).stdout).toContain('whole');
      });

      test('is read by skopeo, with the digests of the registry', async () => {
        for (const [name, tag] of [
          ['library/debian:12', '12'],
          ['other:2', '2'],
        ]) {
          expect(await skopeo.digest(`oci-archive:${join(folder, 'b.tar')}:${tag}`)).toBe(
            await skopeo.digest(at(from, name ?? '')),
          );
        }
        expect(await skopeo.rawManifest(`oci-archive:${join(folder, 'b.tar')}:1`)).toBe(
          await skopeo.rawManifest(at(from, 'other:1')),
        );
      });

      test('gives podman every runnable image with its image id', async () => {
        const engine = createEngine();
        await engine.podman('load', '--quiet', '-i', join(folder, 'b.tar'));
        for (const name of carried) {
          const config = JSON.parse(
            await skopeo.rawManifest(
              name === 'other:1' ? at(from, `other@${images.imageDigest}`) : at(from, name),
            ),
          ) as {
            config: { digest: string };
          };
          expect(
            `sha256:${await engine.podman('image', 'inspect', '--format', '{{.Id}}', `${from.host}/${name}`)}`,
          ).toBe(config.config.digest);
        }
      });

      test('is imported under a prefix with equal digests', async () => {
        const { stdout, stderr } = await regi('import', 'b.tar', `${to.host}/mirror`);
        const digests = await Promise.all(carried.map((name) => skopeo.digest(at(from, name))));
        expect(stdout.trimEnd().split('\n')).toEqual(
          carried.map((name, index) => `${to.host}/mirror/${name}@${digests[index]}`),
        );
        expect(
          await Promise.all(carried.map((name) => skopeo.digest(at(to, `mirror/${name}`)))),
        ).toEqual(digests);
        expect(stderr).toContain(`${to.host}/mirror/other:2`);
      });
    });

    test('skopeo distinguishes two repositories with the same tag', async () => {
      await regi(
        'copy',
        '--platform',
        'linux/amd64',
        '--platform',
        'linux/arm64',
        `${from.host}/other:1`,
        `${from.host}/one/app:9`,
      );
      await regi(
        'copy',
        '--platform',
        'linux/arm64',
        '--platform',
        'linux/arm/v7',
        `${from.host}/other:1`,
        `${from.host}/two/app:9`,
      );
      await regi(
        'export',
        `${from.host}/one/app:9`,
        `${from.host}/two/app:9`,
        '-o',
        'same-tag.tar',
      );
      for (const name of ['one/app:9', 'two/app:9']) {
        expect(
          await skopeo.rawManifest(
            `oci-archive:${join(folder, 'same-tag.tar')}:${from.host}/${name}`,
          ),
        ).toBe(await skopeo.rawManifest(at(from, name)));
      }
    });

    describe('regi export --since', () => {
      beforeAll(async () => {
        await skopeo.copy(await withLayer(at(from, 'other:2'), 'three'), at(from, 'other:3'));
        await skopeo.copy(await withLayer(images.image, 'elsewhere'), at(from, 'third/app:1'));
        await regi(
          'export',
          '--since',
          'b.tar',
          `${from.host}/other:3`,
          `${from.host}/third/app:1`,
          '-o',
          'delta.tar',
        );
      });

      test('holds new layers only, for another repository too', async () => {
        const before = new Set(await membersOf(join(folder, 'b.tar')));
        const blobs = (await membersOf(join(folder, 'delta.tar'))).filter((name) =>
          name.startsWith('blobs/'),
        );
        // Two manifests, two configs and the layer that each has more.
        expect([blobs.length, blobs.filter((name) => before.has(name))]).toEqual([6, []]);
        expect(statSync(join(folder, 'delta.tar')).size).toBeLessThan(100_000);
      });

      test('is the same with the list of the earlier archive', async () => {
        await regi(
          'export',
          '--since',
          'b.json',
          `${from.host}/other:3`,
          `${from.host}/third/app:1`,
          '-o',
          'delta-by-list.tar',
        );
        expect(
          readFileSync(join(folder, 'delta-by-list.tar')).equals(
            readFileSync(join(folder, 'delta.tar')),
          ),
        ).toBe(true);
      });

      test('is refused by an empty registry with a list of missing blobs, and nothing is written', async () => {
        const empty = await startDockerRegistry();
        const { status, stdout, stderr } = await runRegi(
          ['import', 'delta.tar', `${empty.host}/mirror`],
          { cwd: folder },
        );
        expect([status, stdout]).toEqual([3, '']);
        expect(
          stderr.split('\n').filter((line) => line.startsWith('sha256:')).length,
        ).toBeGreaterThanOrEqual(3);
        expect(filesBelow(empty.storage)).toEqual([]);
        expect(
          (await empty.requests()).filter(({ method }) => method !== 'GET' && method !== 'HEAD'),
        ).toEqual([]);
      });

      test('is imported where the earlier archive is', async () => {
        await regi('import', 'b.tar', `${to.host}/mirror`);
        await regi('import', 'delta.tar', `${to.host}/mirror`);
        for (const name of ['other:3', 'third/app:1']) {
          expect(await skopeo.digest(at(to, `mirror/${name}`))).toBe(
            await skopeo.digest(at(from, name)),
          );
          await skopeo.copy(
            at(to, `mirror/${name}`),
            `dir:${join(temporaryFolder('pulled'), 'dir')}`,
          );
        }
      });

      test('is served whole together with the earlier archive', async () => {
        const served = await startServe([join(folder, 'b.tar'), join(folder, 'delta.tar')]);
        const layout = `oci:${join(temporaryFolder('served'), 'x')}:1`;
        await skopeo.copy(at(served, 'third/app:1'), layout);
        expect(await skopeo.digest(layout)).toBe(await skopeo.digest(at(from, 'third/app:1')));
        expect(await skopeo.listTags(at(served, 'other'))).toEqual(['1', '2', '3']);
      });
    });

    describe('regi serve b.tar', () => {
      test('skopeo and podman pull from it with equal digests, and no disk is used beside the archive', async () => {
        const stick = temporaryFolder('stick');
        copyFileSync(join(folder, 'b.tar'), join(stick, 'b.tar'));
        const temps = temporaryFolder('temps');
        const served = await startServe(['b.tar'], { cwd: stick, env: { TMPDIR: temps } });
        const layout = `oci:${join(temporaryFolder('served'), 'x')}:1`;
        await skopeo.copy(at(served, 'other:1'), layout, { all: true });
        expect(await skopeo.digest(layout)).toBe(images.indexDigest);

        const engine = createEngine();
        await engine.podman(
          'pull',
          '--quiet',
          '--tls-verify=false',
          `${served.host}/library/debian:12`,
        );
        expect(
          await engine.podman(
            'image',
            'inspect',
            '--format',
            '{{.Digest}}',
            `${served.host}/library/debian:12`,
          ),
        ).toBe(images.imageDigest);
        expect([filesBelow(stick), filesBelow(temps)]).toEqual([['b.tar'], []]);
        expect((await served.stop('SIGTERM')).status).toBe(0);
      });

      test('pieces of a stick that holds no large files are served as one', async () => {
        const stick = temporaryFolder('stick');
        await regi('export', `${from.host}/other:1`, '-o', join(stick, 'b.tar'), '--split', '1M');
        const served = await startServe(['b.tar'], { cwd: stick });
        expect(await skopeo.rawManifest(at(served, 'other:1'))).toBe(
          await skopeo.rawManifest(at(from, 'other:1')),
        );
        await skopeo.copy(at(served, 'other:1'), `dir:${join(temporaryFolder('pulled'), 'dir')}`, {
          all: true,
        });
      });
    });

    test('regi push FILE REF/ brings every image by its own name', async () => {
      const { stdout } = await regi('push', './b.tar', `${to.host}/pushed/`);
      expect(stdout.trimEnd().split('\n')).toHaveLength(carried.length);
      expect(await skopeo.digest(at(to, 'pushed/other:1'))).toBe(images.indexDigest);
    });

    test('regi import into the local store, and out of it again', async () => {
      const env = { REGI_DATA: temporaryFolder('data') };
      expect((await runRegi(['import', 'b.tar'], { cwd: folder, env })).status).toBe(0);
      const { status } = await runRegi(
        ['export', `local:${from.host}/other:1`, '-o', 'local.tar'],
        { cwd: folder, env },
      );
      expect([
        status,
        await skopeo.rawManifest(`oci-archive:${join(folder, 'local.tar')}:1`),
      ]).toEqual([0, await skopeo.rawManifest(at(from, 'other:1'))]);
    });

    describe('an archive from a colleague with', () => {
      test.each([
        ['skopeo, a docker-archive', 'docker-archive'],
        ['skopeo, an oci-archive', 'oci-archive'],
      ])('%s', async (_tool, kind) => {
        const path = join(folder, `${kind}.tar`);
        await skopeo.copy(at(from, 'other:2'), `${kind}:${path}:registry.example/team/app:2`);
        await regi('import', `${kind}.tar`, `${to.host}/${kind}`);
        const { Digest } = await skopeo.inspect(at(to, `${kind}/team/app:2`));
        expect(Digest).toBe((await regi('digest', `archive:${path}`)).stdout.trim());
      });

      test('a tar of an image layout that umoci changed', async () => {
        await regi('copy', '--platform', 'linux/arm64', images.index, `${from.host}/small:1`);
        const layout = (await withLayer(at(from, 'small:1'), 'packed')).slice(
          'oci:'.length,
          -':packed'.length,
        );
        const parent = temporaryFolder('parent');
        cpSync(layout, join(parent, 'team'), { recursive: true });
        mkdirSync(join(parent, 'out'));
        await runOrThrow(
          '/bin/tar',
          ['-czf', join(parent, 'out', 'team.tgz'), '-C', parent, 'team'],
          { env: { PATH: process.env['PATH'] ?? '' } },
        );
        await regi('import', join(parent, 'out', 'team.tgz'), `${to.host}/packed`);
        expect(await skopeo.digest(at(to, 'packed/team:packed'))).toBe(
          await skopeo.digest(`oci:${layout}:packed`),
        );
      });
    });
  },
);
