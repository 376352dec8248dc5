import { setImmediate } from 'node:timers/promises';

import { afterFile } from '../cleanup.ts';
import { spawnRegi, type RegiFinished, type RegiOptions } from '../cli/regi.ts';

/** A `regi serve` of its own process. */
export interface Served {
  /** `127.0.0.1:PORT`, as it is written in a reference. */
  readonly host: string;
  readonly url: string;
  /** Its standard error so far. */
  readonly stderr: () => string;
  /** Ends it with a signal, SIGTERM by default, and waits for its end. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<RegiFinished>;
}

const LISTENING = /^listening on (?<url>https?:\/\/(?<host>\S+))$/m;

/**
 * Starts the built `regi serve` on a free port of loopback. It ends with the test file.
 *
 * @throws {Error} with its output when it ends instead.
 */
export async function startServe(args: readonly string[], options?: RegiOptions): Promise<Served> {
  const running = spawnRegi(['serve', '--listen', '127.0.0.1:0', ...args], options);
  let ended = false;
  const finished = running.finished.finally(() => {
    ended = true;
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<RegiFinished> => {
    running.process.kill(signal);
    return finished;
  };
  afterFile(async () => void (await stop('SIGKILL')));
  for (;;) {
    const { url, host } = LISTENING.exec(running.output.stderr)?.groups ?? {};
    if (url !== undefined && host !== undefined)
      return { url, host, stderr: () => running.output.stderr, stop };
    if (ended)
      throw new Error(`Expected a line "listening on", found the end\n${running.output.stderr}`);
    await setImmediate();
  }
}
