import { isInstalled } from './programs.js';

/**
 * A kind of machine for which there is an executable.
 *
 * @typedef {object} Target
 * @property {string} arch as Node names it
 * @property {string} debian as Debian and container images name it
 * @property {string} strip removes symbols from an executable of this target
 * @property {string} loader path of the dynamic loader, as in the executable
 * @property {string} libraries folder of the C and C++ libraries on the machine that makes the release
 * @property {string} addon package with the addon for the keychain
 * @property {readonly string[] | undefined} emulator runs its programs; empty if this machine does, undefined if nothing can
 */

/** The libraries that Node needs, and those that the C library itself loads. Every Linux has them; the image has only these. */
export const LIBRARIES = [
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'libresolv.so.2',
  'libstdc++.so.6',
];

const CROSS = '/usr/aarch64-linux-gnu';

/** @type {readonly Target[]} */
export const TARGETS = [
  {
    arch: 'x64',
    debian: 'amd64',
    strip: 'strip',
    loader: '/lib64/ld-linux-x86-64.so.2',
    libraries: '/lib/x86_64-linux-gnu',
    addon: '@napi-rs/keyring-linux-x64-gnu',
    emulator: [],
  },
  {
    arch: 'arm64',
    debian: 'arm64',
    strip: 'aarch64-linux-gnu-strip',
    loader: '/lib/ld-linux-aarch64.so.1',
    libraries: `${CROSS}/lib`,
    addon: '@napi-rs/keyring-linux-arm64-gnu',
    emulator: emulatorOfArm(),
  },
];

/** What a release needs beside Node, and the Debian package that has it. */
export const NEEDS = [
  { program: 'strip', package: 'binutils' },
  { program: 'aarch64-linux-gnu-strip', package: 'binutils-aarch64-linux-gnu' },
  { file: `${CROSS}/lib/libc.so.6`, package: 'libc6-arm64-cross' },
  { file: `${CROSS}/lib/libstdc++.so.6`, package: 'libstdc++6-arm64-cross' },
  { program: 'dpkg-deb', package: 'dpkg' },
  { program: 'xz', package: 'xz-utils' },
  { program: 'git', package: 'git' },
];

function emulatorOfArm() {
  const program = ['qemu-aarch64', 'qemu-aarch64-static'].find(isInstalled);
  return program === undefined ? undefined : [program, '-L', CROSS];
}
