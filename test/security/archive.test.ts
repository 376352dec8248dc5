import {
  createWriteStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { describe, expect, test } from 'vitest';

import { bytesOf, collectVerified } from '../../src/bytes.ts';
import { LIMITS } from '../../src/limits.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { archiveAt } from '../../src/stores/archive/writer.ts';
import type { ArchivePart } from '../../src/tar/archive-target.ts';
import { planTar } from '../../src/tar/plan-tar.ts';
import { blobName, json, layoutMembers, openForTest } from '../support/images/archives.ts';
import { startFakeRegistry } from '../support/registries/fake-registry.ts';
import { makeBlob, makeImage } from '../support/images/images.ts';
import { instantClock } from '../support/clock.ts';
import { runMain } from '../support/cli/run-main.ts';
import { buildTar, writeTar, type TarMember } from '../support/images/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { listAll, readAll } from '../support/registries/watched.ts';

const image = makeImage();

function withConfig(
  config: string,
  layers: readonly string[],
  members: readonly TarMember[] = [],
): string {
  return writeTar([
    ...members,
    json('manifest.json', [{ Config: config, RepoTags: ['app:1'], Layers: layers }]),
  ]);
}

describe('tar-manifest-path', () => {
  test.each(['../../etc/passwd', '/etc/passwd', 'etc/../../../etc/passwd'])(
    'a config named "%s" is looked up in the tar only',
    async (name) => {
      await expect(openForTest(withConfig(name, []))).rejects.toMatchObject({
        code: 'INVALID_ARCHIVE',
        message: expect.stringContaining('found none'),
      });
    },
  );

  test('a layer named by a path of this machine is looked up in the tar only', async () => {
    const secret = join(temporaryFolder('secret'), 'shadow');
    writeFileSync(secret, 'root:x');
    const config = json('config.json', { rootfs: { diff_ids: [digestOf(Buffer.from('root:x'))] } });
    await expect(openForTest(withConfig('config.json', [secret], [config]))).rejects.toMatchObject({
      code: 'INVALID_ARCHIVE',
    });
  });
});

describe('tar-hardlink', () => {
  test.each(['1', '2'])(
    'a link of type %s to a path outside the tar is not followed',
    async (typeflag) => {
      const members = [{ name: 'config.json', typeflag, link: '/etc/passwd' }];
      await expect(openForTest(withConfig('config.json', [], members))).rejects.toMatchObject({
        code: 'INVALID_ARCHIVE',
      });
    },
  );
});

describe('tar-special', () => {
  test.each(['3', '4', '6'])('an entry of type %s is never opened', async (typeflag) => {
    await expect(
      openForTest(withConfig('config.json', [], [{ name: 'config.json', typeflag }])),
    ).rejects.toMatchObject({ code: 'INVALID_ARCHIVE' });
  });

  test('special entries beside an image are ignored', async () => {
    const members = [
      { name: 'dev/null', typeflag: '3' },
      { name: 'pipe', typeflag: '6' },
      ...layoutMembers([{ image, refName: '1' }]),
    ];
    expect(await (await openForTest(writeTar(members))).open('').resolve('1')).toEqual(image.root);
  });
});

describe('tar-manifest-size', () => {
  test.each([
    [
      'manifest.json',
      [{ name: 'manifest.json', content: Buffer.alloc(LIMITS.manifestBytes + 1, ' ') }],
    ],
    [
      'index.json',
      [
        json('oci-layout', { imageLayoutVersion: '1.0.0' }),
        { name: 'index.json', content: Buffer.alloc(LIMITS.manifestBytes + 1, ' ') },
      ],
    ],
    ['oci-layout', [{ name: 'oci-layout', content: Buffer.alloc(LIMITS.manifestBytes + 1, ' ') }]],
  ])('a %s over 4 MiB is refused', async (_, members) => {
    await expect(openForTest(writeTar(members))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });
});

describe('tar-trunc', () => {
  const whole = buildTar(layoutMembers([{ image, refName: '1' }]));

  test('a tar that ends inside a member is refused with the offset', async () => {
    await expect(
      openForTest(writeTar(whole.subarray(0, whole.byteLength - 1024 - 600))),
    ).rejects.toMatchObject({
      code: 'INVALID_ARCHIVE',
      message: expect.stringMatching(/at byte \d+:/),
    });
  });

  test.each([
    ['without the blocks at the end', whole.subarray(0, whole.byteLength - 1024)],
    ['with garbage behind the end', Buffer.concat([whole, Buffer.from('garbage'.repeat(1000))])],
  ])('a tar %s is read', async (_, bytes) => {
    expect(await (await openForTest(writeTar(bytes))).open('').resolve('1')).toEqual(image.root);
  });
});

describe('tar-unicode, tar-win-names', () => {
  test.each(['CON', 'a:b', 'name.', 'BLOBS/SHA256/x', 'n\u0303ame', '..\\..\\x'])(
    'an entry named "%s" becomes no file',
    async (name) => {
      const folder = temporaryFolder('cwd');
      const archive = await openForTest(
        writeTar([{ name, content: 'x' }, ...layoutMembers([{ image, refName: '1' }])]),
        { tempFolder: folder },
      );
      expect(await archive.open('').resolve('1')).toEqual(image.root);
    },
  );

  test('a blob under a name in other case is not found', async () => {
    const [layer] = image.layers;
    const members = layoutMembers([{ image }]).map((member) =>
      layer !== undefined && member.name === blobName(layer)
        ? { ...member, name: member.name.toUpperCase() }
        : member,
    );
    expect(await (await openForTest(writeTar(members))).open('').exists(layer ?? image.root)).toBe(
      false,
    );
  });
});

describe('tar-oci-layout', () => {
  test.each([['2.0.0'], [undefined]])(
    'a layout of version %s is refused',
    async (imageLayoutVersion) => {
      const members = [
        json('oci-layout', { imageLayoutVersion }),
        json('index.json', { schemaVersion: 2, manifests: [] }),
      ];
      await expect(openForTest(writeTar(members))).rejects.toMatchObject({
        code: 'INVALID_ARCHIVE',
      });
    },
  );

  test('an image without its manifest is NOT_FOUND when it is read, and others can be read', async () => {
    const other = makeImage({ seed: 2 });
    const members = layoutMembers(
      [
        { image, refName: '1' },
        { image: other, refName: '2' },
      ],
      [image.root.digest],
    );
    const store = (await openForTest(writeTar(members))).open('');
    await expect(readAll(store.fetch(await store.resolve('1')))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await store.resolve('2')).toEqual(other.root);
  });
});

describe('tar-ref-poison', () => {
  test('a name that is not a reference is ignored: a single image is named for its file', async () => {
    const members = layoutMembers([{ image, refName: '-x', fullName: '--help' }]);
    const archive = await openForTest(writeTar(members));
    expect(await listAll(archive.repositories())).toEqual(['images']);
    expect(await archive.images()).toEqual([
      expect.objectContaining({ name: '--help', repository: undefined }),
    ]);
  });

  test('names that are not references are ignored when there are several images', async () => {
    const members = layoutMembers([
      { image, refName: '-x', fullName: '--help' },
      { image: makeImage({ seed: 2 }), refName: '-y', fullName: '--version' },
    ]);
    expect(await listAll((await openForTest(writeTar(members))).repositories())).toEqual([]);
  });
});

describe('tar-ref-poison: regi import', () => {
  test('pushes only to the named registry, whatever the archive claims', async () => {
    const to = await startFakeRegistry();
    const path = writeTar(
      layoutMembers([
        { image, refName: '-x', fullName: '--help' },
        { image: makeImage({ seed: 2 }), fullName: 'docker.io/library/nginx:latest' },
      ]),
      'a.tar',
    );
    const { status, stdout } = await runMain(['import', path, `${to.host}/mirror`]);
    expect(status).toBe(0);
    expect(
      stdout.split('\n').filter((line) => line !== '' && !line.startsWith(`${to.host}/mirror/`)),
    ).toEqual([]);
    expect((await listAll(to.place.repositories())).toSorted()).toEqual([
      'mirror/a',
      'mirror/library/nginx',
    ]);
  });

  test.each(['../../etc', 'attacker.example/x', 'a b', ''])(
    'requests no layer from another registry when it is recorded as of "%s"',
    async (repository) => {
      const to = await startFakeRegistry();
      const [layer = image.root] = image.layers;
      const record = {
        regi: 'omitted',
        version: 1,
        blobs: [{ digest: layer.digest, size: layer.size, repositories: [repository] }],
      };
      const path = writeTar([
        ...layoutMembers([{ image, fullName: 'a.example/app:1' }], [layer.digest]),
        json('regi-omitted.json', record),
      ]);
      const { status } = await runMain(['import', path, `${to.host}/mirror`]);
      expect([status, to.requests.filter(({ url }) => !url.startsWith('/v2/mirror/'))]).toEqual([
        3,
        [],
      ]);
    },
  );

  test.each([
    ['a digest that is a path', { digest: '../../x', size: 1, repositories: [] }],
    ['a size below zero', { digest: digestOf(Buffer.from('x')), size: -1, repositories: [] }],
  ])('a record with %s is refused', async (_what, blob) => {
    const path = writeTar([
      ...layoutMembers([{ image, refName: '1' }]),
      json('regi-omitted.json', { regi: 'omitted', version: 1, blobs: [blob] }),
    ]);
    await expect(openForTest(path)).rejects.toMatchObject({ code: 'INVALID_ARCHIVE' });
  });
});

describe('a blob that does not match its name', () => {
  test('is detected when it is read', async () => {
    const [layer] = image.layers;
    const members = layoutMembers([{ image }]).map((member) =>
      layer !== undefined && member.name === blobName(layer)
        ? { ...member, content: Buffer.alloc(layer.size) }
        : member,
    );
    const store = (await openForTest(writeTar(members))).open('');
    await expect(
      collectVerified(store.fetch(layer ?? image.root), layer ?? image.root, 1e6),
    ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
  });
});

describe('tar-import-limit', () => {
  test('a stream that fails leaves no file', async () => {
    const tempFolder = temporaryFolder('spool');
    const problem = new Error('connection lost');
    const input = {
      async *[Symbol.asyncIterator]() {
        yield new Uint8Array(100_000);
        throw problem;
      },
    };
    await expect(openForTest('-', { tempFolder, input })).rejects.toBe(problem);
    expect(readdirSync(tempFolder)).toEqual([]);
  });
});

describe('bomb-archive', () => {
  test('a gzip that unpacks a thousandfold is refused', async () => {
    const path = join(temporaryFolder('bomb'), 'bomb.tar.gz');
    const chunk = Buffer.alloc(1024 * 1024);
    async function* zeros(): AsyncGenerator<Uint8Array> {
      yield buildTar([{ name: 'large', size: 8 * 1024 ** 3 - 1 }], 0);
      for (let written = 0; written < 32 * 1024 * 1024; written += chunk.byteLength) yield chunk;
    }
    await pipeline(Readable.from(zeros()), createGzip({ level: 1 }), createWriteStream(path));
    await expect(
      openForTest(path, { tempFolder: temporaryFolder('spool'), unpackedBytes: 16 * 1024 * 1024 }),
    ).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });
});

describe('tar-symlink-in-dest', () => {
  const { descriptor, bytes } = makeBlob(1000);
  const plan = planTar<ArchivePart>([
    { kind: 'node', name: 'blob', size: 1000, target: descriptor },
  ]);

  test.each(['.part', '.part.journal'])(
    'a symbolic link in the place of FILE%s is not written through',
    async (suffix) => {
      const victim = join(temporaryFolder('victim'), 'file');
      writeFileSync(victim, 'precious');
      const path = join(temporaryFolder('archive'), 'new.tar');
      if (suffix === '.part.journal') writeFileSync(`${path}.part`, '');
      symlinkSync(victim, `${path}${suffix}`);
      const written = archiveAt(path, { clock: instantClock() })(plan, async (target) => {
        if (target.kind === 'file' && plan.files[0] !== undefined)
          await target.write(plan.files[0], () => bytesOf(bytes));
      });
      await expect(written).rejects.toMatchObject({ code: 'REFUSED' });
      expect(readFileSync(victim, 'utf8')).toBe('precious');
    },
  );

  test('a folder in the place of FILE.part is refused', async () => {
    const path = join(temporaryFolder('archive'), 'new.tar');
    mkdirSync(`${path}.part`);
    await expect(
      archiveAt(path, { clock: instantClock() })(plan, async () => undefined),
    ).rejects.toMatchObject({ code: 'REFUSED' });
  });
});
