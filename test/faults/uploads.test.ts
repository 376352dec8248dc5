import { describe, expect, test } from 'vitest';

import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { makeImage } from '../support/images/images.ts';
import { runMain } from '../support/cli/run-main.ts';

const TENTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/**
 * A layer that is large beside what a socket holds back, so that an upload can be cut in its
 * middle.
 */
const IMAGE = makeImage({ layers: [3_000_000] });
const LAYER = IMAGE.layers[0] ?? IMAGE.config;
const UPLOAD = /blobs\/uploads\//;

async function source(): Promise<FakeRegistry> {
  const registry = await startFakeRegistry();
  await IMAGE.pushAll(registry.place.open('app'), 'v1');
  return registry;
}

const isLayer = ({
  method,
  headers,
}: {
  method: string;
  headers: { 'content-length'?: string | undefined };
}): boolean => method === 'PUT' && Number(headers['content-length'] ?? 0) === LAYER.size;

/** Bytes of the layer that reached the destination, all requests together. */
function bytesReceived(registry: FakeRegistry): number {
  return (
    registry.requests
      .filter(({ kind }) => kind === 'upload')
      .reduce((total, { bytes }) => total + bytes, 0) - IMAGE.config.size
  );
}

describe('an upload that is cut', () => {
  test.each(TENTHS)(
    'after %i tenths resumes when the session is kept, and sends no byte twice',
    async (tenths) => {
      const [from, to] = [await source(), await startFakeRegistry()];
      const afterBytes = Math.floor((LAYER.size * tenths) / 10);
      to.fault({ match: isLayer, action: { kind: 'cut-request', afterBytes, session: 'kept' } });

      const { status, stdout } = await runMain([
        'copy',
        `${from.host}/app:v1`,
        `${to.host}/app:v1`,
      ]);

      expect({ status, stdout }).toEqual({
        status: 0,
        stdout: `${to.host}/app:v1@${IMAGE.root.digest}\n`,
      });
      expect(await to.place.open('app').exists(LAYER)).toBe(true);
      // What the server had read and not yet told is sent again: the chunk in its hands.
      expect(bytesReceived(to)).toBeLessThanOrEqual(LAYER.size + 256 * 1024);
    },
  );

  test.each(TENTHS)('after %i tenths restarts when the session is lost', async (tenths) => {
    const [from, to] = [await source(), await startFakeRegistry()];
    const afterBytes = Math.floor((LAYER.size * tenths) / 10);
    to.fault({ match: isLayer, action: { kind: 'cut-request', afterBytes, session: 'lost' } });

    const { status } = await runMain(['copy', `${from.host}/app:v1`, `${to.host}/app:v1`]);

    expect(status).toBe(0);
    expect(await to.place.open('app').exists(LAYER)).toBe(true);
  });

  test('at every tenth succeeds', async () => {
    const [from, to] = [await source(), await startFakeRegistry()];
    const isLarge = ({
      path,
      body,
    }: {
      path: string;
      body: { length: number | undefined };
    }): boolean => UPLOAD.test(path) && (body.length ?? 0) > LAYER.size / 10;
    to.fault({
      match: isLarge,
      times: 9,
      action: { kind: 'cut-request', afterBytes: Math.floor(LAYER.size / 10), session: 'kept' },
    });

    const { status } = await runMain(['copy', `${from.host}/app:v1`, `${to.host}/app:v1`]);

    expect(status).toBe(0);
    expect(to.count('PATCH')).toBe(9);
    expect(bytesReceived(to)).toBeLessThanOrEqual(LAYER.size + 9 * 256 * 1024);
  });

  test('reads the source from the byte where it resumes', async () => {
    const [from, to] = [await source(), await startFakeRegistry()];
    to.fault({
      match: isLayer,
      action: { kind: 'cut-request', afterBytes: 2_000_000, session: 'kept' },
    });

    expect((await runMain(['copy', `${from.host}/app:v1`, `${to.host}/app:v1`])).status).toBe(0);

    const ranges = from.requests
      .filter(({ method, url }) => method === 'GET' && url.includes(LAYER.digest))
      .map(({ headers }) => headers.range);
    expect(ranges[0]).toBeUndefined();
    // The registry keeps what it had read of the 2 MB when it cut the connection.
    expect(Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? '')?.[1])).toBeGreaterThan(500_000);
  });
});

test('an upload whose last response is lost is not sent again', async () => {
  const [from, to] = [await source(), await startFakeRegistry()];
  to.fault({ match: isLayer, action: { kind: 'lose-response' } });

  expect((await runMain(['copy', `${from.host}/app:v1`, `${to.host}/app:v1`])).status).toBe(0);

  expect(bytesReceived(to)).toBe(LAYER.size);
});

test('an upload that the registry stops reading is cut, and succeeds', async () => {
  // More than all sockets on the way hold, or the client would be done with it.
  const large = makeImage({ layers: [10_000_000] });
  const [from, to] = [await startFakeRegistry(), await startFakeRegistry()];
  await large.pushAll(from.place.open('app'), 'v1');
  to.fault({
    match: ({ path, body }) => UPLOAD.test(path) && (body.length ?? 0) > 1_000_000,
    action: { kind: 'stall-request', afterBytes: { tenths: 2 } },
  });

  const { status, stderr } = await runMain([
    'copy',
    '--timeout',
    '2',
    `${from.host}/app:v1`,
    `${to.host}/app:v1`,
  ]);

  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
});
