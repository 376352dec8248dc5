import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { parseReference } from '../../../src/oci/reference.ts';
import { copyImages } from '../../../src/operations/copy/copy-images.ts';
import { exportImages } from '../../../src/operations/archive/export-images.ts';
import type { ExportJob } from '../../../src/operations/archive/collect-images.ts';
import { archiveAt } from '../../../src/stores/archive/writer.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import type { Source } from '../../../src/store.ts';
import { openForTest } from '../../support/images/archives.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { createEngine, type Engine } from '../../support/programs/podman.ts';
import { realClock } from '../../support/clock.ts';
import { describeReal, requireTool } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { realImages, type RealImages } from '../../support/images/rootfs.ts';
import { runOrThrow } from '../../support/programs/run-program.ts';
import { startServe } from '../../support/registries/serve.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let images: RealImages;
let folder: string;

async function regi(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runRegi(['--quiet', ...args]);
  if (status !== 0) throw new Error(`regi ${args.join(' ')}: exit status ${status}\n${stderr}`);
  return stdout.trim();
}

/** Every node of the image is there and is what its digest says. */
async function expectWhole(source: Source, reference: string): Promise<void> {
  const target = await openLayout(join(temporaryFolder('whole'), 'layout'), {
    create: true,
    clock: realClock,
  });
  for await (const copied of copyImages([
    { source, reference, destination: target, tag: 'x', image: 'x' },
  ]))
    expect(copied.outcome).toBe('copied');
}

describeReal('archives and skopeo', ['buildah', 'skopeo', 'umoci'], () => {
  beforeAll(async () => {
    images = await realImages();
    folder = temporaryFolder('archives');
  });

  test('oci-archive: regi reads what skopeo writes, with the same digest', async () => {
    const path = join(folder, 'oci.tar');
    await skopeo.copy(images.index, `oci-archive:${path}:12`, { all: true });
    const store = (await openForTest(path)).open('');
    expect((await store.resolve('12')).digest).toBe(images.indexDigest);
    await expectWhole(store, '12');
  });

  test('docker-archive: regi reads what skopeo writes, with the same digest each time', async () => {
    const path = join(folder, 'docker.tar');
    await skopeo.copy(images.image, `docker-archive:${path}:registry.example/team/app:1`);
    const store = (await openForTest(path)).open('');
    expect((await store.resolve('registry.example/team/app:1')).digest).toBe(
      await regi('digest', `archive:${path}`),
    );
    await expectWhole(store, '1');
  });

  test('dir: regi reads what skopeo writes, with the same digest', async () => {
    const path = join(folder, 'dir');
    await skopeo.copy(images.index, `dir:${path}`, { all: true });
    expect(await regi('digest', `dir:${path}`)).toBe(images.indexDigest);
    expect(await regi('copy', `dir:${path}`, `oci:${join(folder, 'from-dir')}:x`)).toContain(
      images.indexDigest,
    );
  });

  test('skopeo reads an index that regi writes, with the same digest', async () => {
    const path = join(folder, 'regi.tar');
    await regi('copy', images.index, `archive:${path}:registry.example/team/app:1`);
    expect(await skopeo.digest(`oci-archive:${path}:1`)).toBe(images.indexDigest);
    expect(
      (await skopeo.inspect(`docker-archive:${path}:registry.example/team/app:1`)).Architecture,
    ).toBe('amd64');
  });

  test('skopeo reads two repositories with one tag, each by its full name', async () => {
    const layout = await openLayout(images.layout, { create: false, clock: realClock });
    const path = join(folder, 'two.tar');
    async function* jobs(): AsyncGenerator<ExportJob> {
      yield {
        source: layout,
        reference: '12',
        name: parseReference('a.example/app:1'),
        image: 'a',
      };
      yield {
        source: layout,
        reference: 'all',
        name: parseReference('b.example/app:1'),
        image: 'b',
      };
    }
    await exportImages(jobs(), archiveAt(path, { clock: realClock }));
    expect([
      await skopeo.digest(`oci-archive:${path}:a.example/app:1`),
      await skopeo.digest(`oci-archive:${path}:b.example/app:1`),
    ]).toEqual([images.imageDigest, images.indexDigest]);
  });

  test("skopeo reads docker's old format that regi writes", async () => {
    const path = join(folder, 'old.tar');
    await regi('copy', images.image, `docker-archive:${path}:registry.example/team/app:1`);
    expect((await skopeo.inspect(`docker-archive:${path}`)).Architecture).toBe('amd64');
    await skopeo.copy(`docker-archive:${path}`, `dir:${join(folder, 'old-dir')}`);
  });

  test.each([
    ['oci-archive', true],
    ['docker-archive', false],
    ['dir', true],
  ])('skopeo copies an archive of regi to %s:, and regi reads it', async (kind, keepsDigest) => {
    const [path, copied] = [join(folder, `for-${kind}.tar`), join(folder, `copied-${kind}`)];
    await regi('export', images.image, '-o', path);
    await skopeo.copy(
      `oci-archive:${path}:12`,
      `${kind}:${copied}${kind === 'dir' ? '' : ':team/app:12'}`,
    );
    const digest = await regi('digest', `${kind}:${copied}`);
    // A docker-archive holds no manifest: its layers come back as they are, unpacked by skopeo.
    expect(digest === images.imageDigest).toBe(keepsDigest);
    await regi('copy', `${kind}:${copied}`, `oci:${join(folder, `back-${kind}`)}:x`);
    await regi('verify', '--deep', `oci:${join(folder, `back-${kind}`)}`);
  });

  test('umoci lists the layout that regi copied from an archive', async () => {
    const [path, layout] = [join(folder, 'umoci.tar'), join(folder, 'umoci')];
    await regi('copy', images.image, `archive:${path}:1`);
    await regi('copy', `archive:${path}`, `oci:${layout}:1`);
    expect(
      await runOrThrow(requireTool('umoci'), ['ls', '--layout', layout], {
        env: { PATH: process.env['PATH'] ?? '' },
      }),
    ).toBe('1\n');
  });
});

