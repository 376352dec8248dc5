import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { parseReference, parseRepository } from '../../../src/oci/reference.ts';
import { LocalStore } from '../../../src/stores/layout/local-store.ts';
import { systemProcesses, type Processes } from '../../../src/disk/processes.ts';
import { storeContract } from '../../contract/store-contract.ts';
import {
  makeArtifact,
  makeBlob,
  makeImage,
  makeIndex,
  type TestImage,
} from '../../support/images/images.ts';
import {
  blobPath,
  damagedBlobs,
  leftovers,
  readIndexJson,
} from '../../support/images/layout-folder.ts';
import { realClock } from '../../support/clock.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { listAll } from '../../support/registries/watched.ts';

storeContract(
  'local repository',
  async () => {
    const folder = temporaryFolder('local');
    const local = await LocalStore.open(folder, { create: true, clock: realClock });
    return {
      store: local.openRepository(parseRepository('team/app')),
      sibling: local.openRepository(parseRepository('team/base')),
      close: async () => {
        await local.close();
        // Leases of work without an end stay: they say what prune() may remove at once.
        expect(leftovers(folder).filter((name) => !name.startsWith('.regi-lease.'))).toEqual([]);
      },
    };
  },
  { deletes: false },
);

test('keepUnnamed() names an image of the local store by its digest', async () => {
  const local = await LocalStore.open(temporaryFolder('local'), { create: true, clock: realClock });
  const repository = local.openRepository(parseRepository('team/app'));
  const kept = makeImage();
  await kept.pushAll(repository);
  await repository.keepUnnamed(kept.root);
  expect((await local.images()).map(({ name }) => name)).toEqual([
    `docker.io/team/app@${kept.root.digest}`,
  ]);
  await local.close();
});

/** A process that has ended. */
const GONE: Processes = {
  ...systemProcesses,
  self: async () => ({ ...(await systemProcesses.self()), pid: 4_194_305 }),
};

const image = makeImage();
const sibling = makeImage({
  seed: 1,
  annotations: { note: 'the same layers under another manifest' },
});
const other = makeImage({ seed: 9 });

let folder: string;
/** As commands that look and tidy up open it: it claims nothing. */
let store: LocalStore;

beforeEach(async () => {
  folder = temporaryFolder('local');
  await (await open()).close();
  store = await LocalStore.open(folder, { create: false, clock: realClock });
});

const opened: LocalStore[] = [];

afterEach(async () => {
  for (const writing of opened.splice(0)) await writing.close();
});

/** As commands that write open it. */
async function open(processes?: Processes): Promise<LocalStore> {
  const writing = await LocalStore.open(folder, { create: true, clock: realClock, processes });
  opened.push(writing);
  return writing;
}

/** What a pull does from its start to its end. */
async function keep(
  content: TestImage,
  name: string,
  ...referrers: readonly TestImage[]
): Promise<void> {
  const reference = parseReference(name);
  const pulling = await open();
  for (const referrer of referrers) await referrer.pushAll(pulling.openRepository(reference));
  await content.pushAll(pulling.openRepository(reference), reference.tag ?? 'latest');
  await pulling.close();
}

/** As if everything had been written an hour ago. */
function age(): void {
  const blobs = join(folder, 'blobs', 'sha256');
  const then = Date.now() / 1000 - 3600;
  for (const name of readdirSync(blobs)) utimesSync(join(blobs, name), then, then);
}

const isThere = (digest: Digest): boolean => existsSync(blobPath(folder, digest));
const nodesOf = (content: TestImage): readonly Digest[] => [...content.nodes.keys()];
const now = (): number => Date.now();
const namesOf = async (of = store): Promise<readonly (string | undefined)[]> =>
  (await of.images()).map(({ name }) => name);

