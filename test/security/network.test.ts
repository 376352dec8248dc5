import { describe, expect, test } from 'vitest';

import { createProxyChooser } from '../../src/http/proxy/proxy.ts';
import { InterruptedError } from '../../src/errors.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { makeImage, type TestImageManifest } from '../support/images/images.ts';
import { instantClock } from '../support/clock.ts';
import { runMain } from '../support/cli/run-main.ts';

async function registryWith(image: TestImageManifest): Promise<FakeRegistry> {
  const registry = await startFakeRegistry();
  await image.pushAll(registry.place.open('app'), 'v1');
  return registry;
}

describe('broken transfers', () => {
  test('net-reset: a download that is cut half-way each time resumes there', async () => {
    const image = makeImage({ layers: [4_000_000] });
    const registry = await registryWith(image);
    const [layer] = image.layers;
    const blob = { method: 'GET', path: new RegExp(`blobs/${layer?.digest ?? ''}`) };
    for (let cut = 0; cut < 12; cut += 1)
      registry.fault({ match: blob, action: { kind: 'cut', afterBytes: 300_000 } });

    const { status } = await runMain(['copy', `${registry.host}/app:v1`, 'oci:to']);

    expect(status).toBe(0);
    const ranges = registry.requests
      .filter(({ method, url }) => method === 'GET' && blob.path.test(url))
      .map(({ headers }) => headers.range);
    expect(ranges.length).toBe(13);
    expect(new Set(ranges).size).toBe(13);
  });

  test('net-reset: an upload that is cut each time ends after as many tries as were allowed', async () => {
    const [from, to] = [await registryWith(makeImage()), await startFakeRegistry()];
    to.fault({
      match: { method: 'PUT', path: /uploads/ },
      times: 100,
      action: { kind: 'cut-request', afterBytes: 10 },
    });
    const { status, stdout } = await runMain([
      'copy',
      '--retry',
      '2',
      `${from.host}/app:v1`,
      `${to.host}/app:v1`,
    ]);
    expect({ status, stdout }).toEqual({ status: 5, stdout: '' });
    expect(to.count('PUT', 'manifest')).toBe(0);
  });

  test.each(['HEAD', 'GET', 'POST', 'PUT'])(
    'net-429: a %s waits as requested and succeeds',
    async (method) => {
      const [from, to] = [await registryWith(makeImage()), await startFakeRegistry()];
      const clock = instantClock();
      const registry = method === 'GET' ? from : to;
      const date = new Date(clock.now() + 30_000).toUTCString();
      for (const header of ['5', date, undefined]) {
        const headers = header === undefined ? {} : { 'retry-after': header };
        registry.fault({ match: { method }, action: { kind: 'respond', status: 429, headers } });
      }
      const { status, sleeps } = await runMain(
        ['copy', `${from.host}/app:v1`, `${to.host}/app:v1`],
        { clock },
      );
      expect(status).toBe(0);
      expect(sleeps).toContain(5000);
      expect(sleeps).toHaveLength(3);
    },
  );

  test('net-429: the manifest is sent again', async () => {
    const [from, to] = [await registryWith(makeImage()), await startFakeRegistry()];
    to.fault({
      match: { method: 'PUT', path: /manifests/ },
      action: { kind: 'respond', status: 429, headers: { 'retry-after': '2' } },
    });
    expect(await runMain(['copy', `${from.host}/app:v1`, `${to.host}/app:v1`])).toMatchObject({
      status: 0,
      sleeps: [2000],
    });
    expect(to.count('PUT', 'manifest')).toBe(2);
  });

  test('net-429: chunks start again from the first', async () => {
    const [from, to] = [
      await registryWith(makeImage({ layers: [300_000] })),
      await startFakeRegistry(),
    ];
    to.fault({
      match: { method: 'PATCH' },
      action: { kind: 'respond', status: 429, headers: { 'retry-after': '1' } },
    });
    const { status } = await runMain([
      'copy',
      '--chunk-size',
      '100000',
      `${from.host}/app:v1`,
      `${to.host}/app:v1`,
    ]);
    expect(status).toBe(0);
  });

  test('net-429: regi does not wait for an hour, and the message names the limit', async () => {
    const registry = await registryWith(makeImage());
    registry.fault({
      match: {},
      times: 100,
      action: { kind: 'respond', status: 429, headers: { 'retry-after': '3600' } },
    });
    const { status, stderr, sleeps } = await runMain(['copy', `${registry.host}/app:v1`, 'oci:to']);
    expect({ status, sleeps }).toEqual({ status: 6, sleeps: [] });
    expect(stderr).toContain('3600 s');
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
  });

  test('net-range-416: an upload with a session at another offset starts a new one', async () => {
    const [from, to] = [
      await registryWith(makeImage({ layers: [300_000] })),
      await startFakeRegistry(),
    ];
    to.fault({
      match: { method: 'PATCH' },
      action: { kind: 'respond', status: 416, headers: { range: '0-9' } },
    });
    const { status } = await runMain([
      'copy',
      '--chunk-size',
      '100000',
      `${from.host}/app:v1`,
      `${to.host}/app:v1`,
    ]);
    expect(status).toBe(0);
  });

  test('net-404-blob: a layer that is missing is named, with its image, and nothing is tagged', async () => {
    const image = makeImage();
    const [from, to] = [await registryWith(image), await startFakeRegistry()];
    const digest = image.layers[1]?.digest ?? '';
    from.fault({
      match: { method: 'GET', path: new RegExp(`blobs/${digest}`) },
      times: 100,
      action: { kind: 'respond', status: 404 },
    });
    const { status, stderr, stdout } = await runMain([
      'copy',
      `${from.host}/app:v1`,
      `${to.host}/app:v1`,
    ]);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toContain(digest);
    expect(stderr).toContain(`${to.host}/app:v1`);
    expect(to.count('PUT', 'manifest')).toBe(0);
  });

  test('net-413: where a proxy bounds requests, a blob goes up in chunks', async () => {
    const [from, to] = [
      await registryWith(makeImage({ layers: [12_000_000] })),
      await startFakeRegistry(),
    ];
    const isLarge = ({
      method,
      headers,
    }: {
      method: string;
      headers: { 'content-length'?: string | undefined };
    }): boolean => method !== 'GET' && Number(headers['content-length'] ?? 0) > 6_000_000;
    to.fault({ match: isLarge, times: 100, action: { kind: 'respond', status: 413 } });
    expect((await runMain(['copy', `${from.host}/app:v1`, `${to.host}/app:v1`])).status).toBe(0);
    expect(to.count('PATCH')).toBeGreaterThan(1);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'net-sigint: after %s the upload is given up with DELETE, nothing is tagged, and the status is %d',
    async (name, expected) => {
      const [from, to] = [
        await registryWith(makeImage({ layers: [1_000_000] })),
        await startFakeRegistry(),
      ];
      const held = to.hold({ method: 'PUT', path: /uploads/ });
      const controller = new AbortController();
      const running = runMain(['copy', `${from.host}/app:v1`, `${to.host}/app:v1`], {
        signal: controller.signal,
      });
      await held.reached;

      controller.abort(new InterruptedError(name));

      expect(await running).toMatchObject({ status: expected, stdout: '' });
      expect(to.count('DELETE')).toBeGreaterThan(0);
      expect(to.count('PUT', 'manifest')).toBe(0);
      held.release();
    },
  );
});

test.each([
  'a/../b',
  'a%2fb',
  'a?x=1',
  'a#x',
  'a b',
  'a\\b',
  'a/./b',
  'a//b',
  '../b',
  'a:x/../../y',
  'a@sha256:../..',
  'a:.hidden',
  'ä/b',
  'a\u0000b',
])('net-name-injection: %j is refused before anything is sent', async (name) => {
  const registry = await startFakeRegistry();
  expect(await runMain(['digest', `${registry.host}/${name}`])).toMatchObject({
    status: 2,
    stdout: '',
  });
  expect(registry.requests).toEqual([]);
});

test.each([
  'h@evil.example/a',
  'user:pass@evil.example/a',
  'h:1:2/a',
  'h:99999/a',
  'exämple.com/a',
  'http://h.example/a',
  '[::1/a',
  'h.example:/a',
  '-h.example/a',
  '1.2.3.4.5/a',
])(
  'net-name-injection: the host of %j is refused before a name is looked up',
  async (reference) => {
    const looked: string[] = [];
    const { status, stderr } = await runMain(['digest', reference], {
      lookup: (host, _options, callback) => {
        looked.push(host);
        callback(Object.assign(new Error('no such host'), { code: 'ENOTFOUND' }), []);
      },
    });
    expect({ status, looked }).toEqual({ status: 2, looked: [] });
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
    expect(stderr).not.toContain('user:pass');
  },
);

test.each([
  ['http://127.0.0.1:5000', '127.0.0.1'],
  ['http://[::ffff:127.0.0.1]:5000', '127.0.0.1'],
  ['http://[::ffff:10.1.2.3]:5000', '10.1.2.3'],
  ['http://[::ffff:10.1.2.3]:5000', '10.0.0.0/8'],
  ['http://localhost:5000', ''],
  ['http://localhost.:5000', ''],
  ['https://registry.example.', 'registry.example'],
  ['https://registry.example', 'registry.example.'],
])('cred-noproxy: %s does not go by a proxy with NO_PROXY=%s', (url, noProxy) => {
  const choose = createProxyChooser({
    HTTP_PROXY: 'http://proxy.test',
    HTTPS_PROXY: 'http://proxy.test',
    NO_PROXY: noProxy,
  });
  expect(choose(new URL(url))).toBeUndefined();
});
