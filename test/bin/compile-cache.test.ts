import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeEach, describe, expect, test } from 'vitest';

import { runOrThrow } from '../support/programs/run-program.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MODULE = fileURLToPath(new URL('../../bin/compile-cache.js', import.meta.url));
/**
 * In a process of its own: V8 knows what it has compiled once, and does not look at what it is
 * given.
 */
const RUN = `
const { exports, keep } = require(process.argv[1]).runScript(...process.argv.slice(2));
process.stdout.write(JSON.stringify({ result: exports.result(), folder: exports.folder, separator: exports.path.sep }));
keep();
`;

const BUILD = '0123456789abcdef';
const OTHER_BUILD = 'fedcba9876543210';

describe('runScript()', () => {
  let folder: string;
  let bundle: string;

  beforeEach(() => {
    folder = join(temporaryFolder('cache'), 'regi');
    bundle = join(temporaryFolder('bundle'), 'main.cjs');
    writeBundle('one', BUILD);
  });

  function writeBundle(result: string, build: string): void {
    // Not on one line: the comment ends the file, as in the real one.
    writeFileSync(
      bundle,
      `exports.result = () => '${result}';\nexports.folder = __dirname;\nexports.path = require('node:path');\n// ${build}\n`,
    );
  }

  async function start(command = 'digest'): Promise<unknown> {
    const text = await runOrThrow(process.execPath, ['-e', RUN, MODULE, bundle, folder, command], {
      env: {},
    });
    return JSON.parse(text);
  }

  async function run(command = 'digest'): Promise<{ result: string; inode: number; path: string }> {
    const { result } = (await start(command)) as { result: string };
    const [name = ''] = readdirSync(folder).filter((each) => each.endsWith(`-${command}`));
    const path = join(folder, name);
    return { result, inode: statSync(path).ino, path };
  }

  test('gives the bundle what CommonJS gives', async () => {
    expect(await start()).toEqual({ result: 'one', folder: join(bundle, '..'), separator: sep });
  });

  test('keeps the compiled code where no other user reads it, and uses it the next time', async () => {
    const first = await run();
    expect(statSync(first.path).mode % 0o1000).toBe(0o600);
    expect(statSync(folder).mode % 0o1000).toBe(0o700);
    expect(await run()).toEqual(first);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test('keeps one for each command', async () => {
    expect((await run('digest')).path).not.toBe((await run('copy')).path);
    expect(readdirSync(folder)).toHaveLength(2);
  });

  test('knows another build of the same length, and forgets the one before', async () => {
    await run();
    writeBundle('two', OTHER_BUILD);
    expect((await run()).result).toBe('two');
    expect(readdirSync(folder)).toEqual([expect.stringContaining(OTHER_BUILD)]);
  });

  test('leaves files alone that it has not made', async () => {
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(join(folder, 'notes'), '');
    await run();
    expect(readdirSync(folder)).toContain('notes');
  });

  test.each(['666', '660', '622'])(
    'does not take a file that others can write to (mode %s)',
    async (mode) => {
      const { path, inode } = await run();
      chmodSync(path, Number.parseInt(mode, 8));
      const again = await run();
      expect(again.inode).not.toBe(inode);
      expect(statSync(path).mode % 0o1000).toBe(0o600);
    },
  );

  test('neither takes nor keeps anything in a folder that others can write to', async () => {
    const { path } = await run();
    const kept = readFileSync(path);
    writeFileSync(path, 'planted');
    chmodSync(folder, 0o777);
    expect((await run()).result).toBe('one');
    expect(readFileSync(path, 'utf8')).toBe('planted');
    chmodSync(folder, 0o700);
    expect((await run()).result).toBe('one');
    expect(readFileSync(path)).toHaveLength(kept.length);
  });

  test.each([0, 1, 40, 200])(
    'ignores a file that is cut to %d bytes, and makes it again',
    async (length) => {
      const { path } = await run();
      const { size } = statSync(path);
      truncateSync(path, length);
      expect((await run()).result).toBe('one');
      expect(statSync(path).size).toBe(size);
    },
  );

  test('runs without the cache where no folder can be made', async () => {
    folder = join(bundle, 'not-a-folder');
    expect(await start()).toMatchObject({ result: 'one' });
  });
});
