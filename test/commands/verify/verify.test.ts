import { rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { systemClock } from '../../../src/clock.ts';
import { main } from '../../../src/main.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { decorate } from '../../../src/stores/decorators/decorate.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { bytesOf } from '../../../src/bytes.ts';
import { json, layoutMembers } from '../../support/images/archives.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { expectGolden } from '../../support/golden.ts';
import { makeImage, makeIndex, type TestImageManifest } from '../../support/images/images.ts';
import { fakeIo, type FakeIo } from '../../support/cli/io.ts';
import { blobPath } from '../../support/images/layout-folder.ts';
import { localImages } from '../../support/images/local-images.ts';
import { buildTar, writeTar } from '../../support/images/tar-builder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const image = makeImage({ layers: [1000, 2000] });
const index = makeIndex({ seed: 5 });

let cwd: string;

beforeEach(() => {
  cwd = temporaryFolder('verify');
});

async function run(
  argv: readonly string[],
): Promise<{ readonly status: number; readonly io: FakeIo }> {
  const io = fakeIo({ cwd });
  return { status: await main(argv, io), io };
}

/** The layout `DIR` with an image and an index. */
async function writeImages(): Promise<string> {
  const folder = join(cwd, 'images');
  const layout = await openLayout(folder, { create: true, clock: systemClock });
  await image.pushAll(layout, '1');
  await index.pushAll(layout, '2');
  return folder;
}

function firstLayer({ layers }: TestImageManifest): Digest {
  const [layer] = layers;
  if (layer === undefined) throw new Error('An image without layers');
  return layer.digest;
}

describe('regi verify of a layout', () => {
  test('prints one line for a whole image', async () => {
    await writeImages();
    const { status, io } = await run(['verify', 'oci:images']);
    expect([status, io.stderrText()]).toEqual([0, '']);
    expect(io.stdoutText()).toMatch(
      /^oci:images: whole: 2 images, 13 manifests and blobs \(.+\) verified\n$/,
    );
  });

  test('prints a table of missing, corrupt and extra content, and exits 7', async () => {
    const folder = await writeImages();
    rmSync(blobPath(folder, image.config.digest));
    truncateSync(blobPath(folder, firstLayer(image)), 10);
    const [first] = index.images;
    writeFileSync(
      blobPath(folder, first?.root.digest ?? index.root.digest),
      Buffer.alloc(first?.root.size ?? 0, 32),
    );
    writeFileSync(blobPath(folder, makeImage({ seed: 50 }).root.digest), 'left over');
    const { status, io } = await run(['verify', 'oci:images']);
    expect(status).toBe(7);
    expectGolden('test/golden/local/verify.txt', io.stdoutText());
    expectGolden('test/golden/local/verify-stderr.txt', io.stderrText());
  });

  test('--json prints the same', async () => {
    const folder = await writeImages();
    rmSync(blobPath(folder, image.config.digest));
    const { status, io } = await run(['verify', '--json', 'oci:images']);
    expect(status).toBe(7);
    expect(JSON.parse(io.stdoutText())).toMatchObject({
      location: 'oci:images',
      whole: false,
      images: 2,
      verified: 12,
      problems: [
        {
          status: 'missing',
          digest: image.config.digest,
          mediaType: image.config.mediaType,
          size: image.config.size,
          image: '1',
        },
      ],
    });
    expect(JSON.parse(io.stderrText())).toMatchObject({ error: { code: 'CONTENT_MISMATCH' } });
  });

  test('reads one image alone, and calls nothing extra then', async () => {
    const folder = await writeImages();
    rmSync(blobPath(folder, image.config.digest));
    expect((await run(['verify', 'oci:images:2'])).status).toBe(0);
    expect((await run(['verify', 'oci:images:1'])).status).toBe(7);
    expect((await run(['verify', 'oci:images:2'])).io.stdoutText()).not.toContain('extra');
  });

  test('continues after an incomplete place, and names it at the end', async () => {
    const folder = await writeImages();
    rmSync(blobPath(folder, image.config.digest));
    const { status, io } = await run(['verify', 'oci:images:1', 'oci:images:2']);
    expect([status, io.stdoutText().match(/^oci:\S+ (?:not )?whole/gm)]).toEqual([
      7,
      ['oci:images:1: not whole', 'oci:images:2: whole'],
    ]);
    expect(io.stderrText()).toContain('Cannot vouch for "oci:images:1"');
  });

  test('continues after a place that cannot be opened, prints why, and exits 8', async () => {
    await writeImages();
    const { status, io } = await run(['verify', 'oci:absent', 'oci:images']);
    expect([status, io.stdoutText()]).toEqual([8, expect.stringMatching(/^oci:images: whole/)]);
    expect(io.stderrText()).toContain('Cannot open the image layout');
    expect(io.stderrText()).toContain('1 of 2 failed');
  });

  test('stops at a malformed argument', async () => {
    await writeImages();
    expect((await run(['verify', 'App:1', 'oci:images'])).status).toBe(2);
  });

  test('-q prints nothing for a whole image', async () => {
    await writeImages();
    const { status, io } = await run(['verify', '-q', 'oci:images']);
    expect([status, io.stdoutText(), io.stderrText()]).toEqual([0, '', '']);
  });

  test('does not follow a link in place of a blob', async () => {
    const folder = await writeImages();
    const path = blobPath(folder, image.config.digest);
    rmSync(path);
    symlinkSync('/etc/passwd', path);
    const { status, io } = await run(['verify', 'oci:images']);
    expect(status).not.toBe(0);
    expect(io.stdoutText()).not.toContain('root:');
  });

  test('--deep compares the diff_ids', async () => {
    await writeImages();
    expect((await run(['verify', '--deep', 'oci:images'])).status).toBe(0);
  });

  test.each([
    ['a folder that is not there', 'oci:absent', 3],
    ['a name that is not there', 'oci:images:9', 3],
    ['a missing file', './absent.tar', 3],
  ])('of %s exits 3', async (_what, location, expected) => {
    await writeImages();
    const { status, io } = await run(['verify', location]);
    expect([status, io.stdoutText()]).toEqual([expected, '']);
  });
});

describe('regi verify of the local store', () => {
  test('reads all of it with "local:", and one image by its name or id', async () => {
    const local = localImages();
    await local.keep(image, 'app:1');
    await local.keep(index, 'app:2');
    const texts = ['local:', 'local:app:1', `local:${image.config.digest.slice(7, 19)}`];
    const { status, io } = await local.run(['verify', ...texts]);
    expect([status, io.stdoutText().match(/^local:\S* whole: \d image/gm)]).toEqual([
      0,
      ['local: whole: 2 image', 'local:app:1: whole: 1 image', `${texts[2]}: whole: 1 image`],
    ]);
  });

  test('shows unnamed content as extra, which is no fault', async () => {
    const local = localImages();
    await local.keep(image, 'app:1');
    writeFileSync(blobPath(local.folder, index.root.digest), 'left over');
    const { status, io } = await local.run(['verify', 'local:']);
    expect([status, io.stdoutText()]).toEqual([
      0,
      expect.stringContaining(`extra   ${index.root.digest}`),
    ]);
  });

  test('reports a damaged layer', async () => {
    const local = localImages();
    await local.keep(image, 'app:1');
    writeFileSync(blobPath(local.folder, firstLayer(image)), 'damaged');
    expect((await local.run(['verify', 'local:'])).status).toBe(7);
  });
});

describe('regi verify of a registry', () => {
  test('vouches for an image that is whole', async () => {
    const registry = await startFakeRegistry();
    await index.pushAll(registry.place.open('team/app'), '1');
    const { status, io } = await run(['verify', `${registry.host}/team/app:1`, '--deep']);
    expect([status, io.stdoutText()]).toMatchObject([
      0,
      expect.stringMatching(/: whole: 1 image, 9 manifests and blobs \(/),
    ]);
  });

  test('reports a layer that does not match its digest', async () => {
    const place = createMemoryPlace();
    const open = place.open('team/app');
    const damaged = decorate(open, {
      fetch: (target, options) =>
        target.digest === firstLayer(image)
          ? bytesOf(Buffer.alloc(target.size))
          : open.fetch(target, options),
    });
    await image.pushAll(open, '1');
    const registry = await startFakeRegistry({ place: { ...place, open: () => damaged } });
    const { status, io } = await run(['verify', '--retry', '0', `${registry.host}/team/app:1`]);
    expect([status, io.stdoutText()]).toMatchObject([
      7,
      expect.stringContaining(`corrupt   ${firstLayer(image)}`),
    ]);
  });

  test('fails with the failure of the registry, which says nothing about the image', async () => {
    const registry = await startFakeRegistry();
    await image.pushAll(registry.place.open('team/app'), '1');
    registry.fault({
      match: { method: 'GET', path: /\/blobs\// },
      action: { kind: 'respond', status: 403 },
    });
    const { status, io } = await run(['verify', '--retry', '0', `${registry.host}/team/app:1`]);
    expect([status, io.stdoutText()]).toEqual([4, '']);
  });
});

describe('regi verify of an archive', () => {
  const named = [{ image, refName: '1', fullName: 'registry.example/app:1' }];

  test.each([
    ['whole', layoutMembers(named), 0, ': whole: 1 image, 4 manifests and blobs'],
    [
      'without a layer',
      layoutMembers(named, [firstLayer(image)]),
      7,
      `missing   ${firstLayer(image)}`,
    ],
    [
      'with another byte',
      layoutMembers(named).map((member) =>
        member.name.endsWith(firstLayer(image).slice(7))
          ? { ...member, content: flipped(member.content) }
          : member,
      ),
      7,
      `corrupt   ${firstLayer(image)}`,
    ],
    [
      'with what nothing names',
      [
        ...layoutMembers(named),
        { name: `blobs/sha256/${index.root.digest.slice(7)}`, content: 'x' },
      ],
      0,
      `extra   ${index.root.digest}`,
    ],
  ])('that is %s', async (_what, members, expected, line) => {
    const { status, io } = await run(['verify', `archive:${writeTar(members)}`]);
    expect(io.stdoutText()).toContain(line);
    expect(status).toBe(expected);
  });

  test('reports platforms that docker save listed and did not carry, which is no fault', async () => {
    const [first, second] = index.images;
    if (first === undefined || second === undefined) throw new Error('An index of two');
    const path = writeTar(
      layoutMembers(
        [{ image: index, refName: '1' }],
        [second.root.digest, second.config.digest, ...second.layers.map(({ digest }) => digest)],
      ),
    );
    const { status, io } = await run(['verify', path]);
    expect([status, io.stdoutText()]).toEqual([
      0,
      expect.stringContaining(`absent   ${second.root.digest}`),
    ]);
  });

  describe('D21: on a damaged stick', () => {
    const layer = firstLayer(image);
    const shared = [
      { image, refName: '1', fullName: 'registry.example/app:1' },
      { image, refName: '2', fullName: 'registry.example/app:2' },
      { image: index, refName: '3', fullName: 'registry.example/other:3' },
    ];
    const members = layoutMembers(shared).map((member) =>
      member.name.endsWith(layer.slice(7))
        ? { ...member, content: flipped(member.content) }
        : member,
    );

    /** Writes the archive as files of `size` bytes, and returns where the damaged layer begins. */
    function writePieces(size: number): number {
      const bytes = Buffer.from(buildTar(members));
      for (let at = 0; at * size < bytes.byteLength; at += 1)
        writeFileSync(
          join(cwd, `stick.tar.00${at + 1}`),
          bytes.subarray(at * size, (at + 1) * size),
        );
      const content = members.find(({ name }) => name.endsWith(layer.slice(7)))?.content;
      return bytes.indexOf(Buffer.from(content ?? ''));
    }

    test('names all images that need the layer, its file and offset, and what to copy again', async () => {
      const start = writePieces(8192);
      const [piece, offset] = [Math.floor(start / 8192) + 1, start % 8192];
      const { status, io } = await run(['verify', './stick.tar']);
      expect(status).toBe(7);
      expect(io.stdoutText()).toMatch(
        new RegExp(
          `corrupt +${layer} .* in registry.example/app:1, registry.example/app:2 +at byte ${offset} of stick.tar.00${piece}: expected`,
        ),
      );
      expect(io.stderrText()).toContain(
        `copy stick.tar.00${piece} here again from where it was exported`,
      );
    });

    test('names both files of a layer that lies in two', async () => {
      const start = Buffer.from(buildTar(members)).indexOf(
        Buffer.from(members.find(({ name }) => name.endsWith(layer.slice(7)))?.content ?? ''),
      );
      const size = start + 100;
      writePieces(size);
      const { status, io } = await run(['verify', '--json', './stick.tar']);
      expect(status).toBe(7);
      const [problem] = (JSON.parse(io.stdoutText()) as { problems: readonly unknown[] }).problems;
      expect(problem).toMatchObject({
        image: 'registry.example/app:1',
        images: ['registry.example/app:1', 'registry.example/app:2'],
        files: [
          { path: join(cwd, 'stick.tar.001'), offset: start, size: 100 },
          { path: join(cwd, 'stick.tar.002'), offset: 0, size: (image.layers[0]?.size ?? 0) - 100 },
        ],
      });
      expect(io.stderrText()).toContain('copy stick.tar.001, stick.tar.002 here again');
    });

    test('hints at another export when content is missing', async () => {
      writeFileSync(join(cwd, 'stick.tar'), buildTar(layoutMembers(shared, [layer])));
      const { status, io } = await run(['verify', './stick.tar']);
      expect(status).toBe(7);
      expect(io.stdoutText()).toContain('in registry.example/app:1, registry.example/app:2');
      expect(io.stderrText()).toContain('export the archive again');
    });
  });

  describe('that adds to another', () => {
    const left = firstLayer(image);
    const record = {
      regi: 'omitted',
      version: 1,
      blobs: [
        { digest: left, size: image.layers[0]?.size, repositories: ['registry.example/app'] },
      ],
    };
    const delta = (): string =>
      writeTar([...layoutMembers(named, [left]), json('regi-omitted.json', record)], 'delta.tar');
    const base = (): string => writeTar(layoutMembers([{ image, refName: '0' }]), 'base.tar');

    test('shows left-out layers as absent (in base), and how to check there', async () => {
      const { status, io } = await run(['verify', `archive:${delta()}`]);
      expect([status, io.stdoutText()]).toEqual([
        7,
        expect.stringContaining(`absent (in base)   ${left}`),
      ]);
      expect(io.stderrText()).toContain('layers are in an earlier archive');
      expect(io.stderrText()).toContain('--base OLD.tar');
    });

    test('is whole with --base', async () => {
      const { status, io } = await run(['verify', `archive:${delta()}`, '--base', base()]);
      expect([status, io.stderrText(), io.stdoutText()]).toEqual([
        0,
        '',
        expect.stringContaining(': whole: 1 image, 4 manifests and blobs ('),
      ]);
    });

    test('is not whole with another than its base', async () => {
      const other = writeTar(
        layoutMembers([{ image: makeImage({ seed: 30 }), refName: '0' }]),
        'other.tar',
      );
      expect((await run(['verify', `archive:${delta()}`, '--base', other])).status).toBe(7);
    });

    test('is not whole when the layer is damaged in its base', async () => {
      const members = layoutMembers([{ image, refName: '0' }]).map((member) =>
        member.name.endsWith(left.slice(7))
          ? { ...member, content: flipped(member.content) }
          : member,
      );
      const { status, io } = await run([
        'verify',
        `archive:${delta()}`,
        '--base',
        writeTar(members),
      ]);
      expect([status, io.stdoutText()]).toEqual([7, expect.stringContaining(`corrupt   ${left}`)]);
      expect(io.stdoutText()).toMatch(/at byte \d+ of images\.tar/);
      expect(io.stderrText()).toContain('copy images.tar here again');
    });

    test.each(['oci:images', 'local:'])(
      '--base is for archives only, and not for %s',
      async (location) => {
        await writeImages();
        expect((await run(['verify', location, '--base', base()])).status).toBe(2);
      },
    );
  });
});

function flipped(content: string | Uint8Array | undefined): Uint8Array {
  const bytes = Buffer.from(content ?? '');
  bytes[bytes.byteLength - 1] = 255 - (bytes.at(-1) ?? 0);
  return bytes;
}
