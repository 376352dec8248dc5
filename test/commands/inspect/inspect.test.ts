import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { systemClock } from '../../../src/clock.ts';
import { main } from '../../../src/main.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { expectGolden } from '../../support/golden.ts';
import { makeArtifact, makeImage, makeIndex } from '../../support/images/images.ts';
import { fakeIo, type FakeIo, type FakeIoOptions } from '../../support/cli/io.ts';
import { blobPath } from '../../support/images/layout-folder.ts';
import { makeShowImage } from '../../support/images/show-image.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const SHOW = makeShowImage();
const INDEX = makeIndex({ attestations: true, annotations: { 'org.example.index': 'yes' } });
const UTF8 = { LANG: 'C.UTF-8' };

/** The compressed sizes of the images of the index. */
const [SIZE_AMD64, SIZE_ARM64] = INDEX.images.map(({ layers }) =>
  layers.reduce((sum, { size }) => sum + size, 0),
);

let cwd: string;
let registry: FakeRegistry;

beforeAll(async () => {
  cwd = temporaryFolder('look');
  const layout = await openLayout(join(cwd, 'app'), { create: true, clock: systemClock });
  await SHOW.pushTo(layout, 'show');
  await INDEX.pushAll(layout, 'index');
  await makeArtifact({
    size: 2000,
    subject: INDEX.root,
    annotations: { 'org.example.note': 'signed' },
  }).pushAll(layout, 'sbom');
  const place = createMemoryPlace();
  await INDEX.pushAll(place.open('team/app'), '1.4');
  registry = await startFakeRegistry({ place });
});

