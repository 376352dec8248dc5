import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { main } from '../../src/main.ts';
import { fakeIo } from '../support/cli/io.ts';
import { makeImage, makeIndex } from '../support/images/images.ts';
import { localImages, type LocalImages } from '../support/images/local-images.ts';
import { startFakeRegistry } from '../support/registries/fake-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const IMAGE = makeImage({ seed: 1 });
const OTHER = makeImage({ seed: 2 });

let local: LocalImages;
let cwd: string;

beforeEach(async () => {
  local = localImages();
  cwd = temporaryFolder('docker');
  await local.keep(IMAGE, 'app:1');
  await local.keep(OTHER, 'other:1');
});

describe("docker's own syntax for docker's names", () => {
  test('D3: regi save writes several images to a file, and regi load -i reads them', async () => {
    const saved = await local.run(['save', '-o', 'out.tar', 'app:1', 'other:1'], { cwd });
    expect(saved.status).toBe(0);
    const into = localImages();
    const { status, io } = await into.run(['load', '-i', 'out.tar'], { cwd });
    expect([status, io.stdoutText()]).toEqual([
      0,
      `local:docker.io/library/app:1@${IMAGE.root.digest}\n` +
        `local:docker.io/library/other:1@${OTHER.root.digest}\n`,
    ]);
  });

  test('D3: regi save writes to standard output, and regi load reads standard input', async () => {
    const saved = await local.run(['image', 'save', 'app:1'], { cwd });
    expect(saved.status).toBe(0);
    const io = fakeIo({ cwd, env: { REGI_DATA: temporaryFolder('data') } });
    const bytes = saved.io.stdoutBytes();
    const stdin = { ...io.stdin, bytes: () => bytesOf(Buffer.from(bytes)) };
    expect(await main(['load'], { ...io, stdin })).toBe(0);
    expect(io.stdoutText()).toBe(`local:docker.io/library/app:1@${IMAGE.root.digest}\n`);
  });

  test('D3: regi save refuses a terminal, and regi export still wants its file', async () => {
    const atTerminal = await local.run(['save', 'app:1'], { cwd, isTTY: true });
    expect([atTerminal.status, atTerminal.io.stderrText()]).toEqual([
      2,
      expect.stringContaining('Cannot write an archive to a terminal'),
    ]);
    const exported = await local.run(['export', 'app:1'], { cwd });
    expect([exported.status, exported.io.stderrText()]).toEqual([
      2,
      expect.stringContaining('type: regi export app:1 -o images.tar'),
    ]);
    const imported = await local.run(['import'], { cwd });
    expect(imported.status).toBe(2);
  });

  test.each([
    [['image', 'inspect', 'app:1'], IMAGE.root.digest.slice(0, 19)],
    [['image', 'history', 'app:1'], 'B'],
    [['system', 'df'], 'app'],
    [['images', '-q', '--filter', 'reference=app'], IMAGE.config.digest.slice(7, 19)],
    [['image', 'rm', 'other:1'], 'Untagged: other:1'],
    [['image', 'prune', '-f'], 'Total reclaimed space'],
  ])('D3: regi %j works', async (words, output) => {
    const { status, io } = await local.run(words, { cwd });
    expect([status, io.stdoutText()]).toEqual([0, expect.stringContaining(output)]);
  });

  test('D3: regi manifest inspect prints the index', async () => {
    const registry = await startFakeRegistry();
    const index = makeIndex();
    await index.pushAll(registry.place.open('app'), '1');
    const { io } = await local.run(['manifest', 'inspect', `${registry.host}/app:1`]);
    expect(Buffer.from(io.stdoutBytes())).toEqual(
      Buffer.from(index.nodes.get(index.root.digest)?.bytes ?? ''),
    );
  });
});

describe('what users of other tools type', () => {
  test('D18: regi inspect --format json prints the object of --json', async () => {
    const [formatted, json] = [
      await local.run(['inspect', '--format', 'json', 'local:app:1']),
      await local.run(['inspect', '--json', 'local:app:1']),
    ];
    expect(formatted.io.stdoutText()).toBe(json.io.stdoutText());
  });

  test('D18: templates may contain literals', async () => {
    const { status, io } = await local.run(['inspect', '-f', '{{"a b"}}:{{.Os}}', 'local:app:1']);
    expect([status, io.stdoutText()]).toEqual([0, 'a b:linux\n']);
  });

  test('D18: --platform takes several in one word, and all', async () => {
    const registry = await startFakeRegistry();
    const index = makeIndex();
    await index.pushAll(registry.place.open('app'), '1');
    const copy = async (platform: string): Promise<string> => {
      const argv = ['copy', '-p', platform, `${registry.host}/app:1`, `${registry.host}/out:1`];
      return (await local.run(argv)).io.stdoutText();
    };
    expect(await copy('all')).toContain(index.root.digest);
    expect(await copy('linux/amd64,linux/arm64')).toContain('sha256:');
    expect(await registry.place.open('out').resolve('1')).toMatchObject({
      mediaType: index.root.mediaType,
    });
  });

  test('D18: regi digest prints a line for each of several images', async () => {
    const { status, io } = await local.run([
      'digest',
      'local:app:1',
      'local:gone:1',
      'local:other:1',
    ]);
    expect([status, io.stdoutText()]).toEqual([
      8,
      `${IMAGE.root.digest}  local:app:1\n${OTHER.root.digest}  local:other:1\n`,
    ]);
    const json = await local.run(['digest', '--json', 'local:app:1', 'local:other:1']);
    expect(json.io.stdoutText().trim().split('\n')).toHaveLength(2);
  });

  test('D18: regi export REF FILE shows the line to type', async () => {
    const { status, io } = await local.run(['export', 'app:1', 'out.tar']);
    expect([status, io.stderrText()]).toEqual([
      2,
      expect.stringContaining('type: regi export app:1 -o out.tar'),
    ]);
  });

  test('D18: --from refuses YAML with the line to type', async () => {
    const { status, io } = await local.run(['copy', '--from', 'deploy.yaml', 'registry.example']);
    expect([status, io.stderrText()]).toEqual([
      2,
      expect.stringContaining('regi refs lock deploy.yaml -o images.lock'),
    ]);
  });

  test('regi pull REF FILE writes an archive as crane does, and refuses a second image', async () => {
    const registry = await startFakeRegistry();
    await IMAGE.pushAll(registry.place.open('app'), '1');
    const pulled = await local.run(['pull', `${registry.host}/app:1`, 'out.tar'], { cwd });
    expect(pulled.status).toBe(0);
    expect(readFileSync(join(cwd, 'out.tar')).length).toBeGreaterThan(0);
    const two = await local.run(['pull', `${registry.host}/app:1`, 'debian'], { cwd });
    expect([two.status, two.io.stderrText()]).toEqual([
      2,
      expect.stringContaining('expected one image, or a file after it'),
    ]);
  });
});
