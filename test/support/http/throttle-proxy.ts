import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { afterFile } from '../cleanup.ts';

export interface ThrottleOptions {
  /** Rate of each connection and direction; unlimited when absent. */
  readonly bytesPerSecond?: number | undefined;
  /** Added to each direction, in milliseconds: a round trip costs twice as much. */
  readonly latencyMs?: number | undefined;
}

export interface ThrottleProxy {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Connections accepted since the start. */
  readonly connections: number;
  /** Open connections. */
  readonly open: number;
  /** Bytes from clients to the server. */
  readonly bytesUp: number;
  /** Bytes from the server to clients. */
  readonly bytesDown: number;
  /** Changes the link from the next byte on, also for open connections. */
  throttle(options: ThrottleOptions): void;
  /**
   * Resolves when `bytesUp + bytesDown` has reached `bytes`: a test waits for bytes, not for time.
   */
  transferred(bytes: number): Promise<void>;
  /** Cuts all open connections, as a failing link does. */
  cut(): void;
  stop(): Promise<void>;
}

/** The link sends slices of this size, so that a slow link trickles and does not burst. */
const SLICE_SECONDS = 0.05;
/** The proxy reads at most this far ahead of the link. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/**
 * Starts a TCP proxy on loopback in front of `target` (`127.0.0.1:PORT`) that behaves as a slow or
 * long line.
 */
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
    // Only a fault ends both: a side that ended normally may still have bytes in flight.
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

/**
 * Moves bytes one way: each slice leaves when the rate allows it and arrives `latencyMs` later,
 * while the next ones are on their way.
 */
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
    // A side that breaks meanwhile emits its own error event, which ends the line.
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
  // Timers have a resolution of 1 ms and may fire early: a slice that is due does not wait.
  if (ms >= 1) await delay(ms);
}
