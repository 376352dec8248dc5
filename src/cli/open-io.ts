import { endianness, homedir } from 'node:os';

import type { RunKeychain } from '../credentials/keychain-program.ts';
import { InterruptedError, type InterruptSignal } from '../interrupted.ts';
import type { Io } from '../io.ts';
import { hostPlatform } from './host-platform.ts';
import { textInput, textOutput, type InputStream, type OutputStream } from './streams.ts';
import { systemClock } from '../clock.ts';

/** What is used of Node's `process`. */
export interface HostProcess {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdin: InputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  readonly arch: string;
  /** Node. */
  readonly execPath: string;
  readonly config: { readonly variables: unknown };
  cwd(): string;
  exit(status: number): never;
  on(signal: InterruptSignal, listener: () => void): unknown;
}

export interface OpenIoOptions {
  /** The script that is started to ask the keychain; without it there is no keychain. */
  readonly keychainScript?: string | undefined;
}

/**
 * The real outside: streams, environment, time and signals of the process. The first SIGINT or SIGTERM aborts `signal`; another one
 * ends the process at once.
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
  return {
    stdout: textOutput(host.stdout),
    stderr: textOutput(host.stderr),
    stdin: textInput(() => host.stdin, host.stderr),
    env: host.env,
    cwd: host.cwd(),
    home: homedir(),
    clock: systemClock,
    signal: controller.signal,
    host: hostPlatform({ platform: host.platform, arch: host.arch, endianness: endianness(), armVersion: armVersion(host.config.variables) }),
    runKeychain: keychainScript === undefined ? undefined : lazyKeychain(host, keychainScript),
  };
}

/** Most commands never ask it, so its code is not loaded before. */
function lazyKeychain({ execPath, env }: HostProcess, script: string): RunKeychain {
  return async (request, options) => {
    const { createKeychainProgram } = await import('../credentials/keychain-program.ts');
    return createKeychainProgram({ execPath, script, env })(request, options);
  };
}

function armVersion(variables: unknown): string | undefined {
  if (typeof variables !== 'object' || variables === null || !('arm_version' in variables)) return undefined;
  return typeof variables.arm_version === 'string' || typeof variables.arm_version === 'number' ? String(variables.arm_version) : undefined;
}
