import type { LookupFunction } from 'node:net';

import { describe, expect, test } from 'vitest';

import { main } from '../../../src/main.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { makeCertificates } from '../../support/http/certificates.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { expectGolden } from '../../support/golden.ts';
import { homeWith } from '../../support/cli/home.ts';
import { makeImage } from '../../support/images/images.ts';
import { fakeIo } from '../../support/cli/io.ts';
import { lookupLoopback } from '../../support/http/transport.ts';
import { runMain, type RunMainOptions } from '../../support/cli/run-main.ts';

const PASSWORD = 's3cret-canary';
const AUTH = Buffer.from(`ci:${PASSWORD}`).toString('base64');
const UTF8 = { LANG: 'C.UTF-8' };

/** Runs it, and names the registry of this run as every run does. */
async function doctor(
  registry: FakeRegistry | string,
  argv: readonly string[],
  { env = {}, ...options }: RunMainOptions = {},
) {
  const host = typeof registry === 'string' ? registry : registry.host;
  const port = host.split(':')[1] ?? '';
  const result = await runMain(['doctor', ...argv.map((word) => word.replace('HOST', host))], {
    env: { ...UTF8, CONTAINERS_REGISTRIES_CONF_DIR: '/nowhere', ...env },
    ...options,
  });
  const named = (text: string): string => text.replaceAll(host, 'HOST').replaceAll(port, '1234');
  return {
    status: result.status,
    stdout: named(result.stdout),
    stderr: named(result.stderr),
    text: `${named(result.stdout)}--- stderr\n${named(result.stderr)}`,
  };
}

function loginFor({ host }: FakeRegistry, auth = AUTH) {
  return homeWith({ '.docker/config.json': JSON.stringify({ auths: { [host]: { auth } } }) });
}

async function withImage(): Promise<ReturnType<typeof createMemoryPlace>> {
  const place = createMemoryPlace();
  await makeImage().pushAll(place.open('team/app'), '1');
  return place;
}

