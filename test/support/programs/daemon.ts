import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { findTool } from './real-tools.ts';
import { type Running, type RunOptions, startProgram } from './run-program.ts';

export interface Daemon {
  readonly stop: () => Promise<void>;
}

const START_TIMEOUT_MS = 120_000;
/**
 * Below the ports of outgoing connections (Linux: from 32768, others: from 49152): one of those
 * could take the port first.
 */
const PORTS = { first: 10_000, count: 20_000 };

/** Finds a free port of loopback, for servers that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    await once(server.close(), 'close');
    return port;
  }
}

/**
 * Starts a program that the kernel kills when this test process ends. No time limit when absent.
 */
export function startBound(
  path: string,
  args: readonly string[],
  { env = { PATH: process.env['PATH'] ?? '' }, timeoutMs = 0, ...rest }: Partial<RunOptions> = {},
): Running {
  const setpriv = findTool('setpriv');
  const options = { env, timeoutMs, ...rest };
  return setpriv === undefined
    ? startProgram(path, args, options)
    : startProgram(setpriv, ['--pdeathsig', 'KILL', path, ...args], options);
}

/**
 * Starts a server in the foreground and waits until it accepts connections at `address`, which is a
 * port of loopback or the path of a Unix socket.
 *
 * @throws {Error} with its output when it ends before that.
 */
export async function startDaemon(
  path: string,
  args: readonly string[],
  address: number | string,
  env?: Readonly<Record<string, string>>,
): Promise<Daemon> {
  const running = startBound(path, args, env && { env });
  let hasEnded = false;
  void running.finished.then(() => {
    hasEnded = true;
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await acceptsConnections(address))) {
    if (hasEnded || Date.now() > deadline)
      throw new Error(`Cannot start ${path}:\n${running.output.stderr}${running.output.stdout}`);
    await delay(20);
  }
  return {
    stop: async () => {
      running.process.kill('SIGTERM');
      await running.finished;
    },
  };
}

function acceptsConnections(address: number | string): Promise<boolean> {
  const socket =
    typeof address === 'number'
      ? connect({ host: '127.0.0.1', port: address })
      : connect({ path: address });
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}
