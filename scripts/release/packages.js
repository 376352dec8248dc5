import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { run } from './programs.js';

/** Node in the executables. Fetched here, because `npm ci` of every contributor would load 100 MB. */
const NODE = {
  version: '24.22.3',
  integrity: {
    x64: 'sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==',
    arm64:
      'sha512-IZx0J52/1NDwAsY2iyWR9nlPIYuYviTWetjj8+ElvYQh2+XRhLfCfkbFEF/2O5vGI2hcUbyPNHV+nz342FbJXw==',
  },
};

/**
 * Unpacks Node and the addon for the keychain of a target, from the packages of npm that this file and package-lock.json
 * name with their hashes.
 *
 * @param {import('./targets.js').Target} target
 * @param {string} folder
 */
export async function unpackParts({ arch, addon }, folder) {
  const integrity = NODE.integrity[/** @type {keyof typeof NODE.integrity} */ (arch)];
  const node = join(folder, 'node');
  await unpack({ name: `node-linux-${arch}`, version: NODE.version, integrity }, node);
  const keyring = join(folder, 'keyring');
  await unpack(locked(addon), keyring);
  return {
    node: join(node, 'bin', 'node'),
    addon: join(keyring, `keyring.linux-${arch}-gnu.node`),
    licences: [
      { name: `Node.js ${NODE.version}`, text: readFileSync(join(node, 'LICENSE'), 'utf8') },
      {
        name: '@napi-rs/keyring',
        text: readFileSync(join(keyring, 'LICENSE.third-party.md'), 'utf8'),
      },
    ],
  };
}

/**
 * @typedef {{ readonly name: string, readonly version: string, readonly integrity: string }} Package
 *
 * @param {string} name
 * @returns {Package}
 */
function locked(name) {
  /** @type {{ packages: Record<string, { version: string, integrity: string } | undefined> }} */
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const found = packages[`node_modules/${name}`];
  if (found === undefined) throw new Error(`Cannot find "${name}" in package-lock.json`);
  return { name, ...found };
}

/**
 * @param {Package} found
 * @param {string} folder
 */
async function unpack(found, folder) {
  const file = await fetched(found);
  mkdirSync(folder, { recursive: true });
  await run('tar', ['-xzf', file, '-C', folder, '--strip-components=1', '--no-same-owner']);
}

/**
 * Returns the file of a package, from the cache or the registry of npm. Its hash is checked each time.
 *
 * @param {Package} found
 */
async function fetched({ name, version, integrity }) {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'regi-release');
  const file = join(cache, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
  if (existsSync(file) && hashOf(file) === integrity) return file;
  const part = join(cache, `part-${process.pid}`);
  mkdirSync(part, { recursive: true });
  try {
    const options = ['--silent', '--fetch-retries=5', '--pack-destination', part];
    await run('npm', ['pack', ...options, `${name}@${version}`]);
    const loaded = join(part, file.slice(cache.length + 1));
    const hash = hashOf(loaded);
    if (hash !== integrity)
      throw new Error(`Cannot use ${name} ${version}: expected ${integrity}, found ${hash}`);
    renameSync(loaded, file);
    return file;
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}

/** @param {string} file */
function hashOf(file) {
  return `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
}
