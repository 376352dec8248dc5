import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface LinkOptions {
  /** `127.0.0.1:PORT` */
  readonly target: string;
  /**
   * Half a round trip, in milliseconds. A new connection costs a round trip before its first byte,
   * as on a real line.
   */
  readonly oneWayMs: number;
  /** Of each direction, shared by all connections; unlimited when absent. */
  readonly bytesPerSecond?: number | undefined;
}

/** Since the start. */
export interface LinkCounts {
  readonly connections: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

export interface Link {
  /** `127.0.0.1:PORT`, to be used instead of the target. */
  readonly host: string;
  counts(): Promise<LinkCounts>;
  stop(): void;
}

const SCRIPT = fileURLToPath(new URL('link-process.js', import.meta.url));

/** Puts a long line before a server. */
export async function startLink(options: LinkOptions): Promise<Link> {
  const child = fork(SCRIPT, [JSON.stringify(options)], { execArgv: [] });
  const { port } = (await message(child)) as { readonly port: number };
  return {
    host: `127.0.0.1:${port}`,
    counts: async () => {
      const answer = message(child);
      child.send('counts');
      return (await answer) as LinkCounts;
    },
    stop: () => child.disconnect(),
  };
}

async function message(child: ChildProcess): Promise<unknown> {
  const [answer] = (await once(child, 'message')) as [unknown];
  return answer;
}
