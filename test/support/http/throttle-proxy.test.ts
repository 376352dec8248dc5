import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';

import { expect, onTestFinished, test } from 'vitest';

import { randomBytes } from '../images/random-bytes.ts';
import { startThrottleProxy, type ThrottleOptions, type ThrottleProxy } from './throttle-proxy.ts';

/** Starts a server that echoes everything. */
async function startEcho(options?: ThrottleOptions): Promise<ThrottleProxy> {
  const server = createServer(
    { allowHalfOpen: true },
    (socket) => void socket.on('error', () => undefined).pipe(socket),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return startThrottleProxy(`127.0.0.1:${(server.address() as AddressInfo).port}`, options);
}

function dial(proxy: ThrottleProxy): Socket {
  const socket = connect({
    host: '127.0.0.1',
    port: Number(proxy.host.split(':')[1]),
    allowHalfOpen: true,
  });
  onTestFinished(() => void socket.destroy());
  return socket;
}

async function echo(
  proxy: ThrottleProxy,
  content: Uint8Array,
): Promise<{ readonly answer: Buffer; readonly ms: number }> {
  const start = performance.now();
  const answer = await buffer(dial(proxy).end(content));
  return { answer, ms: performance.now() - start };
}

test('startThrottleProxy() passes on every byte in order, and counts them', async () => {
  const proxy = await startEcho({ latencyMs: 1 });
  const content = randomBytes(6_000_000, 1);
  expect((await echo(proxy, content)).answer.equals(content)).toBe(true);
  expect(proxy).toMatchObject({
    connections: 1,
    bytesUp: content.byteLength,
    bytesDown: content.byteLength,
  });
});

test('startThrottleProxy() takes as long as the rate says', async () => {
  const proxy = await startEcho({ bytesPerSecond: 400_000 });
  const { ms } = await echo(proxy, randomBytes(100_000, 1));
  expect(ms).toBeGreaterThan(245);
});

test('startThrottleProxy() adds the latency once in each direction, not to each chunk', async () => {
  const proxy = await startEcho({ latencyMs: 600 });
  const { ms } = await echo(proxy, randomBytes(6_000_000, 1));
  expect(ms).toBeGreaterThan(1195);
  // A hundred chunks of 64 KiB.
  expect(ms).toBeLessThan(50_000);
});

test('throttle() changes a link that is in use', async () => {
  const proxy = await startEcho({ bytesPerSecond: 10_000 });
  const { ms } = await Promise.all([
    echo(proxy, randomBytes(1_000_000, 1)),
    proxy.transferred(2000).then(() => proxy.throttle({})),
  ]).then(([result]) => result);
  // The link would take a hundred seconds without the change.
  expect(ms).toBeLessThan(50_000);
});

test('cut() ends the connections that are open', async () => {
  const proxy = await startEcho({ bytesPerSecond: 1000 });
  const socket = dial(proxy);
  const failed = once(socket, 'close');
  socket.write(randomBytes(100_000, 1));
  await proxy.transferred(50);
  proxy.cut();
  await expect(failed).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(proxy.open).toBe(0);
});