describe('LocalStore.open()', () => {
  test('gives an empty store for a folder that is not there, and makes none', async () => {
    const path = join(folder, 'absent');
    const empty = await LocalStore.open(path, { create: false, clock: realClock });
    expect(await empty.images()).toEqual([]);
    expect(await empty.prune({ now: now() })).toEqual({ removed: [], youngBytes: 0 });
    await expect(
      empty.openRepository(parseRepository('nginx')).resolve('latest'),
    ).rejects.toMatchObject({ code: 'NOT_FOUND', hint: /regi pull nginx:latest/ });
    expect(existsSync(path)).toBe(false);
  });

  test('gives an empty store for one that is just being made by another process', async () => {
    const path = temporaryFolder('half');
    for (const files of [[], ['oci-layout']]) {
      for (const file of files) writeFileSync(join(path, file), '{"imageLayoutVersion":"1.0.0"}');
      const half = await LocalStore.open(path, { create: false, clock: realClock });
      expect([await half.images(), await half.prune({ now: now() })]).toEqual([
        [],
        { removed: [], youngBytes: 0 },
      ]);
      expect(readdirSync(path)).toEqual(files);
    }
    expect(
      await (await LocalStore.open(path, { create: true, clock: realClock })).images(),
    ).toEqual([]);
  });

  test('fails on an index.json that is none', async () => {
    const path = temporaryFolder('broken');
    writeFileSync(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(join(path, 'index.json'), '{');
    await expect(LocalStore.open(path, { create: false, clock: realClock })).rejects.toMatchObject({
      code: 'INVALID_MANIFEST',
    });
  });

  test('fails on a folder of other things, and leaves it as it is', async () => {
    const path = temporaryFolder('photos');
    writeFileSync(join(path, 'cat.jpg'), 'miaow');
    await expect(LocalStore.open(path, { create: true, clock: realClock })).rejects.toMatchObject({
      code: 'REFUSED',
    });
    expect(readdirSync(path)).toEqual(['cat.jpg']);
  });
});

describe('images()', () => {
  test('lists every name in full, with the digest it was pulled by', async () => {
    await keep(image, 'nginx:1.27');
    await keep(other, 'registry.example:5000/team/app:2');
    await store.recordPulled(parseReference('nginx:1.27'), other.root.digest);
    expect(
      (await store.images()).map(({ name, root, pulled }) => [name, root.digest, pulled]),
    ).toEqual([
      ['docker.io/library/nginx:1.27', image.root.digest, other.root.digest],
      ['registry.example:5000/team/app:2', other.root.digest, undefined],
    ]);
  });

  test('keeps a replaced image without a name, as docker does', async () => {
    await keep(image, 'app:1');
    await keep(other, 'app:1');
    expect((await store.images()).map(({ name, root }) => [name, root.digest])).toEqual(
      expect.arrayContaining([
        [undefined, image.root.digest],
        ['docker.io/library/app:1', other.root.digest],
      ]),
    );
  });

  test('removes the entry of a replaced image that has another name', async () => {
    await keep(image, 'app:1');
    await keep(image, 'app:old');
    await keep(other, 'app:1');
    expect(await namesOf()).toEqual(
      expect.arrayContaining(['docker.io/library/app:old', 'docker.io/library/app:1']),
    );
    expect(await namesOf()).toHaveLength(2);
  });

  test('omits manifests that only refer to another image', async () => {
    await keep(image, 'app:1', makeArtifact({ subject: image.root }));
    expect(await namesOf()).toEqual(['docker.io/library/app:1']);
  });

  test('shows the others when one without a name is damaged', async () => {
    await keep(image, 'app:1');
    await keep(other, 'app:1');
    writeFileSync(blobPath(folder, image.root.digest), Buffer.alloc(image.root.size));
    expect(await namesOf()).toHaveLength(2);
  });
});

describe('openRepository()', () => {
  test('resolve() finds a tag of its own repository only', async () => {
    await keep(image, 'app:1');
    await expect(
      store.openRepository(parseRepository('registry.example/app')).resolve('1'),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('listTags() gives the tags of its own repository only', async () => {
    await keep(image, 'app:1');
    await keep(image, 'app:2');
    await keep(image, 'application:3');
    expect(await listAll(store.openRepository(parseRepository('app')).listTags())).toEqual([
      '1',
      '2',
    ]);
  });

  test('tag() with a digest keeps the image under repository@digest', async () => {
    const repository = (await open()).openRepository(parseRepository('app'));
    await image.pushAll(repository);
    await repository.tag(image.root, image.root.digest);
    expect(await namesOf()).toEqual([`docker.io/library/app@${image.root.digest}`]);
  });

  test('tag() writes both annotations in full, so that skopeo and containerd find the name', async () => {
    await keep(image, 'app:1');
    expect(readIndexJson(folder).manifests[0]?.annotations).toEqual({
      'org.opencontainers.image.ref.name': 'docker.io/library/app:1',
      'io.containerd.image.name': 'docker.io/library/app:1',
    });
  });
});

describe('remove()', () => {
  test('removes a name and all that the image alone was made of', async () => {
    await keep(image, 'app:1');
    await keep(other, 'app:2');
    const { removed } = await store.remove(['docker.io/library/app:1'], { now: now() });
    expect(removed.map(({ digest }) => digest).toSorted()).toEqual(nodesOf(image).toSorted());
    expect(nodesOf(image).some(isThere)).toBe(false);
    expect(nodesOf(other).every(isThere)).toBe(true);
  });

  test('removes nothing while another name leads to the image', async () => {
    await keep(image, 'app:1');
    await keep(image, 'app:2');
    expect((await store.remove(['docker.io/library/app:1'], { now: now() })).removed).toEqual([]);
    expect(nodesOf(image).every(isThere)).toBe(true);
  });

  test('keeps the layers that another image has too', async () => {
    await keep(image, 'app:1');
    await keep(sibling, 'app:2');
    const { removed } = await store.remove(['docker.io/library/app:1'], { now: now() });
    expect(removed.map(({ digest }) => digest)).toEqual([image.root.digest]);
    expect(nodesOf(sibling).every(isThere)).toBe(true);
  });

  test('removes manifests before their children, so that no manifest outlives its image', async () => {
    const index = makeIndex();
    await keep(index, 'app:1');
    const { removed } = await store.remove(['docker.io/library/app:1'], { now: now() });
    const order = removed.map(({ digest }) => digest);
    expect(order[0]).toBe(index.root.digest);
    for (const { root, config, layers } of index.images) {
      for (const child of [config, ...layers])
        expect(order.indexOf(child.digest)).toBeGreaterThan(order.indexOf(root.digest));
    }
  });

  test('keeps content that another process has claimed and not named yet', async () => {
    await keep(image, 'app:1');
    const pulling = await open();
    const [layer] = sibling.layers;
    if (layer === undefined) throw new Error('An image without layers');
    expect(await pulling.openRepository(parseRepository('app')).exists(layer)).toBe(true);
    await store.remove(['docker.io/library/app:1'], { now: now() });
    expect([isThere(layer.digest), isThere(image.root.digest)]).toEqual([true, false]);
  });

  test('keeps content that had no name before', async () => {
    await keep(image, 'app:1');
    const stray = makeBlob(100);
    writeFileSync(blobPath(folder, stray.descriptor.digest), stray.bytes);
    await store.remove(['docker.io/library/app:1'], { now: now() });
    expect(isThere(stray.descriptor.digest)).toBe(true);
  });

  test('removes an image whose manifest is damaged', async () => {
    await keep(image, 'app:1');
    writeFileSync(blobPath(folder, image.root.digest), 'damaged');
    await store.remove(['docker.io/library/app:1'], { now: now() });
    expect([await namesOf(), isThere(image.root.digest)]).toEqual([[], false]);
  });
});

describe('prune()', () => {
  async function prune(options: { readonly dryRun?: boolean } = {}): Promise<readonly Digest[]> {
    return (await store.prune({ now: now(), ...options })).removed.map(({ digest }) => digest);
  }

  test('removes images that have lost their name, at once, and nothing else', async () => {
    await keep(image, 'app:1');
    await keep(other, 'app:1');
    expect((await prune()).toSorted()).toEqual(nodesOf(image).toSorted());
    expect([await namesOf(), nodesOf(other).every(isThere)]).toEqual([
      ['docker.io/library/app:1'],
      true,
    ]);
  });

  test('keeps signatures and SBOMs of an image that stays, and of those again', async () => {
    const sbom = makeArtifact({ subject: image.root, size: 50 });
    const signature = makeArtifact({ subject: sbom.root, size: 60, seed: 2 });
    await keep(image, 'app:1', sbom, signature);
    age();
    expect(await prune()).toEqual([]);
  });

  test('removes signatures whose image goes', async () => {
    const sbom = makeArtifact({ subject: image.root, size: 50 });
    await keep(image, 'app:1', sbom);
    await store.remove(['docker.io/library/app:1'], { now: now() });
    age();
    expect((await prune()).toSorted()).toEqual(nodesOf(sbom).toSorted());
  });

  test('keeps unnamed, unclaimed content for ten minutes: another program may be about to name it', async () => {
    const { bytes, descriptor } = makeBlob(1000);
    await keep(image, 'app:1');
    writeFileSync(blobPath(folder, descriptor.digest), bytes);
    expect(await store.prune({ now: now() })).toEqual({ removed: [], youngBytes: 1000 });
    age();
    expect(await prune()).toEqual([descriptor.digest]);
  });

  test('keeps a file that a living process is writing, at any age', async () => {
    const pulling = await open();
    const { bytes, descriptor } = makeBlob(1000);
    await pulling.openRepository(parseRepository('app')).push(descriptor, bytesOf(bytes));
    age();
    expect([await prune(), isThere(descriptor.digest)]).toEqual([[], true]);
  });

  test('keeps all that a manifest leads to which a living process has claimed', async () => {
    const pulling = await open();
    await image.pushAll(pulling.openRepository(parseRepository('app')));
    age();
    expect(await prune()).toEqual([]);
    expect(nodesOf(image).every(isThere)).toBe(true);
  });

  test('removes the claims of an ended process at once, and its lease', async () => {
    const killed = await open(GONE);
    await image.pushAll(killed.openRepository(parseRepository('app')));
    expect((await prune()).toSorted()).toEqual(nodesOf(image).toSorted());
    expect(leftovers(folder)).toEqual([]);
  });

  test('keeps content that an ended process claimed and another one named', async () => {
    const killed = await open(GONE);
    await image.pushAll(killed.openRepository(parseRepository('app')));
    await keep(image, 'app:1');
    expect([await prune(), await namesOf()]).toEqual([[], ['docker.io/library/app:1']]);
  });

  test('ignores the half line that a killed process left in its lease', async () => {
    const lease = join(folder, '.regi-lease.4194305.1.0123456789abcdef.00');
    writeFileSync(
      lease,
      `{"mediaType":"application/octet-stream","digest":"${image.root.digest}","si`,
    );
    await keep(image, 'app:1');
    expect([await prune(), nodesOf(image).every(isThere)]).toEqual([[], true]);
  });

  test.each([
    ['no JSON', '{'],
    ['no digest', '{"mediaType":"a","digest":"sha256:../../../etc/passwd","size":1}'],
    ['no descriptor', '[]'],
  ])('ignores a line of a lease that is %s', async (_what, line) => {
    writeFileSync(join(folder, '.regi-lease.4194305.1.0123456789abcdef.00'), `${line}\n`);
    await keep(image, 'app:1');
    expect([await prune(), nodesOf(image).every(isThere)]).toEqual([[], true]);
  });

  test('lay-fifo: removes nothing where a pipe stands in place of a lease, and does not hang', async () => {
    await keep(image, 'app:1');
    await keep(other, 'app:1');
    execFileSync('mkfifo', [join(folder, '.regi-lease.4194305.1.0123456789abcdef.00')]);
    await expect(store.prune({ now: now() })).rejects.toMatchObject({ code: 'REFUSED' });
    expect(nodesOf(image).every(isThere)).toBe(true);
  });

  test('with dryRun returns the content to be removed, and removes nothing', async () => {
    await keep(image, 'app:1');
    await keep(other, 'app:1');
    expect((await prune({ dryRun: true })).toSorted()).toEqual(nodesOf(image).toSorted());
    expect([(await namesOf()).length, nodesOf(image).every(isThere)]).toEqual([2, true]);
  });

  test('keeps the images when their blobs are damaged or missing', async () => {
    await keep(image, 'app:1');
    await keep(other, 'app:2');
    rmSync(blobPath(folder, image.config.digest));
    expect([await prune(), await namesOf(), damagedBlobs(folder)]).toEqual([
      [],
      ['docker.io/library/app:1', 'docker.io/library/app:2'],
      [],
    ]);
  });
});

describe('several stores on one folder', () => {
  test('prune() never removes content that others are writing: every named image is whole', async () => {
    const rounds = Array.from({ length: 6 }, (_, seed) =>
      makeImage({ seed: seed % 3, annotations: { seed: String(seed) } }),
    );
    const pull = async (content: TestImage, name: string): Promise<void> => {
      const pulling = await open();
      const repository = pulling.openRepository(parseRepository('app'));
      for (const { descriptor, bytes } of content.nodes.values()) {
        if (!(await repository.exists(descriptor)))
          await repository.push(descriptor, bytesOf(bytes));
        age();
      }
      await repository.tag(content.root, name);
      await pulling.close();
    };
    const tidy = async (): Promise<void> => {
      for (let round = 0; round < 20; round += 1) {
        await store.prune({ now: now() });
        await store.remove([`docker.io/library/app:tag-${round % 3}`], { now: now() });
      }
    };
    await Promise.all([...rounds.map((content, at) => pull(content, `tag-${at}`)), tidy()]);
    const left = await store.images();
    expect(left.length).toBeGreaterThanOrEqual(3);
    for (const { root } of left) {
      const content = rounds.find((round) => round.root.digest === root.digest);
      expect(nodesOf(content ?? image).every(isThere)).toBe(true);
    }
  });
});