describe('inspect', () => {
  test.each([
    ['inspect-40', ['inspect', 'oci:app:show'], 40, UTF8],
    ['inspect-80', ['inspect', 'oci:app:show'], 80, UTF8],
    ['inspect-120', ['inspect', 'oci:app:show'], 120, UTF8],
    ['inspect-ascii', ['inspect', 'oci:app:show'], 80, {}],
    ['inspect-index', ['inspect', 'oci:app:index'], 80, UTF8],
    ['inspect-platform', ['inspect', '--platform', 'arm64', 'oci:app:index'], 120, UTF8],
    ['inspect-artifact', ['inspect', 'oci:app:sbom'], 80, UTF8],
    ['history', ['history', 'oci:app:show'], 80, UTF8],
  ] as const)(
    '%s is the golden text, no wider than its terminal',
    async (name, argv, columns, env) => {
      const { status, io } = await run(argv, { columns, env });
      expect({ status, stderr: io.stderrText() }).toEqual({ status: 0, stderr: '' });
      expectGolden(`test/golden/look/${name}.txt`, io.stdoutText());
      expect(Math.max(...io.stdoutText().split('\n').map(columnsOf))).toBeLessThan(columns);
      expect(io.stdoutText()).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    },
  );

  test('inspect --json is the golden object', async () => {
    const { io } = await run(['inspect', '--json', 'oci:app:show']);
    expect(io.stdoutText().trimEnd()).not.toContain('\n');
    expectGolden(
      'test/golden/look/inspect.json',
      `${JSON.stringify(JSON.parse(io.stdoutText()), undefined, 2)
        .replaceAll('\u202e', String.raw`\u202e`)
        .replaceAll('\u009b', String.raw`\u009b`)}\n`,
    );
  });

  test('inspect --json lists the entries of an index, and shows the image for this machine', async () => {
    const { io } = await run(['inspect', '--json', `${registry.host}/team/app:1.4`]);
    const [amd64, arm64] = INDEX.images;
    expect(JSON.parse(io.stdoutText())).toMatchObject({
      name: `${registry.host}/team/app`,
      reference: `${registry.host}/team/app:1.4`,
      digest: INDEX.root.digest,
      manifests: [
        { platform: 'linux/amd64', digest: amd64?.root.digest },
        { platform: 'linux/arm64/v8' },
        { attests: amd64?.root.digest },
        { attests: arm64?.root.digest },
      ],
      image: {
        digest: amd64?.root.digest,
        platform: 'linux/amd64',
        cmd: ['/bin/sh'],
        labels: { 'org.example.test': 'yes' },
      },
    });
  });

  test('inspect shows the size of every platform of a layout', async () => {
    const { io } = await run(['inspect', '--json', 'oci:app:index']);
    expect(JSON.parse(io.stdoutText()).manifests).toMatchObject([
      { platform: 'linux/amd64', compressedSize: SIZE_AMD64 },
      { platform: 'linux/arm64/v8', compressedSize: SIZE_ARM64 },
      { attests: INDEX.images[0]?.root.digest },
      { attests: INDEX.images[1]?.root.digest },
    ]);
  });

  test('inspect asks a registry for the size of every platform only with --sizes', async () => {
    const manifests = (): number =>
      registry.requests.filter(({ kind, method }) => kind === 'manifest' && method === 'GET')
        .length;
    registry.forgetRequests();
    const without = await run(['inspect', '--json', `${registry.host}/team/app:1.4`]);
    expect(JSON.parse(without.io.stdoutText()).manifests[0]).not.toHaveProperty('compressedSize');
    expect(manifests()).toBe(2);
    registry.forgetRequests();
    const sized = await run(['inspect', '--json', '--sizes', `${registry.host}/team/app:1.4`]);
    expect(JSON.parse(sized.io.stdoutText()).manifests).toMatchObject([
      { compressedSize: SIZE_AMD64 },
      { compressedSize: SIZE_ARM64 },
      {},
      {},
    ]);
    expect(manifests()).toBe(3);
  });

  test('inspect shows the sizes of the other platforms when one is damaged', async () => {
    const folder = join(cwd, 'damaged');
    const layout = await openLayout(folder, { create: true, clock: systemClock });
    await INDEX.pushAll(layout, 'index');
    const [, arm64 = INDEX] = INDEX.images;
    writeFileSync(blobPath(folder, arm64.root.digest), '{}'.padEnd(arm64.root.size));
    const { status, io } = await run(['inspect', 'oci:damaged:index']);
    expect(status).toBe(0);
    expect(io.stderrText()).toContain('The image of linux/arm64/v8 is damaged');
    expect(io.stdoutText()).toMatch(/linux\/arm64\/v8 +sha256:\w+ +-\n/);
  });

  test('inspect asks for manifests and a config, and for no layer', async () => {
    registry.forgetRequests();
    await run(['inspect', `${registry.host}/team/app:1.4`]);
    expect(registry.requests.filter(({ kind }) => kind === 'blob').map(({ url }) => url)).toEqual([
      `/v2/team/app/blobs/${INDEX.images[0]?.config.digest}`,
    ]);
  });

  test.each([
    ['{{.Digest}}', SHOW.root.digest],
    ['{{ .name }} {{.Os}}/{{.Architecture}}', 'oci:app linux/arm64'],
    ['{{index .Labels "maintainer"}}', '山田太郎 and the others of the team'],
    ['{{.Config.Labels.maintainer}}', '山田太郎 and the others of the team'],
    ['{{.Labels.nobody}}|{{index .Labels "nobody"}}', '<no value>|'],
    [
      '{{json .Cmd}} {{.Cmd}} {{join .Cmd ","}}',
      '["nginx","-g","daemon off;"] [nginx -g daemon off;] nginx,-g,daemon off;',
    ],
    ['{{len .Layers}}{{range .Layers}} {{.Size}}{{end}}', '4 29360128 3670016 1200 0'],
    [String.raw`{{.User}}\n{{index .Env 1}}`, 'nginx\nNGINX_VERSION=1.27.2'],
    ['{{.Base.Name}}', 'docker.io/library/debian:12-slim'],
  ])('inspect --format %s', async (template, wanted) => {
    const { status, io } = await run(['inspect', '--format', template, 'oci:app:show']);
    expect({ status, stdout: io.stdoutText() }).toEqual({ status: 0, stdout: `${wanted}\n` });
  });

  test.each([
    '{{.Digset}}',
    '{{',
    '{{if .User}}x{{end}}',
    '{{range .Env}}',
    '{{end}}',
    '{{}}',
    '{{json}}',
    '{{index .Env "a" | x}}',
    '{{.User.Name}}',
  ])('inspect --format refuses %s with a hint', async (template) => {
    const { status, io } = await run(['inspect', '--format', template, 'oci:app:show']);
    expect({ status, stdout: io.stdoutText() }).toEqual({ status: 2, stdout: '' });
    expect(io.stderrText().trimEnd().split('\n')).toHaveLength(2);
  });

  test('inspect --format keeps JSON valid where text would be escaped otherwise', async () => {
    const { io } = await run(['inspect', '--format', '{{json .Env}}', 'oci:app:show']);
    expect(io.stdoutText()).not.toMatch(/\u202e/);
    expect((JSON.parse(io.stdoutText()) as readonly string[])[2]).toBe(
      'EVIL=\u001b[31mred\u202etxt.exe\r\n',
    );
  });

  test('inspect --raw is the manifest and --config the config, byte for byte', async () => {
    const raw = await run(['inspect', '--raw', `${registry.host}/team/app:1.4`]);
    expect(raw.io.stdoutBytes()).toEqual(
      Buffer.from(INDEX.nodes.get(INDEX.root.digest)?.bytes ?? []),
    );
    const config = await run(['inspect', '--config', 'oci:app:show']);
    expect(config.io.stdoutBytes()).toEqual(Buffer.from(SHOW.config));
  });

  test('inspect refuses two forms at once', async () => {
    expect((await run(['inspect', '--raw', '--config', 'oci:app:show'])).status).toBe(2);
  });

  test('inspect lists the available platforms when the wanted one is missing', async () => {
    const { status, io } = await run(['inspect', '--platform', 'windows/amd64', 'oci:app:index']);
    expect(status).toBe(3);
    expect(io.stderrText()).toContain('it has linux/amd64, linux/arm64/v8');
  });

  test('inspect shows the first image if none is for this machine', async () => {
    const layout = await openLayout(join(cwd, 'foreign'), { create: true, clock: systemClock });
    await makeIndex({ platforms: [{ os: 'linux', architecture: 's390x' }] }).pushAll(layout, '1');
    const { io } = await run(['inspect', 'oci:foreign:1']);
    expect(io.stdoutText()).toContain('Image of linux/s390x');
  });
});