describeReal('archives and podman', ['podman', 'buildah'], () => {
  let engine: Engine;
  let imageId: string;

  beforeAll(async () => {
    engine = createEngine();
    folder = temporaryFolder('archives');
    const tree = join(folder, 'tree');
    mkdirSync(tree);
    writeFileSync(join(tree, 'hello'), 'hello\n');
    const working = await engine.buildah('from', 'scratch');
    await engine.buildah('add', '--quiet', working, tree, '/');
    await engine.buildah('commit', '--quiet', working, 'localhost/team/app:1');
    imageId = await engine.podman(
      'image',
      'inspect',
      '--format',
      '{{.Id}}',
      'localhost/team/app:1',
    );
  });

  describe('regi reads', () => {
    test.each(['docker-archive', 'oci-archive'])('podman save --format %s', async (format) => {
      const path = join(folder, `podman-${format}.tar`);
      await engine.podman(
        'save',
        '--quiet',
        '--format',
        format,
        '-o',
        path,
        'localhost/team/app:1',
      );
      const store = (await openForTest(path)).open('');
      expect(await regi('config', `archive:${path}`)).toContain('"rootfs"');
      await expectWhole(store, 'localhost/team/app:1');
    });

    test('several images of podman save -m', async () => {
      const path = join(folder, 'podman-multi.tar');
      await engine.podman('tag', 'localhost/team/app:1', 'localhost/team/other:2');
      await engine.podman(
        'save',
        '--quiet',
        '-m',
        '-o',
        path,
        'localhost/team/app:1',
        'localhost/team/other:2',
      );
      expect((await regi('tags', 'list', `archive:${path}`)).split('\n').toSorted()).toEqual([
        '1',
        '2',
      ]);
    });

    test.each(['docker-archive', 'oci-archive'])('buildah push %s:', async (kind) => {
      const path = join(folder, `buildah-${kind}.tar`);
      await engine.buildah(
        'push',
        '--quiet',
        'localhost/team/app:1',
        `${kind}:${path}:localhost/team/app:1`,
      );
      await expectWhole((await openForTest(path)).open(''), '');
    });
  });

  test.each(['archive', 'docker-archive', 'oci-archive'])(
    'podman loads an archive of regi as %s:, with its image id',
    async (kind) => {
      const [saved, written] = [
        join(folder, `saved-${kind}.tar`),
        join(folder, `written-${kind}.tar`),
      ];
      await engine.podman(
        'save',
        '--quiet',
        '--format',
        'oci-archive',
        '-o',
        saved,
        'localhost/team/app:1',
      );
      await regi('copy', `archive:${saved}`, `${kind}:${written}`);
      const other = createEngine();
      await other.podman('load', '--quiet', '-i', written);
      expect(await other.podman('images', '--no-trunc', '--quiet')).toBe(`sha256:${imageId}`);
    },
  );

  test.each(['docker-archive', 'oci-archive'])(
    'buildah pulls an archive of regi, as %s:, with its image id',
    async (kind) => {
      const [saved, written] = [
        join(folder, `saved-for-${kind}.tar`),
        join(folder, `both-for-${kind}.tar`),
      ];
      await engine.podman(
        'save',
        '--quiet',
        '--format',
        'oci-archive',
        '-o',
        saved,
        'localhost/team/app:1',
      );
      await regi('export', `archive:${saved}`, '-o', written);
      const other = createEngine();
      await other.buildah('pull', '--quiet', `${kind}:${written}`);
      expect(await other.buildah('images', '--no-trunc', '--quiet')).toBe(`sha256:${imageId}`);
    },
  );

  test.each(['docker-archive', 'oci-archive'])(
    'an archive of podman as %s passes through regi serve and back, with its image id',
    async (format) => {
      const [saved, back] = [
        join(folder, `through-${format}.tar`),
        join(folder, `back-${format}.tar`),
      ];
      await engine.podman(
        'save',
        '--quiet',
        '--format',
        format,
        '-o',
        saved,
        'localhost/team/app:1',
      );
      const served = await startServe(['--memory']);
      await regi('import', saved, `${served.host}/x`);
      await regi('export', `${served.host}/x/team/app:1`, '-o', back);
      const other = createEngine();
      await other.podman('load', '--quiet', '-i', back);
      expect(await other.podman('images', '--no-trunc', '--quiet')).toBe(`sha256:${imageId}`);
    },
  );

  test('podman loads every image of an archive of several, by its names', async () => {
    const store = createMemoryStore();
    await makeIndex({ seed: 1 }).pushAll(store, 'one');
    await makeImage({ seed: 5 }).pushAll(store, 'two');
    const path = join(folder, 'several.tar');
    async function* jobs(): AsyncGenerator<ExportJob> {
      yield {
        source: store,
        reference: 'one',
        name: parseReference('a.example/app:1'),
        image: 'a',
      };
      yield {
        source: store,
        reference: 'two',
        name: parseReference('b.example/app:1'),
        image: 'b',
      };
    }
    await exportImages(jobs(), archiveAt(path, { clock: realClock }));
    const other = createEngine();
    await other.podman('load', '--quiet', '-i', path);
    expect(
      (await other.podman('images', '--format', '{{.Repository}}:{{.Tag}}')).split('\n').toSorted(),
    ).toEqual(['a.example/app:1', 'b.example/app:1']);
  });
});
