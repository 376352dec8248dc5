import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { makeCertificates } from '../support/http/certificates.ts';
import {
  startFakeRegistry,
  type FakeRegistry,
  type FakeRegistryOptions,
} from '../support/registries/fake-registry.ts';
import { makeImage } from '../support/images/images.ts';
import { lookupLoopback } from '../support/http/transport.ts';
import { runMain } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const image = makeImage({ layers: Array.from({ length: 12 }, (_, index) => 1000 + index) });

async function pair(
  options: FakeRegistryOptions = {},
): Promise<{ from: FakeRegistry; to: FakeRegistry; args: readonly string[] }> {
  const [from, to] = [await startFakeRegistry(options), await startFakeRegistry(options)];
  await image.pushAll(from.place.open('app'), '1');
  return { from, to, args: ['copy', `${from.host}/app:1`, `${to.host}/app:1`] };
}

describe('flags of every command, from end to end', () => {
  test('--concurrency 1 opens one connection to each registry', async () => {
    const { from, to, args } = await pair();
    expect((await runMain([...args, '--concurrency', '1'])).status).toBe(0);
    expect([from.connections(), to.connections()]).toEqual([1, 1]);
  });

  test('--limit-rate waits as long as the bytes take at that rate', async () => {
    const { args } = await pair();
    const { status, sleeps } = await runMain([...args, '--limit-rate', '10K']);
    expect(status).toBe(0);
    const bytes = [...image.nodes.values()].reduce((sum, node) => sum + node.bytes.byteLength, 0);
    const waited = sleeps.reduce((sum, ms) => sum + ms, 0);
    expect(waited).toBeGreaterThan((bytes / 10_240) * 1000 * 0.8);
  });

  test('--chunk-size sends a blob in pieces', async () => {
    const { to, args } = await pair();
    expect((await runMain([...args, '--chunk-size', '500'])).status).toBe(0);
    const patches = to.requests.filter(({ method }) => method === 'PATCH');
    expect(patches.length).toBeGreaterThan(24);
    expect(Math.max(...patches.map(({ bytes }) => bytes))).toBe(500);
  });

  test('--timeout gives up on a registry that is silent', async () => {
    const { from, args } = await pair();
    from.fault({ match: {}, times: 100, action: { kind: 'stall' } });
    const { status, stderr } = await runMain([...args, '--timeout', '100ms', '--retry', '0']);
    expect(status).toBe(5);
    expect(stderr).toMatch(/no response for 0\.1 s\n {2}.*--timeout\n$/);
  });

  test.each([0, 2])('--retry %d asks so often again', async (retries) => {
    const { from } = await pair();
    from.fault({ match: {}, times: 100, action: { kind: 'respond', status: 503 } });
    const { status, sleeps } = await runMain([
      'digest',
      `${from.host}/app:1`,
      '--retry',
      String(retries),
    ]);
    expect({ status, asked: from.requests.length, waits: sleeps.length }).toEqual({
      status: 5,
      asked: retries + 1,
      waits: retries,
    });
  });

  test('-q keeps the output and errors', async () => {
    const { from, to, args } = await pair();
    expect(await runMain([...args, '-q'])).toMatchObject({
      status: 0,
      stdout: `${to.host}/app:1@${image.root.digest}\n`,
      stderr: '',
    });
    expect((await runMain(['digest', '-q', `${from.host}/app:nope`])).stderr).toMatch(/^regi: /);
  });

  test('-v logs each request once, -vv also its headers', async () => {
    const { from } = await pair();
    expect((await runMain(['digest', '-v', `${from.host}/app:1`])).stderr).toMatch(
      /^HEAD http:\S+\/v2\/app\/manifests\/1 200 0 bytes \d+ ms\n$/,
    );
    expect((await runMain(['digest', '-vv', `${from.host}/app:1`])).stderr).toMatch(
      /^HEAD .* ms\n> accept: .*\n< /,
    );
  });

  test('--json leaves nothing but JSON on both streams', async () => {
    const { from, args } = await pair();
    from.fault({
      match: { method: 'HEAD' },
      action: { kind: 'headers', headers: { warning: '299 - "be careful"' } },
    });
    const done = await runMain([...args, '--json']);
    const failed = await runMain(['digest', '--json', `${from.host}/app:nope`]);
    expect([done.status, failed.status]).toEqual([0, 3]);
    const objects = [done.stdout, done.stderr, failed.stderr]
      .flatMap((text) => text.trimEnd().split('\n'))
      .map((line) => JSON.parse(line) as object);
    expect(objects).toMatchObject([
      { outcome: 'copied' },
      { warning: { message: expect.stringContaining('be careful') as string } },
      { error: { code: 'NOT_FOUND' } },
    ]);
    expect(failed.stdout).toBe('');
  });

  test('--progress json prints events, and a summary last', async () => {
    const { args } = await pair();
    const { stderr } = await runMain([...args, '--progress', 'json']);
    const events = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events[0]).toMatchObject({ kind: 'resolved' });
    expect(events.filter(({ kind }) => kind === 'found')).toHaveLength(13);
    expect(events.at(-1)).toMatchObject({
      kind: 'summary',
      copied: { nodes: 14 },
      images: { tagged: 1 },
    });
  });

  test('shows a Warning header of the registry once, however many responses repeat it', async () => {
    const { from, args } = await pair();
    from.fault({
      match: {},
      times: 100,
      action: { kind: 'headers', headers: { warning: '299 - "this registry closes in May"' } },
    });
    const { stderr } = await runMain([...args]);
    expect(stderr.match(/closes in May/g)).toHaveLength(1);
  });
});

