import type { LookupFunction } from 'node:net';

import type { Clock } from './clock.ts';
import type { RunKeychain } from './credentials/keychain/program.ts';
import type { Platform } from './oci/descriptor.ts';
import type { Bytes } from './store.ts';

/** Standard output or standard error. */
export interface TextOutput {
  /** Resolves when the reader has taken the chunk; rejects with EPIPE if the reader has gone. */
  write(chunk: string | Uint8Array): Promise<void>;
  readonly isTTY: boolean;
  /** Current width of the terminal; undefined without a terminal. */
  columns(): number | undefined;
  /** Current height of the terminal; undefined without a terminal. */
  rows(): number | undefined;
}

export interface TextInput {
  readonly isTTY: boolean;
  /** Reads everything, at most `limit` bytes. */
  read(limit: number): Promise<string>;
  /** Streams the bytes; can be read once. */
  bytes(): Bytes;
  /**
   * Asks the person at the terminal for one line. Resolves to undefined at the end of input, and
   * rejects with an `InterruptedError` at Ctrl-C. The terminal is always restored.
   */
  ask(question: string, options: AskOptions): Promise<string | undefined>;
}

export interface AskOptions {
  /** True if the reply stays invisible. */
  readonly hidden: boolean;
  readonly signal: AbortSignal;
}

/** The world outside a command. Only bin/regi.js creates the real one. */
export interface Io {
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly stdin: TextInput;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Absolute; a path at which nothing exists for a user without a home. */
  readonly home: string;
  /**
   * A path in another user's home that cannot be read; `home` is then one at which nothing exists.
   */
  readonly unreadableHome?: string | undefined;
  /** The number of the user on Linux; undefined elsewhere. */
  readonly linuxUid?: number | undefined;
  readonly clock: Clock;
  /** Aborts at the first SIGINT or SIGTERM; its reason is an `InterruptedError`. */
  readonly signal: AbortSignal;
  /** The platform of this machine. */
  readonly host: Platform;
  /** Name resolution; by default the system's. */
  readonly lookup?: LookupFunction | undefined;
  /** Accesses the keychain of the system; undefined if it has none. */
  readonly runKeychain?: RunKeychain | undefined;
}
