import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { afterFile } from '../cleanup.ts';

export interface ThrottleOptions {
  /** For each connection and direction; unlimited when absent. */
  readonly bytesPerSecond?: number | undefined;
  /** Added to each direction, in milliseconds: a round trip costs twice as much. */
  readonly latencyMs?: number | undefined;
}

export interface ThrottleProxy {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Connections taken since the start. */
  readonly connections: number;
  /** Connections that are open now. */
  readonly open: number;
  /** Bytes from clients to the server. */
  readonly bytesUp: number;
  /** Bytes from the server to clients. */
  readonly bytesDown: number;
  /** Changes the link from the next bytes on, of connections that are open too. */
  throttle(options: ThrottleOptions): void;
  /** Resolves when `bytesUp + bytesDown` has reached `bytes`: what a test waits for instead of for time. */
  transferred(bytes: number): Promise<void>;
  /** Cuts all open connections, as a failing link does. */
  cut(): void;
  stop(): Promise<void>;
}

/** A slice at a time is sent, so that a slow link trickles instead of standing still and then bursting. */
const SLICE_SECONDS = 0.05;
/** A sender is not read further than this ahead of the link. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** Starts a TCP proxy on loopback that stands before `target` (`127.0.0.1:PORT`) as a slow or a long line would. */
export async function startThrottleProxy(
  target: string,
  options: ThrottleOptions = {},
): Promise<ThrottleProxy> {
  const address = new URL(`tcp://${target}`);
  const lines = new Set<readonly [client: Socket, upstream: Socket]>();
  const watchers = new Set<() => void>();
  const count = { connections: 0, bytesUp: 0, bytesDown: 0 };
  let link = options;

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({
      host: address.hostname,
      port: Number(address.port),
      allowHalfOpen: true,
    });
    count.connections += 1;
    const line = [client, upstream] as const;
    lines.add(line);
    const fail = (): void => line.forEach((socket) => void socket.destroy());
    // Only a fault ends both: a side that has ended well may have bytes that are still on their way to the other.
    for (const socket of line) socket.setNoDelay(true).on('error', fail);
    client.once('close', () => lines.delete(line));
    const counted = (direction: 'bytesUp' | 'bytesDown') => (bytes: number) => {
      count[direction] += bytes;
      for (const look of watchers) look();
    };
    pump(client, upstream, () => link, counted('bytesUp')).catch(fail);
    pump(upstream, client, () => link, counted('bytesDown')).catch(fail);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const cut = (): void => {
    for (const socket of [...lines].flat()) socket.resetAndDestroy();
    lines.clear();
  };
  const stop = async (): Promise<void> => {
    cut();
    if (server.listening) await once(server.close(), 'close');
  };
  afterFile(stop);

  return {
    host: `127.0.0.1:${port}`,
    get connections() {
      return count.connections;
    },
    get open() {
      return lines.size;
    },
    get bytesUp() {
      return count.bytesUp;
    },
    get bytesDown() {
      return count.bytesDown;
    },
    throttle: (changed) => {
      link = changed;
    },
    transferred: (bytes) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (count.bytesUp + count.bytesDown < bytes) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      }),
    cut,
    stop,
  };
}

/** Moves bytes one way: each slice leaves when the rate allows it and arrives `latencyMs` later, while the next ones are on their way. */
async function pump(
  source: Socket,
  target: Socket,
  link: () => ThrottleOptions,
  onBytes: (bytes: number) => void,
): Promise<void> {
  let freeAt = 0;
  let travelling = 0;
  let arrived: Promise<void> = Promise.resolve();

  async function arrive(slice: Uint8Array, dueAt: number, before: Promise<void>): Promise<void> {
    await sleepUntil(dueAt);
    await before;
    travelling -= slice.byteLength;
    if (target.destroyed) return;
    onBytes(slice.byteLength);
    // A side that breaks meanwhile ends the line by its own error event.
    if (!target.write(slice))
      await Promise.race([once(target, 'drain'), once(target, 'close')]).catch(() => undefined);
  }

  // The other direction may still be open when this one ends.
  for await (const chunk of source.iterator({
    destroyOnReturn: false,
  }) as AsyncIterable<Uint8Array>) {
    for (let offset = 0; offset < chunk.byteLength;) {
      const { bytesPerSecond, latencyMs = 0 } = link();
      const length =
        bytesPerSecond === undefined
          ? chunk.byteLength
          : Math.max(1, Math.floor(bytesPerSecond * SLICE_SECONDS));
      const slice = chunk.subarray(offset, offset + length);
      offset += length;
      freeAt =
        Math.max(freeAt, performance.now()) +
        (bytesPerSecond === undefined ? 0 : (slice.byteLength / bytesPerSecond) * 1000);
      await sleepUntil(freeAt);
      travelling += slice.byteLength;
      arrived = arrive(slice, freeAt + latencyMs, arrived);
      if (travelling > WINDOW_BYTES || target.writableNeedDrain) await arrived;
      if (target.destroyed) return;
    }
  }
  await arrived;
  target.end();
}

async function sleepUntil(time: number): Promise<void> {
  const ms = time - performance.now();
  // Timers count whole milliseconds and may come one early: no wait at all for what is due.
  if (ms >= 1) await delay(ms);
}
