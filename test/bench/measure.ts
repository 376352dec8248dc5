import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';

/** What one run of a program cost. */
export interface Cost {
  /** From fork to exit. Seconds, as the next two. */
  readonly wall: number;
  readonly user: number;
  readonly system: number;
  /**
   * The most memory it had resident at once; undefined for a program that ended before anybody
   * looked.
   */
  readonly peakBytes: number | undefined;
}

export interface Measured extends Cost {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface MeasureOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly timeoutMs: number;
}

const PEAK_INTERVAL_MS = 20;

/**
 * Runs the program and says on file descriptor 3 what it cost. bash knows microseconds and the
 * processor time of its children, and what it has in memory itself is too little to be taken for
 * theirs: /usr/bin/time may be missing, and a child forked by Node inherits Node's peak.
 */
const WRAPPER = `start=$EPOCHREALTIME; "$@" 3>&-; status=$?; end=$EPOCHREALTIME; { echo "$status $start $end"; times; } >&3`;

/** Runs a program, alone, and tells what it cost. */
export async function measure(
  argv: readonly string[],
  { env, cwd, timeoutMs }: MeasureOptions,
): Promise<Measured> {
  const child = spawn('bash', ['-c', WRAPPER, 'bench', ...argv], {
    env,
    cwd,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    timeout: timeoutMs,
  });
  const peak = watchPeak(child.pid);
  const [stdout, stderr, report] = await Promise.all([
    text(child.stdout as Readable),
    text(child.stderr as Readable),
    text(child.stdio[3] as Readable),
  ]);
  const peakBytes = peak.stop();
  const [, status, start, end, userMinutes, user, systemMinutes, system] =
    REPORT.exec(report) ?? [];
  if (status === undefined)
    return {
      status: 124,
      stdout,
      stderr: `${stderr}\nstopped after ${timeoutMs} ms`,
      wall: NaN,
      user: NaN,
      system: NaN,
      peakBytes,
    };
  return {
    status: Number(status),
    stdout,
    stderr,
    wall: Number(end) - Number(start),
    user: Number(userMinutes) * 60 + Number(user),
    system: Number(systemMinutes) * 60 + Number(system),
    peakBytes,
  };
}

/** The first line is ours; then `times`: the shell, and its children. */
const REPORT = /^(\d+) ([\d.]+) ([\d.]+)\n\S+ \S+\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s/;

/**
 * Looks at the high-water mark of the shell's child now and then: it misses only what comes in the
 * last moment.
 */
function watchPeak(shell: number | undefined): { stop(): number | undefined } {
  let most: number | undefined;
  const look = (): void => {
    try {
      const child = readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8')
        .trim()
        .split(' ')[0];
      if (child === undefined || child === '') return;
      const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(
        readFileSync(`/proc/${child}/status`, 'utf8'),
      )?.[1];
      if (kibibytes !== undefined) most = Math.max(most ?? 0, Number(kibibytes) * 1024);
    } catch {
      // It has ended between the two reads.
    }
  };
  const timer = setInterval(look, PEAK_INTERVAL_MS);
  return {
    stop() {
      clearInterval(timer);
      return most;
    },
  };
}