describe('credentials and trust, from end to end', () => {
  test('--src-creds and --dest-creds go to their own side', async () => {
    const [from, to] = [
      await startFakeRegistry({ auth: { kind: 'basic', users: { alice: 'a-secret' } } }),
      await startFakeRegistry({ auth: { kind: 'bearer', users: { bob: 'b-secret' } } }),
    ];
    await image.pushAll(from.place.open('app'), '1');
    const cwd = temporaryFolder('cwd');
    writeFileSync(join(cwd, 'password'), 'b-secret\n');
    const args = [
      'copy',
      `${from.host}/app:1`,
      `${to.host}/app:1`,
      '--src-creds',
      'alice:env:A',
      '--dest-creds',
      'bob:file:password',
    ];

    expect((await runMain(args, { cwd, env: { A: 'a-secret' } })).status).toBe(0);
    const { status, stderr } = await runMain(args, { cwd, env: { A: 'wrong' } });
    expect(status).toBe(4);
    expect(stderr).toContain('the variable A');
    expect(stderr).not.toContain('wrong');
  });

  test('--authfile is read instead of the files of docker and podman', async () => {
    const registry = await startFakeRegistry({
      auth: { kind: 'basic', users: { alice: 'a-secret' } },
    });
    await image.pushAll(registry.place.open('app'), '1');
    const cwd = temporaryFolder('cwd');
    writeFileSync(
      join(cwd, 'auth.json'),
      JSON.stringify({
        auths: { [registry.host]: { auth: Buffer.from('alice:a-secret').toString('base64') } },
      }),
    );
    expect(
      (await runMain(['digest', `${registry.host}/app:1`, '--authfile', 'auth.json'], { cwd }))
        .status,
    ).toBe(0);
    expect((await runMain(['digest', `${registry.host}/app:1`], { cwd })).status).toBe(4);
  });

  test('a registry with a certificate of its own needs --ca-file, --tls-skip-verify or REGI_INSECURE_REGISTRIES', async () => {
    const certificates = makeCertificates({ hosts: ['registry.test'] });
    const registry = await startFakeRegistry({
      tls: certificates,
      allowedHosts: ['registry.test'],
    });
    await image.pushAll(registry.place.open('app'), '1');
    const host = registry.host.replace('127.0.0.1', 'registry.test');
    const digest = (flags: readonly string[], env: Record<string, string> = {}) =>
      runMain(['digest', `${host}/app:1`, '--retry', '0', ...flags], {
        env,
        lookup: lookupLoopback,
      });

    const refused = await digest([]);
    expect(refused.status).toBe(5);
    expect(refused.stderr).toMatch(/--ca-file FILE; .*--tls-skip-verify registry\.test:\d+\n$/);
    expect((await digest(['--ca-file', certificates.caPath])).status).toBe(0);
    expect((await digest(['--tls-skip-verify', host])).status).toBe(0);
    expect((await digest(['--insecure-registry', 'registry.test'])).status).toBe(0);
    expect((await digest([], { REGI_INSECURE_REGISTRIES: `10.0.0.0/8, ${host}` })).status).toBe(0);
    expect((await digest([], { REGI_INSECURE_REGISTRIES: 'https://registry.test' })).status).toBe(
      2,
    );
  });

  test('--plain-http is for the host that it names', async () => {
    const registry = await startFakeRegistry({ allowedHosts: ['registry.test'] });
    await image.pushAll(registry.place.open('app'), '1');
    const host = registry.host.replace('127.0.0.1', 'registry.test');
    const digest = (named: string) =>
      runMain(['digest', `${host}/app:1`, '--retry', '0', '--plain-http', named], {
        lookup: lookupLoopback,
      });
    expect((await digest(host)).status).toBe(0);
    expect((await digest('other.test')).status).toBe(5);
  });
});
