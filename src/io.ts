import type { LookupFunction } from 'node:net';

import type { Clock } from './clock.ts';
import type { RunKeychain } from './credentials/keychain/program.ts';
import type { Platform } from './oci/descriptor.ts';
import type { Bytes } from './store.ts';

/** Standard output or standard error. */
export interface TextOutput {
  /** Resolves when the reader has taken it; rejects with EPIPE when the reader is gone. */
  write(chunk: string | Uint8Array): Promise<void>;
  readonly isTTY: boolean;
  /** Width of the terminal now; undefined where there is none. */
  columns(): number | undefined;
  /** Its height now, in the same way. */
  rows(): number | undefined;
}

export interface TextInput {
  readonly isTTY: boolean;
  /** All of it, at most `limit` bytes. */
  read(limit: number): Promise<string>;
  /** Its bytes as they come, once. */
  bytes(): Bytes;
  /**
   * Asks the person at the terminal for one line; undefined when there is no more input. Ctrl-C is an `InterruptedError`, and the
   * terminal is as it was before, however it ends.
   */
  ask(question: string, options: AskOptions): Promise<string | undefined>;
}

export interface AskOptions {
  /** Whether what is typed stays invisible. */
  readonly hidden: boolean;
  readonly signal: AbortSignal;
}

/** Every outside thing a command may touch. Only bin/regi.js builds the real one. */
export interface Io {
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly stdin: TextInput;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly clock: Clock;
  /** Aborts at the first SIGINT or SIGTERM; its reason is an `InterruptedError`. */
  readonly signal: AbortSignal;
  /** The platform of this machine. */
  readonly host: Platform;
  /** Name resolution; the system's when absent. */
  readonly lookup?: LookupFunction | undefined;
  /** Asks the keychain of the system; absent where it cannot be asked. */
  readonly runKeychain?: RunKeychain | undefined;
}
