import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, expect, test } from 'vitest';

import { main } from '../../../src/main.ts';
import { createMemoryPlace, type MemoryPlace } from '../../../src/stores/memory.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { fakeIo, type FakeIo } from '../../support/cli/io.ts';
import { readIndexJson } from '../../support/images/layout-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const INDEX = makeIndex({ attestations: true });
const [AMD64, ARM64] = INDEX.images;

let cwd: string;
let place: MemoryPlace;
let registry: FakeRegistry;
let image: string;

beforeEach(async () => {
  cwd = temporaryFolder('pull');
  place = createMemoryPlace();
  await INDEX.pushAll(place.open('team/app'), '1.4');
  registry = await startFakeRegistry({ place });
  image = `${registry.host}/team/app:1.4`;
});

test('pull keeps the manifest for this machine under the tag, and shows the digest of the index', async () => {
  const { status, io } = await run(['pull', image, '-o', 'app/']);
  expect(status).toBe(0);
  expect(io.stdoutText()).toBe(
    `Digest: ${INDEX.root.digest}\nStatus: Downloaded newer image for ${image}\n${image}\n`,
  );
  expect(readIndexJson(join(cwd, 'app')).manifests).toMatchObject([
    { digest: AMD64?.root.digest, annotations: { 'org.opencontainers.image.ref.name': '1.4' } },
  ]);
});

test('pull reports an image that is up to date, and transfers nothing', async () => {
  await run(['pull', image, '-o', 'app/']);
  registry.forgetRequests();
  const { io } = await run(['pull', image, '-o', 'app']);
  expect(io.stdoutText()).toBe(
    `Digest: ${INDEX.root.digest}\nStatus: Image is up to date for ${image}\n${image}\n`,
  );
  expect(registry.count('GET', 'blob')).toBe(0);
});

test('pull chooses linux on the same processor on machines with another system', async () => {
  const io = { ...fakeIo({ cwd }), host: { os: 'darwin', architecture: 'arm64' } };
  expect(await main(['pull', image, '-o', 'app/'], io)).toBe(0);
  expect(readIndexJson(join(cwd, 'app')).manifests[0]?.digest).toBe(ARM64?.root.digest);
});

test('pull fails without an image for this machine, and creates no folder', async () => {
  const io = { ...fakeIo({ cwd }), host: { os: 'linux', architecture: 'riscv64' } };
  expect(await main(['pull', image, '-o', 'app/'], io)).toBe(3);
  expect(io.stderrText()).toContain('linux/amd64');
  expect(existsSync(join(cwd, 'app'))).toBe(false);
});

test('pull warns of a single-platform image for other machines', async () => {
  await makeImage({ platform: { os: 'linux', architecture: 's390x' } }).pushAll(
    place.open('team/one'),
    '1',
  );
  const { status, io } = await run(['pull', `${registry.host}/team/one:1`, '-o', 'one/']);
  expect(status).toBe(0);
  expect(io.stderrText()).toContain(
    'The image is for linux/s390x, and this machine is linux/amd64',
  );
});

test('pull --platform pulls another platform', async () => {
  await run(['pull', '--platform', 'arm64', image, '-o', 'app/']);
  expect(readIndexJson(join(cwd, 'app')).manifests[0]?.digest).toBe(ARM64?.root.digest);
});

test('pull --all-platforms pulls the whole index', async () => {
  await run(['pull', '--all-platforms', image, '-o', 'app/']);
  expect(readIndexJson(join(cwd, 'app')).manifests[0]?.digest).toBe(INDEX.root.digest);
});

test('pull notes which image had the tag before', async () => {
  await run(['pull', '--platform', 'arm64', image, '-o', 'app/']);
  const { io } = await run(['pull', image, '-o', 'app/']);
  expect(io.stdoutText()).toContain('Status: Downloaded newer image');
  expect(io.stderrText()).toContain(`oci:app:1.4 was ${ARM64?.root.digest} before`);
});

test('pull of a digest lists the image without a name', async () => {
  const pinned = `${registry.host}/team/app@${INDEX.root.digest}`;
  const { io } = await run(['pull', pinned, '-o', 'app/']);
  expect(io.stdoutText()).toContain(`Downloaded newer image for ${pinned}\n`);
  expect(readIndexJson(join(cwd, 'app')).manifests).toMatchObject([{ digest: AMD64?.root.digest }]);
  expect((await run(['pull', pinned, '-o', 'app/'])).io.stdoutText()).toContain(
    'Image is up to date',
  );
});

test('pull -a pulls every tag, and skips images that are not for this machine', async () => {
  const store = place.open('team/app');
  await INDEX.pushAll(store, 'latest');
  await makeIndex({ platforms: [{ os: 'windows', architecture: 'amd64' }] }).pushAll(
    store,
    'windows',
  );
  const { status, io } = await run(['pull', '-a', `${registry.host}/team/app`, '-o', 'app/']);
  expect(status).toBe(0);
  expect(io.stdoutText().match(/^Status: .*/gm)).toHaveLength(2);
  expect(io.stderrText()).toContain('team/app:windows": it is not for linux/amd64');
});

test('pull -q prints the name alone', async () => {
  const { io } = await run(['pull', '-q', image, '-o', 'app/']);
  expect({ stdout: io.stdoutText(), stderr: io.stderrText() }).toEqual({
    stdout: `${image}\n`,
    stderr: '',
  });
});

test('pull --json prints the pulled image and its destination', async () => {
  const { io } = await run(['pull', '--json', image, '-o', 'app/']);
  expect(JSON.parse(io.stdoutText())).toEqual({
    reference: image,
    name: image,
    digest: INDEX.root.digest,
    manifest: AMD64?.root.digest,
    platform: 'linux/amd64',
    status: 'downloaded',
    destination: 'oci:app:1.4',
  });
});

test('pull of a missing image creates no folder', async () => {
  expect((await run(['pull', `${registry.host}/team/app:nope`, '-o', 'app/'])).status).toBe(3);
  expect(existsSync(join(cwd, 'app'))).toBe(false);
});

test.each([
  [
    '--platform with --all-platforms',
    ['-o', 'x/', '--platform', 'arm64', '--all-platforms'],
    'drop one of them',
  ],
])('pull with %s exits 2 with a hint', async (_what, args, hint) => {
  const { status, io } = await run(['pull', 'debian', ...args]);
  expect({ status, stdout: io.stdoutText() }).toEqual({ status: 2, stdout: '' });
  expect(io.stderrText()).toContain(hint);
});

test('pull refuses a folder with other content', async () => {
  mkdirSync(join(cwd, 'mine', 'photos'), { recursive: true });
  expect((await run(['pull', image, '-o', 'mine'])).status).toBe(1);
});

async function run(argv: readonly string[]): Promise<{ status: number; io: FakeIo }> {
  const io = fakeIo({ cwd });
  return { status: await main(argv, io), io };
}
