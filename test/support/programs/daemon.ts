import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { findTool, requireTool, type Tool } from './real-tools.ts';
import { startProgram } from './run-program.ts';

export interface Daemon {
  readonly stop: () => Promise<void>;
}

const START_TIMEOUT_MS = 120_000;
/** Below the ports that a system gives to outgoing connections (Linux: from 32768; others: from 49152), which would take it before the server does. */
const PORTS = { first: 10_000, count: 20_000 };

/** A port of loopback that was free a moment ago, for servers that cannot choose one themselves. */
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
 * Starts a server in the foreground and waits until it takes connections on `port`. A test process that is killed takes it with it.
 *
 * @throws {Error} with what it wrote when it ends before that.
 */
export async function startDaemon(
  tool: Tool,
  args: readonly string[],
  port: number,
): Promise<Daemon> {
  const setpriv = findTool('setpriv');
  const path = requireTool(tool);
  const options = { env: { PATH: process.env['PATH'] ?? '' }, timeoutMs: 0 };
  const running =
    setpriv === undefined
      ? startProgram(path, args, options)
      : startProgram(setpriv, ['--pdeathsig', 'KILL', path, ...args], options);
  let hasEnded = false;
  void running.finished.then(() => {
    hasEnded = true;
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await takesConnections(port))) {
    if (hasEnded || Date.now() > deadline)
      throw new Error(`Cannot start ${tool}:\n${running.output.stderr}${running.output.stdout}`);
    await delay(20);
  }
  return {
    stop: async () => {
      running.process.kill('SIGTERM');
      await running.finished;
    },
  };
}

function takesConnections(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}
