import { main } from '../../../src/main.ts';
import { fakeIo, type FakeIoOptions } from './io.ts';
import { instantClock, type InstantClock } from '../clock.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export interface MainResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The requested waits in order, in ms. */
  readonly sleeps: readonly number[];
}

export interface RunMainOptions extends Omit<FakeIoOptions, 'clock'> {
  readonly clock?: InstantClock | undefined;
}

/**
 * Runs a command line in this process: real network and files, an empty home, and waits that end at
 * once.
 */
export async function runMain(
  argv: readonly string[],
  { clock = instantClock(), ...options }: RunMainOptions = {},
): Promise<MainResult> {
  const io = fakeIo({
    home: temporaryFolder('home'),
    cwd: temporaryFolder('cwd'),
    clock,
    ...options,
  });
  const status = await main(argv, io);
  return { status, stdout: io.stdoutText(), stderr: io.stderrText(), sleeps: clock.sleeps };
}
