import { endianness } from 'node:os';

import { systemClock } from '../clock.ts';
import type { RunKeychain } from '../credentials/keychain/program.ts';
import { findHome } from '../disk/home-folder.ts';
import { InterruptedError, type InterruptSignal } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Platform } from '../oci/descriptor.ts';
import { type InputStream, type OutputStream, textInput, textOutput } from './output/streams.ts';

/** The part of Node's `process` that regi uses. */
export interface HostProcess {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdin: InputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  readonly arch: string;
  /** Path of the Node executable. */
  readonly execPath: string;
  readonly config: { readonly variables: unknown };
  cwd(): string;
  /** Absent on Windows. */
  getuid?(): number;
  exit(status: number): never;
  on(signal: InterruptSignal, listener: () => void): unknown;
}

export interface OpenIoOptions {
  /**
   * The script of the child process that accesses the keychain; undefined disables the keychain.
   */
  readonly keychainScript?: string | undefined;
}

/**
 * Creates the Io of a real process: its streams, environment, clock and signals. The first SIGINT
 * or SIGTERM aborts `signal`; the second ends the process at once.
 */
export function openIo(host: HostProcess, { keychainScript }: OpenIoOptions = {}): Io {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const satisfies readonly InterruptSignal[]) {
    host.on(name, () => {
      const reason = new InterruptedError(name);
      if (controller.signal.aborted) host.exit(reason.exitStatus);
      controller.abort(reason);
    });
  }
  const home = findHome(host.getuid?.());
  return {
    stdout: textOutput(host.stdout),
    stderr: textOutput(host.stderr),
    stdin: textInput(() => host.stdin, host.stderr),
    env: host.env,
    cwd: host.cwd(),
    home: home.path,
    unreadableHome: home.unreadable,
    linuxUid: host.platform === 'linux' ? host.getuid?.() : undefined,
    clock: systemClock,
    signal: controller.signal,
    host: hostPlatform({
      platform: host.platform,
      arch: host.arch,
      endianness: endianness(),
      armVersion: armVersion(host.config.variables),
    }),
    runKeychain: keychainScript === undefined ? undefined : lazyKeychain(host, keychainScript),
  };
}

/** Loads the keychain code only when a command uses it. */
function lazyKeychain({ execPath, env }: HostProcess, script: string): RunKeychain {
  return async (request, options) => {
    const { createKeychainProgram } = await import('../credentials/keychain/program.ts');
    return createKeychainProgram({ execPath, script, env })(request, options);
  };
}

function armVersion(variables: unknown): string | undefined {
  if (typeof variables !== 'object' || variables === null || !('arm_version' in variables))
    return undefined;
  return typeof variables.arm_version === 'string' || typeof variables.arm_version === 'number'
    ? String(variables.arm_version)
    : undefined;
}

/** Properties of the machine, as Node reports them. */
export interface MachineFacts {
  /** `process.platform`. */
  readonly platform: string;
  /** `process.arch`. */
  readonly arch: string;
  /** `os.endianness()`. */
  readonly endianness: 'BE' | 'LE';
  /** `process.config.variables.arm_version`, such as `7`. */
  readonly armVersion?: string | undefined;
}

/** Node's names for which image platforms use Go's. */
const OS: Readonly<Record<string, string>> = { win32: 'windows', sunos: 'solaris' };
const ARCHITECTURE: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  mipsel: 'mipsle',
};

/** Translates the platform of this machine to the names of image indexes. */
export function hostPlatform({ platform, arch, endianness, armVersion }: MachineFacts): Platform {
  const os = OS[platform] ?? platform;
  if (arch === 'arm') return { os, architecture: 'arm', variant: `v${armVersion ?? '7'}` };
  if (arch === 'ppc64') return { os, architecture: endianness === 'LE' ? 'ppc64le' : 'ppc64' };
  return { os, architecture: ARCHITECTURE[arch] ?? arch };
}
