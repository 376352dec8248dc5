import type { LookupFunction } from 'node:net';

import type { Clock } from './clock.ts';
import type { Platform } from './oci/descriptor.ts';

/** Standard output or standard error. */
export interface TextOutput {
  /** Resolves when the reader has taken it; rejects with EPIPE when the reader is gone. */
  write(chunk: string | Uint8Array): Promise<void>;
  readonly isTTY: boolean;
  /** Width of the terminal now; undefined where there is none. */
  columns(): number | undefined;
}

export interface TextInput {
  readonly isTTY: boolean;
  /** All of it, at most `limit` bytes. */
  read(limit: number): Promise<string>;
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
}
