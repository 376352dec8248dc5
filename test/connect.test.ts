import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  archiveAt,
  connect,
  createMemoryPlace,
  exportImages,
  parseReference,
  startServer,
  type CopyProgress,
  type ExportJob,
  type MemoryPlace,
  type Regi,
  type RunningServer,
} from '../src/index.ts';
import { makeImage, makeIndex } from './support/images/images.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

let place: MemoryPlace;
let server: RunningServer;
let regi: Regi;
/** `127.0.0.1:PORT/team/app`. */
let app: string;

beforeEach(async () => {
  place = createMemoryPlace();
  server = await startServer({ place });
  app = `${server.url.host}/team/app`;
  regi = connect();
});

afterEach(async () => {
  await regi.close();
  await server.destroy();
});

const INDEX = makeIndex();

describe('copy()', () => {
  test('copies an image between registries and adds up its progress', async () => {
    await INDEX.pushAll(place.open('team/app'), '1.0');
    const seen: CopyProgress[] = [];
    const onProgress = (progress: CopyProgress): void => void seen.push(progress);

    const copied = await regi.copy(`${app}:1.0`, `${server.url.host}/mirror/app`, { onProgress });

    expect(copied).toMatchObject({ outcome: 'copied', root: { digest: INDEX.root.digest } });
    expect(copied.image).toBe(`${server.url.host}/mirror/app:latest`);
    const blobs = [...INDEX.nodes.values()].filter(({ descriptor }) =>
      INDEX.images.some(({ config, layers }) =>
        [config, ...layers].some(({ digest }) => digest === descriptor.digest),
      ),
    );
    const totalBytes = blobs.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    expect(seen.at(-1)).toEqual({ doneBytes: totalBytes, totalBytes });
    expect(seen.every((progress) => progress.doneBytes <= progress.totalBytes)).toBe(true);
  });

  test('copies one platform when asked for one', async () => {
    await INDEX.pushAll(place.open('team/app'), '1.0');
    const { root } = await regi.copy(`${app}:1.0`, `${app}:arm`, { platforms: ['linux/arm64'] });
    expect(root.digest).toBe(INDEX.images[1]?.root.digest);
  });

  test('keeps the tag of the source in a layout, and lists an image without one', async () => {
    await INDEX.pushAll(place.open('team/app'), '1.0');
    const layout = `oci:${join(temporaryFolder(), 'layout')}`;

    await regi.copy(`${app}:1.0`, layout);
    await regi.copy(`${app}@${INDEX.root.digest}`, `${layout}2`);

    expect(await listed(regi.tags(layout))).toEqual(['1.0']);
    expect((await regi.resolve(`${layout}2`)).digest).toBe(INDEX.root.digest);
  });

  test('reads an archive and refuses to write single images to one', async () => {
    const path = join(temporaryFolder(), 'images.tar');
    const source = place.open('team/app');
    await INDEX.pushAll(source, '1.0');
    const name = parseReference('registry.example/app:1.0');
    async function* jobs(): AsyncGenerator<ExportJob> {
      yield { source, reference: '1.0', name, image: 'app' };
    }
    await exportImages(jobs(), archiveAt(path));

    await regi.copy(`archive:${path}`, `${app}:from-archive`);

    expect((await regi.resolve(`${app}:from-archive`)).digest).toBe(INDEX.root.digest);
    await expect(regi.copy(`${app}:1.0`, `archive:${path}2`)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      hint: 'name an image in a registry, or in a layout as oci:DIR',
    });
  });

  test('stops when its signal aborts', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(regi.copy(`${app}:1.0`, `${app}:2.0`, { signal })).rejects.toThrow('enough');
  });
});

describe('connect()', () => {
  test('asks a credential function only after a challenge', async () => {
    const asked: string[] = [];
    const anonymous = connect({
      credentials: async (host) => {
        asked.push(host);
        return undefined;
      },
    });
    await INDEX.pushAll(place.open('team/app'), '1.0');
    await anonymous.resolve(`${app}:1.0`);
    await anonymous[Symbol.asyncDispose]();
    expect(asked).toEqual([]);
  });

  test('shows the logins of docker when asked for them, and none otherwise', async () => {
    const auth = Buffer.from('ci:secret').toString('base64');
    const config = temporaryFolder();
    mkdirSync(config, { recursive: true });
    const closed = await startServer({
      place,
      authenticate: async ({ headers }) =>
        headers.authorization === `Basic ${auth}`
          ? { kind: 'allowed' }
          : { kind: 'challenge', challenge: 'Basic realm="test"' },
    });
    const auths = { [closed.url.host]: { auth } };
    writeFileSync(join(config, 'config.json'), JSON.stringify({ auths }), { mode: 0o600 });
    const before = process.env['DOCKER_CONFIG'];
    process.env['DOCKER_CONFIG'] = config;
    await INDEX.pushAll(place.open('team/app'), '1.0');
    const image = `${closed.url.host}/team/app:1.0`;
    try {
      const asDocker = connect({ credentials: 'docker' });
      expect((await asDocker.resolve(image)).digest).toBe(INDEX.root.digest);
      await asDocker.close();
      await expect(regi.resolve(image)).rejects.toMatchObject({ code: 'NOT_AUTHORISED' });
    } finally {
      if (before === undefined) delete process.env['DOCKER_CONFIG'];
      else process.env['DOCKER_CONFIG'] = before;
      await closed.destroy();
    }
  });
});

