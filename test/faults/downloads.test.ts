import { describe, expect, test } from 'vitest';

import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { startHttpServer } from '../support/http/http-server.ts';
import { makeImage } from '../support/images/images.ts';
import { instantClock } from '../support/clock.ts';
import { damagedBlobs } from '../support/images/layout-folder.ts';
import { runMain } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/**
 * What a server may have sent and no client has read when a connection breaks: what sockets hold on
 * the way, and one read. Bytes.
 */
const IN_FLIGHT = 1024 * 1024;

const TENTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

const IMAGE = makeImage({ layers: [2_000_000] });
const LAYER = IMAGE.layers[0] ?? IMAGE.config;
const isLayer = { method: 'GET', path: new RegExp(LAYER.digest) };

async function source(): Promise<FakeRegistry> {
  const registry = await startFakeRegistry();
  await IMAGE.pushAll(registry.place.open('app'), 'v1');
  return registry;
}

async function pull(registry: FakeRegistry): Promise<{
  readonly status: number;
  readonly stderr: string;
  readonly damaged: readonly string[];
}> {
  const cwd = temporaryFolder('pull');
  const { status, stderr } = await runMain(
    ['pull', '--timeout', '2', `${registry.host}/app:v1`, '-o', './'],
    { cwd },
  );
  return { status, stderr: status === 0 ? '' : stderr, damaged: damagedBlobs(cwd) };
}

const WELL = { status: 0, stderr: '', damaged: [] };

/** Bytes of the layer that the registry sent, all answers together. */
function bytesSent(registry: FakeRegistry): number {
  return registry.requests
    .filter(({ url }) => url.includes(LAYER.digest))
    .reduce((total, { sent }) => total + sent, 0);
}

function rangesOf(registry: FakeRegistry): readonly (string | undefined)[] {
  return registry.requests
    .filter(({ method, url }) => method === 'GET' && url.includes(LAYER.digest))
    .map(({ headers }) => headers.range);
}

describe('a download that is cut', () => {
  test.each(TENTHS)('after %i tenths resumes there, and requests no byte twice', async (tenths) => {
    const registry = await source();
    registry.fault({ match: isLayer, action: { kind: 'cut', afterBytes: { tenths } } });
    expect(await pull(registry)).toEqual(WELL);
    const [first, second] = rangesOf(registry);
    expect(first).toBeUndefined();
    // What was on its way when the connection broke is lost with it.
    expect(Number(/^bytes=(\d+)-$/.exec(second ?? 'bytes=0-')?.[1])).toBeLessThanOrEqual(
      (LAYER.size * tenths) / 10,
    );
    expect(bytesSent(registry)).toBeLessThanOrEqual(LAYER.size + IN_FLIGHT);
  });

  test('at each tenth succeeds', async () => {
    const registry = await source();
    registry.fault({
      match: isLayer,
      times: 9,
      action: { kind: 'cut', afterBytes: Math.ceil(LAYER.size / 10) },
    });
    expect(await pull(registry)).toEqual(WELL);
    expect(new Set(rangesOf(registry)).size).toBe(rangesOf(registry).length);
  });

  test.each([
    ['ends well when the server sends all again', { kind: 'headers', headers: {} }, WELL.status],
    [
      'restarts and succeeds when the range begins elsewhere',
      { kind: 'headers', headers: { 'content-range': `bytes 5-${LAYER.size - 1}/${LAYER.size}` } },
      WELL.status,
    ],
    [
      'ends well, from the start, when the range is of another size',
      {
        kind: 'headers',
        headers: { 'content-range': `bytes 1000-${LAYER.size}/${LAYER.size + 1}` },
      },
      WELL.status,
    ],
    [
      'ends well, from the start, when no range is named',
      { kind: 'headers', headers: { 'content-range': undefined } },
      WELL.status,
    ],
    ['fails when it is refused, range or not', { kind: 'respond', status: 416 }, 5],
    [
      'fails when a web page comes instead',
      { kind: 'respond', status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' },
      5,
    ],
  ] as const)('%s', async (_, action, status) => {
    const registry = await source();
    registry.fault({ match: isLayer, action: { kind: 'cut', afterBytes: 1000 } });
    registry.fault({ match: isLayer, times: 99, action });
    expect(await pull(registry)).toMatchObject({ status, damaged: [] });
  });
});

describe('storage behind the registry', () => {
  async function storageOf(
    registry: FakeRegistry,
    expired: number,
  ): Promise<{ readonly asked: () => number }> {
    let asked = 0;
    const bytes = Buffer.from(IMAGE.nodes.get(LAYER.digest)?.bytes ?? []);
    const storage = await startHttpServer((request, response) => {
      asked += 1;
      if (asked <= expired)
        return void response
          .writeHead(403, { 'content-type': 'application/xml' })
          .end('<Error><Code>AccessDenied</Code></Error>');
      const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? 'bytes=0-')?.[1]);
      response.writeHead(start > 0 ? 206 : 200, {
        ...(start > 0 && {
          'content-range': `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}`,
        }),
        'content-length': bytes.byteLength - start,
      });
      // The first answer that is good breaks off.
      if (asked === expired + 1)
        return void response.write(bytes.subarray(0, 500_000), () => response.destroy());
      response.end(bytes.subarray(start));
    });
    registry.fault({
      match: isLayer,
      times: 99,
      action: { kind: 'redirect', to: `${storage.origin}/blob?signature=x` },
    });
    return { asked: () => asked };
  }

  test('is reached by a new signature when one has expired', async () => {
    const registry = await source();
    const storage = await storageOf(registry, 1);
    expect(await pull(registry)).toEqual(WELL);
    expect(storage.asked()).toBe(3);
    // Each request to the storage had a signature of its own.
    expect(rangesOf(registry)).toHaveLength(3);
  });

  test('is named in the error when it keeps refusing', async () => {
    const registry = await source();
    await storageOf(registry, 99);
    const { status, stderr, damaged } = await pull(registry);
    expect({ status, damaged }).toEqual({ status: 1, damaged: [] });
    expect(stderr).toContain('where');
  });
});

test('a registry that is down for a while is waited for', async () => {
  const registry = await source();
  registry.fault({ match: isLayer, action: { kind: 'cut', afterBytes: 1_000_000 } });
  registry.fault({ match: isLayer, action: { kind: 'outage', connections: 3 } });
  expect(await pull(registry)).toEqual(WELL);
});

test.each([-12, -3, 3, 12])('a clock that is %i hours off has no effect', async (hours) => {
  const registry = await startFakeRegistry({
    auth: { kind: 'bearer', anonymous: ['pull'], expiresIn: 300 },
  });
  await IMAGE.pushAll(registry.place.open('app'), 'v1');
  registry.fault({
    match: isLayer,
    action: {
      kind: 'respond-with',
      // Made with the response: on a busy machine seconds may pass before.
      respond: () => ({
        status: 503,
        headers: { 'retry-after': new Date(Date.now() + 20_000).toUTCString() },
      }),
    },
  });
  const clock = instantClock(Date.now() + hours * 3_600_000);

  const { status, stderr, sleeps } = await runMain(
    ['pull', `${registry.host}/app:v1`, '-o', 'out/'],
    { clock },
  );

  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  expect(sleeps).toHaveLength(1);
  // Both dates are in whole seconds.
  expect(Math.abs((sleeps[0] ?? 0) - 20_000)).toBeLessThanOrEqual(1000);
  expect(registry.authority?.requests.length).toBeLessThanOrEqual(2);
});
