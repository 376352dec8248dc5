import { existsSync } from 'node:fs';

import { beforeEach, describe, expect, test } from 'vitest';

import { createMemoryPlace, type MemoryPlace } from '../../src/stores/memory.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { makeImage, makeIndex } from '../support/images/images.ts';
import { readIndexJson } from '../support/images/layout-folder.ts';
import { localImages, type LocalImages } from '../support/images/local-images.ts';

const INDEX = makeIndex({ attestations: true });
const [AMD64 = makeImage(), ARM64 = makeImage()] = INDEX.images;
const OTHER = makeImage({ seed: 40 });

let place: MemoryPlace;
let registry: FakeRegistry;
let local: LocalImages;
let image: string;

beforeEach(async () => {
  place = createMemoryPlace();
  await INDEX.pushAll(place.open('team/app'), '1.4');
  registry = await startFakeRegistry({ place });
  local = localImages();
  image = `${registry.host}/team/app:1.4`;
});

describe('regi pull into the local store', () => {
  test('keeps the manifest for this machine under the full name, with the digest of the index', async () => {
    const { status, io } = await local.run(['pull', image]);
    expect([status, io.stdoutText()]).toEqual([
      0,
      `Digest: ${INDEX.root.digest}\nStatus: Downloaded newer image for ${image}\n${image}\n`,
    ]);
    expect(readIndexJson(local.folder).manifests).toMatchObject([
      {
        digest: AMD64.root.digest,
        annotations: {
          'io.containerd.image.name': image,
          'io.regi.pulled.digest': INDEX.root.digest,
        },
      },
    ]);
  });

  test('says that an image is up to date, and moves nothing', async () => {
    await local.run(['pull', image]);
    registry.forgetRequests();
    expect((await local.run(['pull', image])).io.stdoutText()).toContain(
      `Status: Image is up to date for ${image}\n`,
    );
    expect(registry.count('GET', 'blob')).toBe(0);
  });

  test('repairs content that was removed from the store behind its name', async () => {
    await local.run(['pull', image]);
    await local.run(['rmi', image]);
    expect((await local.run(['pull', image])).io.stdoutText()).toContain(
      'Status: Downloaded newer image',
    );
    expect((await local.run(['verify', 'local:'])).status).toBe(0);
  });

  test('keeps the image that had the name before without a name, silently', async () => {
    await local.run(['pull', image]);
    await OTHER.pushAll(place.open('team/app'), '1.4');
    const { io } = await local.run(['pull', '-q', image]);
    expect([io.stdoutText(), io.stderrText()]).toEqual([`${image}\n`, '']);
    expect(await local.names()).toEqual(expect.arrayContaining([image, undefined]));
    expect((await local.run(['images', '-q', '-f', 'dangling=true'])).io.stdoutText()).toBe(
      `${AMD64.config.digest.slice(7, 19)}\n`,
    );
  });

  test('forgets the digest of an index when the name is a single image now', async () => {
    await local.run(['pull', image]);
    await OTHER.pushAll(place.open('team/app'), '1.4');
    await local.run(['pull', image]);
    expect(
      readIndexJson(local.folder).manifests.find(({ digest }) => digest === OTHER.root.digest)
        ?.annotations,
    ).not.toHaveProperty('io.regi.pulled.digest');
  });

  test('of a digest is listed by the digest that was typed, and found by it', async () => {
    const pinned = `${registry.host}/team/app@${INDEX.root.digest}`;
    expect((await local.run(['pull', pinned])).status).toBe(0);
    const { io } = await local.run(['images', '--digests']);
    expect(io.stdoutText()).toContain(`team/app   <none>   ${INDEX.root.digest}`);
    expect((await local.run(['digest', `local:${pinned}`])).io.stdoutText()).toBe(
      `${AMD64.root.digest}\n`,
    );
    expect((await local.run(['prune'])).io.stdoutText()).toBe('Total reclaimed space: 0 B\n');
    expect((await local.run(['rmi', pinned])).io.stdoutText()).toContain(`Untagged: ${pinned}\n`);
    expect(await local.names()).toEqual([]);
  });

  test('pulls two platforms of one name, and the last one keeps it', async () => {
    await local.run(['pull', '--platform', 'arm64', image]);
    expect((await local.run(['images', '--json'])).io.stdoutText()).toContain(
      '"platform":"linux/arm64/v8"',
    );
    await local.run(['pull', image]);
    expect((await local.run(['digest', `local:${image}`])).io.stdoutText()).toBe(
      `${AMD64.root.digest}\n`,
    );
    expect(ARM64.root.digest).not.toBe(AMD64.root.digest);
  });

  test('-a pulls every tag, and --all-platforms the whole index', async () => {
    await INDEX.pushAll(place.open('team/app'), 'latest');
    expect(
      (await local.run(['pull', '-a', '--all-platforms', `${registry.host}/team/app`])).status,
    ).toBe(0);
    expect(new Set(await local.names())).toEqual(
      new Set([`${registry.host}/team/app:1.4`, `${registry.host}/team/app:latest`]),
    );
    expect(
      readIndexJson(local.folder).manifests.every(({ digest }) => digest === INDEX.root.digest),
    ).toBe(true);
  });

  test('of a missing image creates no store', async () => {
    const folder = `${local.folder}/new`;
    expect(
      (
        await local.run(['pull', `${registry.host}/team/app:absent`], {
          env: { REGI_DATA: folder },
        })
      ).status,
    ).toBe(3);
    expect(existsSync(folder)).toBe(false);
  });

  test('goes where the system keeps data without REGI_DATA', async () => {
    const home = `${local.folder}/home`;
    expect((await local.run(['pull', image], { env: { REGI_DATA: '' }, home })).status).toBe(0);
    expect(existsSync(`${home}/.local/share/regi/index.json`)).toBe(true);
  });
});

