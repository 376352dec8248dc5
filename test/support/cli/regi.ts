import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { startBound } from '../programs/daemon.ts';
import type { Finished, Running } from '../programs/run-program.ts';
import { afterFile } from '../cleanup.ts';
import { ROOT } from '../root.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export interface RegiOptions {
  /** Added to an environment of PATH, an empty HOME and a cache of the test file. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** An empty folder when absent. */
  readonly cwd?: string | undefined;
  readonly input?: string | Uint8Array | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface RegiFinished extends Finished {
  /** Its peak resident memory; undefined when it was killed, or on systems without /proc. */
  readonly peakBytes: number | undefined;
}

export interface RegiRunning extends Omit<Running, 'finished'> {
  readonly finished: Promise<RegiFinished>;
}

const BIN = join(ROOT, 'bin/regi.js');

/**
 * Writes the peak memory at exit. Not `process.resourceUsage().maxRSS` or /usr/bin/time: these
 * counts start with the memory of the forking parent, here vitest.
 */
const PEAK_PROBE = `data:text/javascript,${encodeURIComponent(
  `import { readFileSync, writeFileSync } from 'node:fs';
   process.on('exit', () => { try { writeFileSync(process.env.REGI_TEST_PEAK, readFileSync('/proc/self/status')); } catch {} });`,
)}`;

let cache: string | undefined;

/** Runs the built `regi` to its end, whatever its exit status. */
export function runRegi(args: readonly string[], options?: RegiOptions): Promise<RegiFinished> {
  return spawnRegi(args, options).finished;
}

/** Starts the built `regi`, for tests that interrupt it or read along. */
export function spawnRegi(
  args: readonly string[],
  { env = {}, cwd, input, timeoutMs }: RegiOptions = {},
): RegiRunning {
  const home = temporaryFolder('home');
  const peak = join(temporaryFolder('peak'), 'status');
  const { finished, ...running } = startBound(
    process.execPath,
    ['--import', PEAK_PROBE, BIN, ...args],
    {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: home,
        XDG_CACHE_HOME: cacheFolder(),
        REGI_TEST_PEAK: peak,
        ...env,
      },
      cwd: cwd ?? temporaryFolder('cwd'),
      input,
      timeoutMs: timeoutMs ?? 600_000,
    },
  );
  return {
    ...running,
    finished: finished.then((result) => ({ ...result, peakBytes: readPeak(peak) })),
  };
}

/** One folder for all starts in a test file, so that they share compiled code. */
function cacheFolder(): string {
  if (cache === undefined) {
    cache = temporaryFolder('cache');
    afterFile(() => {
      cache = undefined;
    });
  }
  return cache;
}

function readPeak(path: string): number | undefined {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(path, 'utf8'))?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}