describe('config', () => {
  test('config is that of this machine, and of linux on it where the machine has another system', async () => {
    for (const host of [
      { os: 'linux', architecture: 'amd64' },
      { os: 'darwin', architecture: 'arm64' },
    ]) {
      const io = { ...fakeIo({ cwd }), host };
      expect(await main(['config', 'oci:app:index'], io)).toBe(0);
      const image = INDEX.images.find(({ config }) =>
        Buffer.from(INDEX.nodes.get(config.digest)?.bytes ?? []).equals(
          Buffer.from(io.stdoutBytes()),
        ),
      );
      expect(image).toBe(INDEX.images[host.architecture === 'amd64' ? 0 : 1]);
    }
  });

  test('config refuses an image for other machines only', async () => {
    const io = { ...fakeIo({ cwd }), host: { os: 'linux', architecture: 'riscv64' } };
    expect(await main(['config', 'oci:app:index'], io)).toBe(3);
    expect(io.stdoutText()).toBe('');
  });

  test('config --json has digest, size and the config as an object', async () => {
    const { io } = await run(['config', '--json', 'oci:app:show']);
    expect(JSON.parse(io.stdoutText())).toMatchObject({
      size: SHOW.config.byteLength,
      config: { architecture: 'arm64' },
    });
  });

  test('config makes harmful characters visible on a terminal only', async () => {
    const layout = await openLayout(join(cwd, 'evil'), { create: true, clock: systemClock });
    await makeImage().pushAll(layout, '1');
    const { io } = await run(['config', 'oci:evil:1'], { isTTY: true });
    expect(io.stdoutText()).toMatch(/^\{\n {2}"architecture".*\n\}\n$/s);
  });

  test.each(['config', 'manifest get'])(
    '%s is indented on a terminal, exact in a pipe, and exact everywhere with --raw',
    async (command) => {
      const layout = await openLayout(join(cwd, 'pretty'), { create: true, clock: systemClock });
      const image = makeImage({ seed: 5 });
      await image.pushAll(layout, '1');
      const exact = image.nodes.get(
        command === 'config' ? image.config.digest : image.root.digest,
      )?.bytes;
      const argv = [...command.split(' '), 'oci:pretty:1'];
      expect((await run(argv)).io.stdoutBytes()).toEqual(Buffer.from(exact ?? ''));
      const text = Buffer.from(exact ?? '').toString();
      expect((await run(argv, { isTTY: true })).io.stdoutText()).toBe(
        `${JSON.stringify(JSON.parse(text), undefined, 2)}\n`,
      );
      expect((await run([...argv, '--raw'], { isTTY: true })).io.stdoutText()).toBe(`${text}\n`);
    },
  );
});

test('D12: regi inspect breaks no name and no digest in a pipe', async () => {
  const name = `${registry.host}/team/app@${INDEX.root.digest}`;
  const { status, io } = await run(['inspect', name]);
  expect(name.length).toBeGreaterThan(80);
  expect(status).toBe(0);
  expect(io.stdoutText().split('\n').slice(0, 2)).toEqual([name, INDEX.root.digest]);
});

/** Names of the fake's CJK label take two columns a character. */
function columnsOf(line: string): number {
  return Array.from(line).reduce<number>(
    (sum, character) => sum + (/[\u4e00-\u9fff]/.test(character) ? 2 : 1),
    0,
  );
}

async function run(
  argv: readonly string[],
  options: FakeIoOptions = {},
): Promise<{ status: number; io: FakeIo }> {
  const io = fakeIo({ cwd, ...options });
  return { status: await main(argv, io), io };
}