describe('regi tag in the local store', () => {
  beforeEach(() => local.keep(AMD64, 'nginx:1.27', INDEX.root.digest));

  test('gives an image the name of another registry, and says where', async () => {
    const { status, io } = await local.run([
      'tag',
      'nginx:1.27',
      'registry.local:5000/gallery/ui:v1',
      'registry.local:5000/gallery/ui',
    ]);
    expect([status, io.stderrText()]).toEqual([0, 'Tagging in the local store\n']);
    expect(io.stdoutText()).toBe(
      ['v1', 'latest']
        .map((tag) => `local:registry.local:5000/gallery/ui:${tag}@${AMD64.root.digest}\n`)
        .join(''),
    );
    expect(await local.names()).toEqual(
      expect.arrayContaining([
        'registry.local:5000/gallery/ui:v1',
        'registry.local:5000/gallery/ui:latest',
      ]),
    );
  });

  test.each([
    ['an id', AMD64.config.digest.slice(7, 19)],
    ['an id with its algorithm', AMD64.config.digest],
    ['a digest', `nginx@${INDEX.root.digest}`],
    ['local: before it', 'local:nginx:1.27'],
  ])('finds the image by %s', async (_what, text) => {
    expect((await local.run(['tag', text, 'registry.local:5000/ui:1'])).status).toBe(0);
    expect(await local.names()).toContain('registry.local:5000/ui:1');
  });

  test('local: forces the local store where the registry would be meant', async () => {
    expect((await local.run(['tag', 'local:nginx:1.27', 'nginx:stable'])).status).toBe(0);
    expect(await local.names()).toContain('docker.io/library/nginx:stable');
  });

  test('of a missing image exits 3, hints at copy, and creates no store', async () => {
    const folder = `${local.folder}/new`;
    const { status, io } = await local.run(['tag', 'absent:1', 'registry.local:5000/ui:1'], {
      env: { REGI_DATA: folder },
    });
    expect([status, existsSync(folder)]).toEqual([3, false]);
    expect(io.stderrText()).toContain('regi copy absent:1 registry.local:5000/ui:1');
  });

  test('D1: regi tag gives another name in the local store, as docker does, and asks no registry', async () => {
    const { status, io } = await local.run(['tag', 'nginx:1.27', 'myweb', ':next', 'team/web:2']);
    expect([status, io.stderrText()]).toEqual([0, 'Tagging in the local store\n']);
    expect(await local.names()).toEqual(
      expect.arrayContaining([
        'docker.io/library/myweb:latest',
        'docker.io/library/nginx:next',
        'docker.io/team/web:2',
      ]),
    );
  });

  test.each(['latest', '1.28', 'v2', 'Stable'])(
    'D1: regi tag refuses the bare word %s, which may be a tag or a name, and shows both lines',
    async (word) => {
      const { status, io } = await local.run(['tag', 'nginx:1.27', word]);
      expect([status, io.stderrText()]).toEqual([
        2,
        `regi: Cannot tag as "${word}": it could be a tag or a name\n  type: regi tag nginx:1.27 :${word}, for the local store, or: regi tag docker://docker.io/library/nginx:1.27 ${word}, for the registry\n`,
      ]);
    },
  );

  test('D9: regi tag refuses a registry as a name', async () => {
    const { status, io } = await local.run(['tag', 'nginx:1.27', '127.0.0.1:5601']);
    expect(status).toBe(2);
    expect(io.stderrText()).toContain('it names a registry without a repository');
  });

  test('D1: regi tag writes no unqualified name to the registry, and says how to', async () => {
    const { status, io } = await local.run(['tag', 'absent:1', 'absent:2']);
    expect([status, io.stderrText()]).toEqual([
      3,
      'regi: Cannot tag "absent:1" as "absent:2": it is not in the local store\n  type first: regi pull absent:1; or, in the registry: regi tag docker://absent:1 absent:2\n',
    ]);
    const refused = await local.run(['tag', 'nginx:1.27', 'docker://nginx:2']);
    expect([refused.status, refused.io.stderrText()]).toEqual([
      2,
      expect.stringContaining('type: regi push nginx:1.27 docker://nginx:2'),
    ]);
  });

  test('moves a name from one image to another', async () => {
    await local.keep(OTHER, 'other:1');
    await local.run(['tag', 'nginx:1.27', 'registry.local:5000/ui:1']);
    await local.run(['tag', 'other:1', 'registry.local:5000/ui:1']);
    expect((await local.run(['digest', 'local:registry.local:5000/ui:1'])).io.stdoutText()).toBe(
      `${OTHER.root.digest}\n`,
    );
    expect((await local.run(['images', '-f', 'dangling=true', '-q'])).io.stdoutText()).toBe('');
  });
});