describe('regi doctor prints', () => {
  test('every step of a registry that is open', async () => {
    const registry = await startFakeRegistry({ place: await withImage() });
    const found = await doctor(registry, ['HOST']);
    expect(found.status).toBe(0);
    expectGolden('test/golden/doctor/open.txt', found.text);
  });

  test('every step of a registry with tokens, and of a writable repository', async () => {
    const registry = await startFakeRegistry({
      place: await withImage(),
      auth: { kind: 'bearer', users: { ci: PASSWORD } },
    });
    const found = await doctor(registry, ['--push', 'HOST/team/app:1'], {
      home: loginFor(registry),
    });
    expect(found.status).toBe(0);
    expectGolden('test/golden/doctor/token-push.txt', found.text);
  });

  test('the same as one object a line with --json', async () => {
    const registry = await startFakeRegistry({
      place: await withImage(),
      auth: { kind: 'bearer', users: { ci: PASSWORD } },
    });
    const found = await doctor(registry, ['--json', 'HOST/team/app'], { home: loginFor(registry) });
    for (const line of found.stdout.trimEnd().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ step: expect.any(String), ms: expect.any(Number) });
    expectGolden('test/golden/doctor/token.json', found.stdout);
  });

  test('which credentials were refused, and from where', async () => {
    const registry = await startFakeRegistry({ auth: { kind: 'basic', users: { ci: 'another' } } });
    const found = await doctor(registry, ['HOST'], { home: loginFor(registry) });
    expect(found.status).toBe(4);
    expectGolden('test/golden/doctor/refused.txt', found.text);
  });

  test('that a login is required', async () => {
    const registry = await startFakeRegistry({ auth: { kind: 'basic', users: { ci: PASSWORD } } });
    const found = await doctor(registry, ['HOST']);
    expect(found.status).toBe(4);
    expectGolden('test/golden/doctor/no-login.txt', found.text);
  });

  test('what a certificate is for that is not for this name', async () => {
    const tls = makeCertificates({ hosts: ['other.test'] });
    const { host } = await startFakeRegistry({ tls });
    const name = host.replace('127.0.0.1', 'registry.test');
    const found = await doctor(name, ['HOST', '--ca-file', tls.caPath], { lookup: lookupLoopback });
    expect(found.status).toBe(5);
    expect(found.stdout).toMatch(
      /✘ tls +Cannot trust "HOST": its certificate is for another name \(it is for "other\.test"\); its certificate: TLSv1\.3, regi test server < regi test CA, until \d{4}-\d\d-\d\d\n/,
    );
  });

  test('that nothing listens, as the last step', async () => {
    const registry = await startFakeRegistry();
    await registry.stop();
    const found = await doctor(registry, ['HOST']);
    expect(found.status).toBe(5);
    expectGolden('test/golden/doctor/nothing-listens.txt', found.text);
  });

  test('signs of ASCII where the locale is no UTF-8', async () => {
    const registry = await startFakeRegistry();
    const found = await doctor(registry, ['HOST'], { env: { LANG: 'C' } });
    expect(found.stdout).toContain('+ tcp');
    expect(found.stdout).not.toMatch(/[✔✘–→]/);
  });

  test('long lines in the columns of a terminal, below their beginning', async () => {
    const registry = await startFakeRegistry();
    const found = await doctor(registry, ['HOST'], { columns: 60, isTTY: true });
    expect(Math.max(...found.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(
      60,
    );
    expect(found.stdout).toContain('\n                      ');
  });

  test('how long a step took', async () => {
    const registry = await startFakeRegistry();
    let now = 0;
    const io = fakeIo({
      home: homeWith(),
      env: UTF8,
      clock: { now: () => (now += 7), random: () => 0, sleep: async () => undefined },
    });
    expect(await main(['doctor', registry.host], io)).toBe(0);
    expect(io.stdoutText()).toMatch(/✔ tcp {11}7 ms {2}port/);
  });
});

describe('regi doctor', () => {
  test('changes nothing, and begins nothing without --push', async () => {
    const registry = await startFakeRegistry({ place: await withImage() });
    await doctor(registry, ['HOST/team/app']);
    expect(registry.count('POST') + registry.count('PUT') + registry.count('PATCH')).toBe(0);
    expect(
      registry.requests.filter(({ method }) => method === 'DELETE').map(({ url }) => url),
    ).toEqual([`/v2/team/app/manifests/sha256:${'0'.repeat(64)}`]);
    registry.forgetRequests();
    await doctor(registry, ['HOST']);
    expect(registry.requests.every(({ method }) => method === 'GET' || method === 'HEAD')).toBe(
      true,
    );
  });

  test('gives up the upload that it began', async () => {
    const registry = await startFakeRegistry({ place: await withImage() });
    const found = await doctor(registry, ['--push', 'HOST/new/app']);
    expect(found.status).toBe(0);
    expect(found.stdout).toContain('"HOST/new/app" does not exist yet');
    expect([registry.count('POST', 'uploads'), registry.count('DELETE', 'upload')]).toEqual([1, 1]);
  });

  test('says that a repository is readable and not writable', async () => {
    const registry = await startFakeRegistry({ place: await withImage(), readOnly: true });
    const found = await doctor(registry, ['--push', 'HOST/team/app']);
    expect(found.status).toBe(1);
    expect(found.stdout).toMatch(/✔ repository/);
    expect(found.stdout).toMatch(/✘ push/);
  });

  test('shows no secret, also with -vv', async () => {
    const registry = await startFakeRegistry({ auth: { kind: 'bearer', users: { ci: PASSWORD } } });
    for (const flags of [[], ['--json']]) {
      const { text } = await doctor(registry, ['-vv', ...flags, 'HOST'], {
        home: loginFor(registry),
      });
      for (const secret of [PASSWORD, AUTH]) expect(text).not.toContain(secret);
    }
  });

  test('does not follow a redirect of the referrers list to storage or a web page', async () => {
    const registry = await startFakeRegistry({ place: await withImage() });
    registry.fault({
      match: { path: /referrers/ },
      action: { kind: 'redirect', to: 'https://elsewhere.invalid/', status: 303 },
    });
    expect((await doctor(registry, ['HOST/team/app'])).stdout).toContain(
      '– referrers           not supported',
    );
  });

  test.each(['../../../etc', 'a b', 'UPPER', 'x?y=z', ''])(
    'asks nothing of a repository that the catalog calls %j',
    async (name) => {
      const registry = await startFakeRegistry();
      registry.fault({
        match: { path: /_catalog/ },
        action: { kind: 'replace-body', body: JSON.stringify({ repositories: [name] }) },
      });
      expect((await doctor(registry, ['HOST'])).stdout).toMatch(/– referrers +not probed/);
      expect(registry.count('GET', 'referrers') + registry.count('GET', 'other')).toBe(0);
    },
  );

  test('warns of a pull limit of which little is left', async () => {
    const registry = await startFakeRegistry();
    const headers = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '5;w=21600' };
    registry.fault({ match: { method: 'GET' }, times: 10, action: { kind: 'headers', headers } });
    expect((await doctor(registry, ['HOST'])).stdout).toContain(
      '5 of 100 pulls left in 6 hours\n                      → log in for a higher pull limit',
    );
  });

  test.each([
    [
      'a login that regi does not support',
      { status: 401, headers: { 'www-authenticate': 'Negotiate' } },
      /✘ challenge .* wants a login by negotiate; regi supports Basic/,
      4,
    ],
    [
      'a registry below a path',
      { status: 404, headers: { 'content-type': 'text/html' }, body: '<html>' },
      /✘ api .* it has no http:\/\/127\.0\.0\.1:\d+\/v2\/ \(status 404\)\n.*registry below a path/,
      5,
    ],
  ])('B11: names %s', async (_what, response, line, status) => {
    const registry = await startFakeRegistry();
    registry.fault({ match: {}, times: 99, action: { kind: 'respond', ...response } });
    const found = await doctor(registry, ['HOST']);
    expect(found.stdout.replaceAll('HOST', registry.host)).toMatch(line);
    expect(found.status).toBe(status);
  });

  test('says that the name of the proxy does not resolve', async () => {
    const lookup: LookupFunction = (_name, _options, callback) =>
      callback(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), []);
    const found = await doctor('registry.test:4711', ['HOST'], {
      env: { HTTPS_PROXY: 'http://me:s3cret-canary@proxy.test:3128' },
      lookup,
    });
    expect(found.status).toBe(5);
    expect(found.stdout).toContain(
      'connections go through http://proxy.test:3128 (HTTPS_PROXY), with user and password',
    );
    expect(found.stdout).toMatch(/✘ name .* through the proxy "proxy\.test:3128": no such host/);
    expect(found.text).not.toContain('s3cret-canary');
  });

  test('names the mirrors that pulls try first', async () => {
    const registry = await startFakeRegistry();
    const home = homeWith({
      '.config/regi/config.yaml': `hosts:\n  "${registry.host}":\n    mirrors: [mirror.example]\n`,
    });
    expect((await doctor(registry, ['HOST'], { home })).stdout).toContain(
      'pulls try mirror.example first',
    );
  });

  test.each([
    [['quay'], 'Cannot use "quay" as a registry'],
    [['registry.example/UPPER'], 'UPPER'],
    [['--push', 'registry.example'], 'Cannot try to push without a repository'],
  ])('refuses %j before anything is sent', async (argv, message) => {
    const found = await doctor('x:0', argv);
    expect(found.status).toBe(2);
    expect(found.stderr).toContain(message);
  });
});

test('D16: regi doctor of an unknown authority at a loopback address says so in the step tls', async () => {
  const secure = await startFakeRegistry({ tls: makeCertificates({ hosts: ['127.0.0.1'] }) });
  const { status, stdout } = await runMain(['doctor', secure.host]);
  expect(status).toBe(5);
  expect(stdout).toMatch(/^x tls .*certificate/m);
  expect(stdout).not.toContain('plain http');
});
