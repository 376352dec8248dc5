import { bytesOf } from '../../../src/bytes.ts';
import type { Clock } from '../../../src/clock.ts';
import type { Io, TextOutput } from '../../../src/io.ts';

export interface FakeIoOptions {
  readonly env?: Io['env'];
  readonly cwd?: string;
  readonly home?: string;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  readonly lookup?: Io['lookup'];
  readonly stdin?: string | Uint8Array;
  /** Lines that a person types, each with Enter; input ends after the last. */
  readonly typed?: readonly string[];
  readonly runKeychain?: Io['runKeychain'];
  /** Whether standard output and standard error are terminals. */
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  /** Standard output fails with EPIPE from this write on, counted from 0. */
  readonly stdoutBreaksAt?: number;
}

/** A deterministic Io, and everything that was written to it. */
export interface FakeIo extends Io {
  stdoutText(): string;
  stdoutBytes(): Uint8Array;
  stderrText(): string;
  /** Number of writes to standard output. */
  stdoutWrites(): number;
  /** Questions asked at the terminal. */
  questions(): readonly { readonly question: string; readonly hidden: boolean }[];
}

/**
 * An Io whose clock stands still, whose machine is linux/amd64 and whose streams collect what they
 * are given.
 */
export function fakeIo(options: FakeIoOptions = {}): FakeIo {
  const stdout = collector(options, options.stdoutBreaksAt);
  const stderr = collector(options);
  const typed = [...(options.typed ?? [])];
  const questions: { question: string; hidden: boolean }[] = [];
  return {
    stdout,
    stderr,
    stdin: {
      isTTY: options.isTTY === true && options.stdin === undefined,
      read: async () => Buffer.from(options.stdin ?? '').toString(),
      bytes: () => bytesOf(Buffer.from(options.stdin ?? '')),
      async ask(question, { hidden }) {
        questions.push({ question, hidden });
        return typed.shift();
      },
    },
    // Tests read text; those about colours set NO_COLOR to nothing.
    env: { NO_COLOR: '1', ...options.env },
    cwd: options.cwd ?? '/work-folder',
    home: options.home ?? '/home/somebody',
    clock: options.clock ?? STILL_CLOCK,
    signal: options.signal ?? new AbortController().signal,
    host: { os: 'linux', architecture: 'amd64' },
    lookup: options.lookup,
    runKeychain: options.runKeychain,
    stdoutText: () => stdout.bytes().toString('utf8'),
    stdoutBytes: () => stdout.bytes(),
    stderrText: () => stderr.bytes().toString('utf8'),
    stdoutWrites: () => stdout.writes(),
    questions: () => questions,
  };
}

/** Always noon of 1 January 2026; a sleep ends only when it is aborted. */
const STILL_CLOCK: Clock = {
  now: () => Date.UTC(2026, 0, 1, 12),
  random: () => 0.5,
  sleep: (_ms, signal) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    }),
};

function collector(
  { isTTY, columns, rows }: FakeIoOptions,
  breaksAt = Number.POSITIVE_INFINITY,
): TextOutput & { bytes(): Buffer; writes(): number } {
  const chunks: Buffer[] = [];
  return {
    isTTY: isTTY === true,
    columns: () => columns,
    rows: () => rows,
    async write(chunk) {
      if (chunks.length >= breaksAt)
        throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
      chunks.push(Buffer.from(chunk));
    },
    bytes: () => Buffer.concat(chunks),
    writes: () => chunks.length,
  };
}
