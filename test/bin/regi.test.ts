import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { createMemoryPlace } from '../../src/stores/memory.ts';
import { makeImage } from '../support/images/images.ts';
import { startFakeRegistry } from '../support/registries/fake-registry.ts';
import { runProgram } from '../support/programs/run-program.ts';
import { runRegi } from '../support/cli/regi.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const BIN = fileURLToPath(new URL('../../bin/regi.js', import.meta.url));
const MANIFEST = fileURLToPath(new URL('../../package.json', import.meta.url));

test('regi --version tells the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string };
  expect(await runRegi(['--version'])).toMatchObject({
    status: 0,
    stdout: `${version}\n`,
    stderr: '',
  });
});

test.each([[['--version', '--verbose']], [['-v', '-V']], [['version', '--verbose']]])(
  'regi %j lists the version, the commit, Node, the platform and features',
  async (words) => {
    const { status, stdout, stderr } = await runRegi(words);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.split('\n').map((line) => line.split(/ +/)[0])).toEqual([
      'regi',
      'commit',
      'node',
      'platform',
      'keychain',
      'zstd',
      'sea',
      '',
    ]);
    expect(stdout).toMatch(/^commit +(?:unknown|[0-9a-f]{12}\S*)$/m);
    expect(stdout).toContain(`node      ${process.versions.node}\n`);
    expect(stdout).toMatch(/^sea +no$/m);
  },
);

test('regi --version says why it cannot be written', async () => {
  const { status, stderr } = await runProgram(
    'sh',
    ['-c', '"$@" >/dev/full', 'sh', process.execPath, BIN, '--version'],
    { env: {} },
  );
  expect(status).toBe(1);
  expect(stderr).toMatch(/^regi: Cannot write to standard output: ENOSPC/);
});

test('regi keeps what V8 compiled in the cache of the user, and runs the same with it', async () => {
  const cache = temporaryFolder('cache');
  const env = { XDG_CACHE_HOME: cache };
  const first = await runRegi(['images', '--help'], { env });
  const folder = join(cache, 'regi');
  expect(readdirSync(folder)).not.toEqual([]);
  expect(statSync(folder).mode % 0o1000).toBe(0o700);
  expect(await runRegi(['images', '--help'], { env })).toMatchObject({
    status: 0,
    stdout: first.stdout,
    stderr: '',
  });
});

test('regi keeps nothing with NODE_DISABLE_COMPILE_CACHE', async () => {
  const cache = temporaryFolder('cache');
  expect(
    await runRegi(['images', '--help'], {
      env: { XDG_CACHE_HOME: cache, NODE_DISABLE_COMPILE_CACHE: '1' },
    }),
  ).toMatchObject({ status: 0 });
  expect(existsSync(join(cache, 'regi'))).toBe(false);
});

test('regi --version and regi digest load neither chalk nor ora; a page with colours loads chalk', async () => {
  const image = makeImage();
  const place = createMemoryPlace();
  await image.pushAll(place.open('team/app'), '1');
  const { host } = await startFakeRegistry({ place });
  const loads = async (...argv: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await runProgram(
      process.execPath,
      ['--require', CHALK_PROBE, BIN, ...argv],
      { env: { HOME: temporaryFolder('home'), FORCE_COLOR: '1' } },
    );
    expect({ status, stderr: stderr.replace('chalk\n', '') }).toEqual({ status: 0, stderr: '' });
    expect(stdout).not.toBe('');
    return stderr;
  };
  expect(await loads('--version')).toBe('');
  expect(await loads('digest', `${host}/team/app:1`)).toBe('');
  expect(await loads('help')).toBe('chalk\n');
});

/**
 * Writes a line when chalk is loaded: it asks whether its streams are terminals. Ora loads chalk
 * too.
 */
const CHALK_PROBE = (() => {
  const path = join(temporaryFolder('probe'), 'probe.cjs');
  writeFileSync(
    path,
    `const tty = require('node:tty');
     const isatty = tty.isatty;
     tty.isatty = (fd) => (fd === 1 && require('node:fs').writeSync(2, 'chalk\\n'), isatty(fd));`,
  );
  return path;
})();
