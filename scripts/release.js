// Makes release/: regi as an npm package, as executables, as Debian packages and as a container image, each tested.
//
//   npm run release [-- FOLDER]
//
// Made on Linux x64. The same commit makes the same executables, packages and image on the same machine.
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { makeDebianPackage } from './release/debian-package.js';
import { bundleMain, makeExecutable } from './release/executable.js';
import { makeImage } from './release/image.js';
import { unpackParts } from './release/packages.js';
import { isInstalled, missingPackages, run } from './release/programs.js';
import { expectText, testRegi } from './release/self-test.js';
import { NEEDS, TARGETS } from './release/targets.js';

/** Megabytes of an executable, and of its compressed form. */
const LIMITS = { executable: 115, compressed: 32 };

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const output = resolve(process.argv[2] ?? 'release');
/** @type {{ version: string }} */
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const work = mkdtempSync(join(tmpdir(), 'regi-release-'));
try {
  await release();
} catch (error) {
  process.stderr.write(`release: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Returns the time, in seconds since 1970, and the hash of the commit; those of nothing outside of a checkout. */
async function sourceOf() {
  const git = ['-c', 'safe.directory=*', 'log', '-1', '--format=%ct %H'];
  const said = await run('git', git).catch(() => '');
  const [epoch = '', commit = 'unknown'] = said.trim().split(' ');
  return { epoch: epoch === '' ? '0' : epoch, commit };
}

async function release() {
  const missing = missingPackages(NEEDS);
  if (missing.length > 0)
    throw new Error(`Cannot make a release: run apt-get install ${missing.join(' ')}`);
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });

  await step('npm package', async () => {
    await run('npm', ['pack', '--silent', '--pack-destination', output]);
    return `regi-${version}.tgz`;
  });
  const { executables, licences, authorities } = await makeExecutables();
  const compressed = Promise.all(
    executables.map(({ executable }) => run('xz', ['-k6', executable])),
  );
  // Its failure is reported at the end.
  compressed.catch(() => undefined);

  const { epoch, commit } = await sourceOf();
  const [first] = executables;
  if (first === undefined) throw new Error('Cannot make a release without a target');
  const regi = first.executable;
  /** @type {Record<string, string>} */
  const completions = {};
  for (const shell of ['bash', 'zsh', 'fish'])
    completions[shell] = await run(regi, ['completion', shell]);
  for (const { target, executable } of executables) {
    const name = `regi_${version}_${target.debian}.deb`;
    await step(name, async () => {
      const folder = join(work, name);
      const files = { folder, output: join(output, name) };
      await makeDebianPackage({
        target,
        version,
        executable,
        completions,
        licences,
        epoch,
        ...files,
      });
      return undefined;
    });
  }
  const image = { version, commit, epoch, licences, authorities, regi, executables };
  await step('image', () => makeImages(image));
  await step('compressed executables', async () => void (await compressed));

  checkSizes();
  await testAll(executables);
  writeSums();
}

/** Makes the executables, and returns them with what else they have inside. */
async function makeExecutables() {
  const main = join(work, 'main.cjs');
  await bundleMain(main);
  const executables = [];
  let hostNode = '';
  let authorities = '';
  const texts = [
    readFileSync('LICENSE', 'utf8'),
    readFileSync('dist/THIRD-PARTY-LICENSES.txt', 'utf8'),
  ];
  for (const target of TARGETS) {
    const name = `regi-linux-${target.arch}`;
    const executable = join(output, name);
    await step(name, async () => {
      const folder = join(work, target.arch);
      const parts = await unpackParts(target, folder);
      if (hostNode === '') {
        hostNode = parts.node;
        authorities = await run(hostNode, ['-p', 'tls.rootCertificates.join("\\n")']);
        for (const { name: part, text } of parts.licences)
          texts.push(`${'='.repeat(80)}\n${part}\n${'='.repeat(80)}\n\n${text}`);
      }
      await makeExecutable(target, parts, { main, hostNode, folder, output: executable });
    });
    executables.push({ target, executable });
  }
  const licences = texts.join('\n');
  writeFileSync(join(output, 'LICENSES.txt'), licences);
  return { executables, licences, authorities };
}

/** @param {import('./release/image.js').ImageOptions} options */
async function makeImages(options) {
  const name = `regi-${version}-image`;
  const layout = join(output, name);
  const digest = await makeImage(options, { layout, folder: work });
  expectText(await makeImage(options, { layout: join(work, 'again'), folder: work }), digest);
  await run(options.regi, ['export', '--from', '-', '-o', join(output, `${name}.tar`)], {
    input: `oci:${layout}:${version} localhost/regi:${version}\n`,
  });
  return digest;
}

/** @param {readonly { readonly target: import('./release/targets.js').Target, readonly executable: string }[]} executables */
async function testAll(executables) {
  await step('test of the npm package', () => testPackage());
  for (const { target, executable } of executables) {
    const { emulator, arch, debian } = target;
    if (emulator === undefined) {
      say(`regi-linux-${arch} not run: install qemu-user to run it`);
      continue;
    }
    await step(`test of regi-linux-${arch}`, async () =>
      testRegi([...emulator, executable], version),
    );
    await step(`test of regi_${version}_${debian}.deb`, async () => {
      const folder = join(work, `unpacked-${debian}`);
      await run('dpkg-deb', ['-x', join(output, `regi_${version}_${debian}.deb`), folder]);
      const installed = join(folder, 'usr', 'bin', 'regi');
      expectText(
        (
          await run(emulator[0] ?? installed, [
            ...emulator.slice(1),
            ...(emulator.length > 0 ? [installed] : []),
            '--version',
          ])
        ).trim(),
        version,
      );
    });
  }
  if (!isInstalled('podman') || process.getuid?.() !== 0)
    return say('image not run: that needs podman and root');
  await step('test of the image', () => testImage());
}

async function testPackage() {
  const prefix = join(work, 'prefix');
  const env = { npm_config_cache: join(work, 'empty-cache'), npm_config_prefix: prefix };
  const file = join(output, `regi-${version}.tgz`);
  await run('npm', ['install', '--global', '--offline', '--silent', file], { env });
  await testRegi([join(prefix, 'bin', 'regi')], version);
}

/** Runs the image as its user. Not with `podman run`, which many containers forbid. */
async function testImage() {
  const folders = [`--root=${join(work, 'podman')}`, `--runroot=${join(work, 'run')}`];
  /** @param {readonly string[]} args */
  const podman = async (...args) =>
    (await run('podman', ['--storage-driver=vfs', ...folders, ...args])).trim();
  await podman('load', '--input', join(output, `regi-${version}-image.tar`));
  const container = await podman('create', '--network=none', `localhost/regi:${version}`);
  const root = await podman('mount', container);
  const command = ['--userspec=1000:1000', root, '/usr/bin/regi', '--version'];
  expectText((await run('chroot', command)).trim(), version);
  await podman('umount', container);
}

/** @throws {Error} when an executable has become larger than promised. */
function checkSizes() {
  for (const name of readdirSync(output)) {
    const isCompressed = name.endsWith('.xz');
    if (!name.startsWith('regi-linux-')) continue;
    const limit = isCompressed ? LIMITS.compressed : LIMITS.executable;
    const size = statSync(join(output, name)).size / 1e6;
    if (size > limit) throw new Error(`${name} has ${size.toFixed(1)} MB, more than ${limit}`);
  }
}

function writeSums() {
  const files = readdirSync(output, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(output, name)).isFile())
    .sort();
  const lines = files.map((name) => {
    const bytes = readFileSync(join(output, name));
    return `${createHash('sha256').update(bytes).digest('hex')}  ${name}\n`;
  });
  writeFileSync(join(output, 'SHA256SUMS'), lines.join(''));
}

/**
 * Reports what was made and how long it took.
 *
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} make
 */
async function step(name, make) {
  const start = Date.now();
  try {
    const made = await make();
    const size = statSync(join(output, name), { throwIfNoEntry: false })?.size;
    const facts = [
      `${((Date.now() - start) / 1000).toFixed(1)} s`,
      ...(size === undefined ? [] : [`${(size / 1e6).toFixed(1)} MB`]),
      ...(typeof made === 'string' ? [made] : []),
    ];
    say(`${name}: ${facts.join(', ')}`);
    return made;
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`);
}
