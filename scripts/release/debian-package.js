import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { run } from './programs.js';

/**
 * Makes a Debian package of an executable, with the man page and completions.
 *
 * @param {object} options
 * @param {import('./targets.js').Target} options.target
 * @param {string} options.version
 * @param {string} options.executable
 * @param {Readonly<Record<string, string>>} options.completions scripts by the name of the shell
 * @param {string} options.licences
 * @param {string} options.epoch seconds since 1970 that all files get
 * @param {string} options.folder an empty folder for the files of the package
 * @param {string} options.output
 */
export async function makeDebianPackage({ folder, output, epoch, ...options }) {
  const { executable, completions, licences } = options;
  const put = putIn(folder);
  await run('install', ['-D', '-m755', executable, join(folder, 'usr/bin/regi')]);
  symlinkSync('regi', join(folder, 'usr/bin/docker-credential-regi'));
  put('usr/share/man/man1/regi.1.gz', gzipSync(readFileSync('docs/man/regi.1'), { level: 9 }));
  put('usr/share/bash-completion/completions/regi', completions['bash'] ?? '');
  put('usr/share/zsh/vendor-completions/_regi', completions['zsh'] ?? '');
  put('usr/share/fish/vendor_completions.d/regi.fish', completions['fish'] ?? '');
  put('usr/share/doc/regi/changelog.gz', gzipSync(readFileSync('CHANGELOG.md'), { level: 9 }));
  put('usr/share/doc/regi/copyright', licences);
  put('DEBIAN/control', controlFile(options));
  // The fastest level: a higher one takes minutes, and saves a tenth.
  const build = ['--root-owner-group', '-Zxz', '-z1', '--build', folder, output];
  await run('dpkg-deb', build, { env: { SOURCE_DATE_EPOCH: epoch } });
}

/** @param {string} folder */
function putIn(folder) {
  /**
   * @param {string} path
   * @param {string | Uint8Array} content
   */
  return (path, content) => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content, { mode: 0o644 });
  };
}

/** @param {{ target: import('./targets.js').Target, version: string, executable: string }} options */
function controlFile({ target, version, executable }) {
  return `Package: regi
Version: ${version}
Architecture: ${target.debian}
Maintainer: The regi project <regi@localhost>
Installed-Size: ${Math.ceil(statSync(executable).size / 1024)}
Depends: libc6 (>= 2.28), libgcc-s1 | libgcc1, libstdc++6 (>= 7)
Suggests: bash-completion, gnome-keyring
Section: utils
Priority: optional
Homepage: https://github.com/regi-cli/regi
Description: moves container images without a container engine
 regi copies container images between registries, folders and archives,
 shows what is in them, carries them over an air gap, and serves them as a
 registry. It needs no daemon and no root.
`;
}
