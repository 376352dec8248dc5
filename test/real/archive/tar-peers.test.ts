import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { extract, pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { indexTar } from '../../../src/tar/index-tar.ts';
import { planTar, tarBytes } from '../../../src/tar/plan-tar.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { randomBytes } from '../../support/images/random-bytes.ts';
import { inMemory } from '../../support/images/tar-builder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { readAll } from '../../support/registries/watched.ts';

const FILES = [
  { name: 'empty', content: new Uint8Array() },
  { name: `blobs/sha512/${'a'.repeat(128)}`, content: randomBytes(700, 1) },
  { name: `${'folder/'.repeat(30)}file`, content: randomBytes(512, 2) },
  { name: 'naïve/ünïcode', content: randomBytes(1, 3) },
];

async function ours(): Promise<Uint8Array> {
  const plan = planTar(FILES.map((file) => ({ ...file, size: file.content.byteLength })));
  return readAll({
    [Symbol.asyncIterator]: () => tarBytes(plan, ({ content }) => bytesOf(content)),
  });
}

async function written(): Promise<string> {
  const path = join(temporaryFolder('tar'), 'ours.tar');
  writeFileSync(path, await ours());
  return path;
}

async function readBack(bytes: Uint8Array): Promise<readonly (readonly [string, Uint8Array])[]> {
  const { entries } = await indexTar(inMemory(bytes));
  return [...entries.values()]
    .filter(({ type }) => type === 'file')
    .map(({ name, offset, size }) => [name, new Uint8Array(bytes.subarray(offset, offset + size))]);
}

const EXPECTED = FILES.map(({ name, content }) => [name, content]);

describe('tar-stream', () => {
  test('reads what we write', async () => {
    const found: [string, Uint8Array][] = [];
    const reader = Readable.from([Buffer.from(await ours())]).pipe(extract());
    for await (const entry of reader) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      found.push([entry.header.name, new Uint8Array(Buffer.concat(chunks))]);
    }
    expect(found).toEqual(EXPECTED);
  });

  test('writes what we read', async () => {
    const packer = pack();
    for (const { name, content } of FILES) packer.entry({ name }, Buffer.from(content));
    packer.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of packer) chunks.push(chunk as Buffer);
    expect(await readBack(Buffer.concat(chunks))).toEqual(EXPECTED);
  });
});

describeReal('GNU tar', ['tar'], () => {
  test('reads what we write', async () => {
    const folder = temporaryFolder('tar');
    execFileSync('tar', ['-xf', await written(), '-C', folder]);
    expect(FILES.map(({ name }) => new Uint8Array(readFileSync(join(folder, name))))).toEqual(
      FILES.map(({ content }) => content),
    );
  });

  test.each(['ustar', 'gnu', 'pax', 'v7'])('writes %s that we read', async (format) => {
    const folder = temporaryFolder('tar');
    // The older formats have room for short names only.
    const files =
      format === 'gnu' || format === 'pax' ? FILES : FILES.filter(({ name }) => name.length < 60);
    for (const { name, content } of files) {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    const bytes = execFileSync('tar', [
      '-c',
      `--format=${format}`,
      '-C',
      folder,
      ...files.map(({ name }) => `./${name}`),
    ]);
    expect(await readBack(bytes)).toEqual(files.map(({ name, content }) => [name, content]));
  });
});

describeReal("Python's tarfile", ['python3'], () => {
  test('reads what we write', async () => {
    const program =
      'import sys, tarfile, json; t = tarfile.open(sys.argv[1]); print(json.dumps([[m.name, t.extractfile(m).read().hex(), m.mode, m.mtime] for m in t.getmembers()]))';
    const found = JSON.parse(
      execFileSync('python3', ['-c', program, await written()], { encoding: 'utf8' }),
    ) as unknown;
    expect(found).toEqual(
      FILES.map(({ name, content }) => [name, Buffer.from(content).toString('hex'), 0o444, 0]),
    );
  });

  test.each(['USTAR_FORMAT', 'GNU_FORMAT', 'PAX_FORMAT'])(
    'writes %s that we read',
    async (format) => {
      const path = join(temporaryFolder('tar'), 'theirs.tar');
      const files =
        format === 'USTAR_FORMAT' ? FILES.filter(({ name }) => name.length < 60) : FILES;
      const program = `import sys, io, json, tarfile
with tarfile.open(sys.argv[1], 'w', format=tarfile.${format}) as t:
    for name, content in json.load(sys.stdin):
        info = tarfile.TarInfo(name); info.size = len(content) // 2
        t.addfile(info, io.BytesIO(bytes.fromhex(content)))`;
      execFileSync('python3', ['-c', program, path], {
        input: JSON.stringify(
          files.map(({ name, content }) => [name, Buffer.from(content).toString('hex')]),
        ),
      });
      expect(await readBack(new Uint8Array(readFileSync(path)))).toEqual(
        files.map(({ name, content }) => [name, content]),
      );
    },
  );
});