describe('manifest()', () => {
  test('returns the parsed manifest with its descriptor and its bytes', async () => {
    await INDEX.pushAll(place.open('team/app'), '1.0');
    const { manifest, descriptor, bytes } = await regi.manifest(`${app}:1.0`);
    expect(manifest).toMatchObject({ kind: 'index' });
    expect(descriptor.digest).toBe(INDEX.root.digest);
    expect(new Uint8Array(bytes)).toEqual(INDEX.nodes.get(INDEX.root.digest)?.bytes);
  });

  test('returns the image of a platform', async () => {
    await INDEX.pushAll(place.open('team/app'), '1.0');
    const { descriptor } = await regi.manifest(`${app}:1.0`, { platform: 'arm64' });
    expect(descriptor.digest).toBe(INDEX.images[1]?.root.digest);
    await expect(regi.manifest(`${app}:1.0`, { platform: 's390x' })).rejects.toMatchObject({
      name: 'PlatformNotFoundError',
      wanted: { architecture: 's390x' },
    });
  });
});

describe('created()', () => {
  test('returns the date of an annotation, and undefined when an image says none', async () => {
    const created = '2024-05-06T07:08:09Z';
    const annotations = { 'org.opencontainers.image.created': created };
    await makeImage({ annotations }).pushAll(place.open('team/app'), 'dated');
    await makeImage({ annotations: { 'org.opencontainers.image.created': 'soon' } }).pushAll(
      place.open('team/app'),
      'odd',
    );
    expect(await regi.created(`${app}:dated`)).toEqual(new Date(created));
    expect(await regi.created(`${app}:odd`)).toBeUndefined();
  });
});

describe('attach()', () => {
  test('attaches files that referrers() then lists by type', async () => {
    await INDEX.pushAll(place.open('team/app'), '1.0');
    const file = join(temporaryFolder(), 'sbom.json');
    writeFileSync(file, '{"spdxVersion":"SPDX-2.3"}');

    const type = 'application/spdx+json';
    const attached = await regi.attach(`${app}:1.0`, { type, files: [file] });

    const referrers = await listed(regi.referrers(`${app}:1.0`, { artifactType: type }));
    expect(referrers.map(({ digest }) => digest)).toEqual([attached.digest]);
    const { manifest } = await regi.manifest(`${app}@${attached.digest}`);
    expect(manifest).toMatchObject({
      artifactType: type,
      subject: { digest: INDEX.root.digest },
      layers: [
        {
          mediaType: 'application/json',
          annotations: { 'org.opencontainers.image.title': 'sbom.json' },
        },
      ],
    });
  });

  test('refuses a type that is no media type', async () => {
    await INDEX.pushAll(place.open('team/app'), '1.0');
    await expect(regi.attach(`${app}:1.0`, { type: 'sbom', files: [] })).rejects.toMatchObject({
      code: 'USAGE',
      message: 'Cannot use "sbom" for "type": expected a media type, TYPE/SUBTYPE',
    });
  });
});

describe('untag()', () => {
  test('deletes one tag and keeps the image and its other tags', async () => {
    await INDEX.pushAll(place.open('team/app'), '1.0');
    await regi.copy(`${app}:1.0`, `${app}:old`);

    await regi.untag(`${app}:old`);

    expect(await listed(regi.tags(app))).toEqual(['1.0']);
    expect((await regi.resolve(`${app}:1.0`)).digest).toBe(INDEX.root.digest);
  });

  test('refuses a name without a tag and one with a digest', async () => {
    for (const image of [app, `${app}:1.0@${INDEX.root.digest}`])
      await expect(regi.untag(image)).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('deletes nothing when the registry refuses', async () => {
    await INDEX.pushAll(place.open('team/app'), '1.0');
    const store = place.open('team/app');
    const frozen = await startServer({ place, readOnly: true });
    try {
      await expect(regi.untag(`${frozen.url.host}/team/app:1.0`)).rejects.toMatchObject({
        code: 'REFUSED',
      });
    } finally {
      await frozen.destroy();
    }
    expect((await store.resolve('1.0')).digest).toBe(INDEX.root.digest);
  });
});

describe('delete()', () => {
  test('refuses a digest that tags name, and deletes it with them only when asked to', async () => {
    await INDEX.pushAll(place.open('team/app'), '1.0');
    await regi.copy(`${app}:1.0`, `${app}:stable`);
    const image = `${app}@${INDEX.root.digest}`;

    await expect(regi.delete(image)).rejects.toMatchObject({
      code: 'REFUSED',
      message: `Cannot delete "${image}": it has the tags "1.0", "stable"`,
      details: { tags: ['1.0', 'stable'] },
    });
    expect(await listed(regi.tags(app))).toEqual(['1.0', 'stable']);

    await regi.delete(image, { evenIfTagged: true });
    await expect(regi.resolve(image)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('deletes a digest that no tag names', async () => {
    await INDEX.pushAll(place.open('team/app'), '1.0');
    await regi.untag(`${app}:1.0`);
    await regi.delete(`${app}@${INDEX.root.digest}`);
    await expect(regi.resolve(`${app}@${INDEX.root.digest}`)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('refuses a tag', async () => {
    await expect(regi.delete(`${app}:1.0`)).rejects.toMatchObject({ code: 'USAGE' });
  });
});

async function listed<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
