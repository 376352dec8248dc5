/**
 * A TCP proxy that is a long line, in a process of its own: what it costs is not counted to the
 * client, and its timers do not wait for the harness. Started by link.ts with the link as JSON in
 * its one argument; answers each message with its counts.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import type { LinkCounts, LinkOptions } from './link.ts';

const { target, oneWayMs, bytesPerSecond } = JSON.parse(process.argv[2] ?? '') as LinkOptions;
const [host, port] = target.split(':');
/**
 * Bytes of one connection that are on their way: 16 MiB in 20 ms are more than any client here
 * moves.
 */
const WINDOW_BYTES = 16 * 1024 * 1024;
/** How far ahead of the line a sender is read. */
const QUEUE_MS = 5;

const counts = { connections: 0, bytesUp: 0, bytesDown: 0 };

/** One direction of the line, that all connections share: until when it is taken. */
interface Lane {
  freeAt: number;
}
const up: Lane = { freeAt: 0 };
const down: Lane = { freeAt: 0 };

const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  counts.connections += 1;
  const upstream = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true });
  const fail = (): void => {
    client.destroy();
    upstream.destroy();
  };
  client.on('error', fail);
  upstream.on('error', fail);
  // The kernel answered the client at once. On a line it would know so a round trip later, and send
  // its first bytes then.
  const openAt = performance.now() + 2 * oneWayMs;
  carry(client, upstream, up, openAt, (bytes) => (counts.bytesUp += bytes));
  carry(upstream, client, down, 0, (bytes) => (counts.bytesDown += bytes));
});
server.listen(0, '127.0.0.1', () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
process.on('message', () => process.send?.(counts satisfies LinkCounts));
process.once('disconnect', () => process.exit());

function carry(
  source: Socket,
  destination: Socket,
  lane: Lane,
  openAt: number,
  count: (bytes: number) => void,
): void {
  /** In the order in which they are due; an empty one is the end. */
  const travelling: { readonly due: number; readonly chunk: Uint8Array }[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let waiting: NodeJS.Timeout | undefined;

  const send = (chunk: Uint8Array): void => {
    const now = Math.max(performance.now(), openAt);
    let leaves = now;
    if (bytesPerSecond !== undefined) {
      lane.freeAt = Math.max(lane.freeAt, now) + (chunk.byteLength / bytesPerSecond) * 1000;
      leaves = lane.freeAt;
    }
    bytes += chunk.byteLength;
    travelling.push({ due: leaves + oneWayMs, chunk });
    timer ??= setTimeout(arrive, Math.max(0, (travelling[0]?.due ?? 0) - performance.now()));
    wait();
  };

  const arrive = (): void => {
    timer = undefined;
    const now = performance.now() + 0.5;
    if (!destination.destroyed) destination.cork();
    for (
      let first = travelling[0];
      first !== undefined && first.due <= now;
      first = travelling[0]
    ) {
      travelling.shift();
      bytes -= first.chunk.byteLength;
      count(first.chunk.byteLength);
      if (destination.destroyed) continue;
      if (first.chunk.byteLength === 0) destination.end();
      else destination.write(first.chunk);
    }
    if (!destination.destroyed) destination.uncork();
    const next = travelling[0];
    if (next !== undefined) timer = setTimeout(arrive, next.due - performance.now());
  };

  /** Reads on when there is room, and looks again until there is. */
  const wait = (): void => {
    if (!isFull()) return void source.resume();
    source.pause();
    waiting ??= setTimeout(() => {
      waiting = undefined;
      wait();
    }, 1);
  };

  const isFull = (): boolean =>
    bytes > WINDOW_BYTES ||
    (destination.writableNeedDrain && !destination.destroyed) ||
    lane.freeAt - performance.now() > QUEUE_MS;

  source.on('data', send);
  source.once('end', () => send(new Uint8Array(0)));
  source.once('close', () => {
    if (!source.readableEnded) destination.destroy();
  });
}