describe('regi push from the local store', () => {
  test('pushes a tagged image byte for byte', async () => {
    const name = `${registry.host}/gallery/ui:v1`;
    await local.keep(AMD64, name);
    const { status, io } = await local.run(['push', name]);
    expect([status, io.stdoutText()]).toEqual([
      0,
      `${registry.host}/gallery/ui:v1@${AMD64.root.digest}\n`,
    ]);
    expect(await place.open('gallery/ui').resolve('v1')).toMatchObject({
      digest: AMD64.root.digest,
    });
  });

  test('-a pushes every tag of a repository, and no other', async () => {
    for (const tag of ['1', '2']) await local.keep(AMD64, `${registry.host}/gallery/ui:${tag}`);
    await local.keep(OTHER, `${registry.host}/gallery/other:3`);
    const { status, io } = await local.run(['push', '-a', `${registry.host}/gallery/ui`]);
    expect([status, io.stdoutText()]).toEqual([
      0,
      ['1', '2'].map((tag) => `${registry.host}/gallery/ui:${tag}@${AMD64.root.digest}\n`).join(''),
    ]);
    await expect(place.open('gallery/other').resolve('3')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('lists existing tags when another one is requested', async () => {
    await local.keep(AMD64, `${registry.host}/gallery/ui:v1`);
    const { status, io } = await local.run(['push', `${registry.host}/gallery/ui`]);
    expect(status).toBe(3);
    expect(io.stderrText()).toContain(`it holds "${registry.host}/gallery/ui:v1"`);
  });

  test('fetches nothing from a registry for a partial local image', async () => {
    await local.run(['pull', image]);
    registry.forgetRequests();
    expect((await local.run(['push', image])).status).toBe(0);
    expect(
      registry.requests.filter(({ method, kind }) => method === 'GET' && kind !== 'version'),
    ).toEqual([]);
  });
});

describe('local: as a location', () => {
  test('is copied to and from, and inspected', async () => {
    expect((await local.run(['copy', image, 'local:app:1'])).status).toBe(0);
    expect((await local.run(['digest', 'local:app:1'])).io.stdoutText()).toBe(
      `${INDEX.root.digest}\n`,
    );
    expect(
      (await local.run(['copy', 'local:app:1', `${registry.host}/back/app:1`])).io.stdoutText(),
    ).toBe(`${registry.host}/back/app:1@${INDEX.root.digest}\n`);
    expect((await local.run(['copy', 'local:app:1', 'oci:out:1'])).status).toBe(0);
  });

  test('of a missing image shows how to pull it', async () => {
    const { status, io } = await local.run(['inspect', 'local:nginx']);
    expect([status, io.stderrText()]).toEqual([
      3,
      'regi: Cannot find "nginx:latest" in the local store\n  type: regi pull nginx:latest; regi images lists the images of the local store\n',
    ]);
  });
});
