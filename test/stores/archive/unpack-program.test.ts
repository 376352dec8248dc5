import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { openArchiveFile } from '../../../src/stores/archive/file.ts';
import { unpackedByProgram } from '../../../src/stores/archive/unpack-program.ts';
import { layoutMembers } from '../../support/images/archives.ts';
import { makeImage } from '../../support/images/images.ts';
import { writeTar } from '../../support/images/tar-builder.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { outcomeOfAsync } from '../../support/outcome.ts';
import { describeReal, requireTool } from '../../support/programs/real-tools.ts';
import { readAll } from '../../support/registries/watched.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const PATH = process.env['PATH'];

/** A folder, for PATH, with a program `xz` that is a shell script. */
function fakeXz(script: string): string {
  const folder = temporaryFolder('path');
  writeFileSync(join(folder, 'xz'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return `${folder}:/bin:/usr/bin`;
}

describeReal('A15: an archive packed by a program', ['xz', 'bzip2'], () => {
  const image = makeImage({ layers: [300_000] });

  test.each([
    ['xz', 'images.tar.xz'],
    ['bzip2', 'images.tar.bz2'],
  ] as const)('%s is unpacked, from a file and from standard input', async (program, name) => {
    const cwd = temporaryFolder('packed');
    const plain = readFileSync(writeTar(layoutMembers([{ image, refName: '1' }])));
    const packed = spawnSync(requireTool(program), ['-c'], { input: plain }).stdout;
    writeFileSync(join(cwd, name), packed);
    const options = { cwd, env: { PATH } };
    const expected = [0, `${image.root.digest}\n`];
    const { status, stdout, stderr } = await runMain(['digest', `archive:${name}`], options);
    expect([status, stdout, stderr]).toEqual([...expected, expect.stringContaining(program)]);
    const piped = await runMain(['digest', 'archive:-'], { ...options, stdin: packed });
    expect([piped.status, piped.stdout]).toEqual(expected);
  });

  test('one that is cut is damaged', async () => {
    const packed = spawnSync(requireTool('xz'), ['-c'], { input: Buffer.alloc(100_000, 'ab') });
    const reading = readAll(unpackedByProgram(bytesOf(packed.stdout.subarray(0, 60)), 'xz', {}));
    expect(await outcomeOfAsync(reading)).toMatchObject({
      code: 'INVALID_ARCHIVE',
      message: expect.stringMatching(/the program ended with status 1 and said "xz: .*"/) as string,
    });
  });

  test('one that becomes more than any real archive is left', async () => {
    const bomb = spawnSync(requireTool('xz'), ['-c'], { input: Buffer.alloc(5_000_000) }).stdout;
    const opening = openArchiveFile('-', {
      tempFolder: temporaryFolder(),
      input: bytesOf(bomb),
      unpackedBytes: 1000,
    });
    expect(await outcomeOfAsync(opening)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });
});

describe('A15: unpackedByProgram()', () => {
  test('says what to install when there is no such program', async () => {
    const env = { PATH: temporaryFolder('path') };
    const reading = readAll(unpackedByProgram(bytesOf(new Uint8Array(9)), 'bzip2', { env }));
    expect(await outcomeOfAsync(reading)).toMatchObject({
      code: 'INVALID_ARCHIVE',
      message: 'Cannot unpack bzip2: there is no program "bzip2" on PATH',
      hint: 'install bzip2, or unpack it where it is installed: bzip2 -d FILE',
    });
  });

  test('ends when the program ends before it has read its input', async () => {
    const env = { PATH: fakeXz('printf done') };
    const content = bytesOf(new Uint8Array(5_000_000));
    expect(Buffer.from(await readAll(unpackedByProgram(content, 'xz', { env }))).toString()).toBe(
      'done',
    );
  });

  test('throws the error of its input, and ends the program', async () => {
    const content = {
      async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
        yield gzipSync('a');
        throw new Error('the stick was pulled out');
      },
    };
    const env = { PATH: fakeXz('cat >/dev/null; exec sleep 600') };
    await expect(readAll(unpackedByProgram(content, 'xz', { env }))).rejects.toThrow(
      'the stick was pulled out',
    );
  });

  test('ends a program that hangs when the signal aborts', async () => {
    const controller = new AbortController();
    const env = { PATH: fakeXz('printf begun; exec sleep 600') };
    const content = unpackedByProgram(bytesOf(new Uint8Array(9)), 'xz', {
      env,
      signal: controller.signal,
    });
    const reading = (async (): Promise<void> => {
      for await (const _ of content) controller.abort(new Error('interrupted'));
    })();
    await expect(reading).rejects.toThrow('interrupted');
  });

  test('gives the program neither secrets nor options of the environment', async () => {
    const env = { PATH: fakeXz('/usr/bin/env'), SECRET: 'hunter2', XZ_OPT: '--keep' };
    const seen = await readAll(unpackedByProgram(bytesOf(new Uint8Array(9)), 'xz', { env }));
    expect(Buffer.from(seen).toString()).not.toMatch(/hunter2|--keep/);
  });
});
