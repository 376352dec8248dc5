import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';

import { build } from 'esbuild';

import { COMMAND_LINE } from '../bundle-options.js';
import { run } from './programs.js';

/** @see https://nodejs.org/api/single-executable-applications.html */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
const POSTJECT = createRequire(import.meta.url).resolve('postject/dist/cli.js');

/**
 * Bundles the main script of the executables, which is the same for all targets.
 *
 * @param {string} file
 */
export async function bundleMain(file) {
  await build({
    ...COMMAND_LINE,
    entryPoints: ['bin/standalone.js'],
    outfile: file,
    external: [],
    alias: { '@napi-rs/keyring': './bin/standalone-keyring.js' },
    target: 'node24',
    legalComments: 'none',
  });
}

/**
 * Makes an executable of Node, the main script and the addon for the keychain.
 *
 * @param {import('./targets.js').Target} target
 * @param {{ readonly node: string, readonly addon: string }} parts
 * @param {{ readonly main: string, readonly hostNode: string, readonly folder: string, readonly output: string }} files
 *   `hostNode` is the same version of Node for this machine
 */
export async function makeExecutable(target, parts, { main, hostNode, folder, output }) {
  copyFileSync(parts.node, output);
  chmodSync(output, 0o755);
  // Before the injection: an executable that is stripped afterwards crashes.
  await run(target.strip, [output]);
  const addon = readFileSync(parts.addon);
  const assets = { addon: join(folder, 'addon.br'), digest: join(folder, 'addon.sha256') };
  writeFileSync(assets.addon, brotliCompressSync(addon));
  writeFileSync(assets.digest, createHash('sha256').update(addon).digest('hex'));
  copyFileSync(main, join(folder, 'regi.cjs'));
  const settings = {
    // Relative, because the executable contains this path.
    main: 'regi.cjs',
    output: join(folder, 'sea.blob'),
    disableExperimentalSEAWarning: true,
    // Code that V8 compiled fits only the kind of processor that compiled it.
    useCodeCache: target.emulator !== undefined,
    assets,
  };
  const config = join(folder, 'sea.json');
  writeFileSync(config, JSON.stringify(settings));
  const [program = hostNode, ...args] =
    target.emulator === undefined ? [] : [...target.emulator, parts.node];
  // The seed makes the compiled code the same each time.
  const flags = ['--random-seed=1', '--experimental-sea-config', config];
  await run(program, [...args, ...flags], { cwd: folder });
  const injected = [output, 'NODE_SEA_BLOB', settings.output, '--sentinel-fuse', FUSE];
  await run(process.execPath, [POSTJECT, ...injected]);
}
