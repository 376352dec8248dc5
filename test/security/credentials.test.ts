import { beforeAll, describe, expect, test } from 'vitest';

import { TokenCache } from '../../src/auth/token-cache.ts';
import { createCredentialChain } from '../../src/credentials/chain.ts';
import type { CredentialSource } from '../../src/credentials/credential.ts';
import type { HttpRequest } from '../../src/http/message.ts';
import { logLayer } from '../../src/http/log.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Connection, ConnectionOptions } from '../../src/registry/connection.ts';
import { fetchBlob } from '../../src/registry/blobs.ts';
import { uploadBlob } from '../../src/registry/upload/upload.ts';
import { bytesOf } from '../../src/bytes.ts';
import { makeCertificates, type Certificates } from '../support/http/certificates.ts';
import { startFakeRegistry } from '../support/registries/fake-registry.ts';
import { fakeTransport, type FakeResponse } from '../support/http/fake-transport.ts';
import { startHttpServer } from '../support/http/http-server.ts';
import { makeImage } from '../support/images/images.ts';
import { instantClock } from '../support/clock.ts';
import { testConnection } from '../support/http/registry-connection.ts';
import { lookupLoopback } from '../support/http/transport.ts';
import { runMain } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { readAll } from '../support/registries/watched.ts';

const PASSWORD = 'Pa55word-of-alice';

const ALICE: CredentialSource = async () => ({
  credential: { kind: 'password', username: 'alice', password: PASSWORD },
  origin: 'a test',
});

/**
 * A registry at a public address that is spoken to without a network, by somebody who has a
 * password for it.
 */
function asAlice(
  handle: (request: HttpRequest) => FakeResponse,
  options: Partial<ConnectionOptions> = {},
): { connection: Connection; requests: HttpRequest[] } {
  const transport = fakeTransport(handle);
  return {
    connection: testConnection(transport.send, { credentials: ALICE, retries: 0, ...options }),
    requests: transport.requests,
  };
}

function bearer(realm: string, rest = ''): FakeResponse {
  return {
    status: 401,
    headers: { 'www-authenticate': `Bearer realm="${realm}",service="s"${rest}` },
  };
}

function read(connection: Connection): Promise<unknown> {
  return connection.send('GET', '/v2/app/manifests/1', {
    scopes: [{ kind: 'resource', type: 'repository', name: 'app', actions: ['pull'] }],
  });
}

const authorizationOf = ({ headers }: HttpRequest): string | undefined =>
  headers?.['authorization'];

describe('receivers of secrets', () => {
  test('cred-redirect-blob: redirected requests to storage carry neither Authorization nor Cookie', async () => {
    const image = makeImage();
    const registry = await startFakeRegistry({
      auth: { kind: 'basic', users: { alice: PASSWORD } },
    });
    await image.pushAll(registry.place.open('app'), 'v1');
    const seen: (string | undefined)[] = [];
    const storage = await startHttpServer((request, response) => {
      seen.push(
        request.headers.authorization,
        request.headers.cookie,
        request.headers['proxy-authorization'],
      );
      const digest = /sha256:[0-9a-f]{64}/.exec(request.url ?? '')?.[0] ?? '';
      response.end(image.nodes.get(digest as never)?.bytes);
    });
    registry.fault({
      match: { method: 'GET', path: /blobs/ },
      times: 10,
      action: { kind: 'redirect', to: (call) => `${storage.origin}${call.path}?signature=x` },
    });

    const { status } = await runMain(['copy', `${registry.host}/app:v1`, 'oci:to'], {
      env: { REGI_REGISTRY: registry.host, REGI_USERNAME: 'alice', REGI_PASSWORD: PASSWORD },
    });

    expect(status).toBe(0);
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.filter((value) => value !== undefined)).toEqual([]);
  });

  test('cred-upload-location-http: an upload Location by plain http on the same host is used by https', async () => {
    const content = Buffer.from('a blob');
    const target = {
      mediaType: 'application/octet-stream',
      digest: digestOf(content),
      size: content.byteLength,
    };
    const { connection, requests } = asAlice(({ method, headers }) => {
      if (headers?.['authorization'] === undefined)
        return { status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } };
      return method === 'POST'
        ? {
            status: 202,
            headers: { location: 'http://registry.example/v2/app/blobs/uploads/1?state=s' },
          }
        : { status: 201 };
    });

    await uploadBlob({ connection, name: 'app', access: 'write' }, target, bytesOf(content));

    expect(requests.filter(({ url }) => url.protocol !== 'https:')).toEqual([]);
    expect(requests.at(-1)).toMatchObject({ method: 'PUT' });
  });

  test('cred-realm-http: an https registry cannot name a token service by plain http', async () => {
    const { connection, requests } = asAlice(() => bearer('http://auth.evil.example/token'));
    await expect(read(connection)).rejects.toMatchObject({ code: 'UNSAFE_REALM' });
    expect(requests.map(({ url }) => url.host)).toEqual(['registry.example']);
  });

  test.each([
    'https://169.254.169.254/latest',
    'https://127.0.0.1/t',
    'https://10.1.2.3/t',
    'https://[fe80::1]/t',
    'https://[::ffff:10.0.0.1]/t',
    'https://localhost/t',
  ])('cred-realm-private-ip: a registry at a public address cannot name %s', async (realm) => {
    const { connection, requests } = asAlice(() => bearer(realm));
    await expect(read(connection)).rejects.toMatchObject({ code: 'UNSAFE_REALM' });
    expect(requests).toHaveLength(1);
  });

  test('cred-realm-private-ip: a name that leads to a private address is not connected to either', async () => {
    const { connection, requests } = asAlice(({ url }) =>
      url.host === 'auth.example'
        ? { status: 200, body: { token: 't' } }
        : bearer('https://auth.example/t'),
    );
    await read(connection).catch(() => undefined);
    expect(requests.find(({ url }) => url.host === 'auth.example')).toMatchObject({
      reach: 'public',
    });
  });

  test('cred-realm-other-domain: the registry may name a public https service elsewhere, and -v names the receiver of the secret', async () => {
    const lines: string[] = [];
    const clock = instantClock();
    const { connection, requests } = asAlice(
      ({ url, headers }) => {
        if (url.host === 'auth.other.example')
          return { status: 200, body: { token: 'token-of-other' } };
        return headers?.['authorization'] === undefined
          ? bearer('https://auth.other.example/token')
          : { status: 200 };
      },
      { log: logLayer({ clock, log: (line) => lines.push(line), verbosity: 1 }) },
    );
    await read(connection);
    expect(
      requests.map((request) => [request.url.host, authorizationOf(request)?.split(' ')[0]]),
    ).toEqual([
      ['registry.example', undefined],
      ['auth.other.example', 'Basic'],
      ['registry.example', 'Bearer'],
    ]);
    expect(lines.join('\n')).toContain('GET https://auth.other.example/token');
    expect(lines.join('\n')).not.toContain(PASSWORD);
  });

  test('cred-realm-other-domain: a redirect target cannot name one', async () => {
    const { connection, requests } = asAlice(({ url }) =>
      url.host === 'registry.example'
        ? { status: 307, headers: { location: 'https://cdn.example/x' } }
        : bearer('https://auth.evil.example/token'),
    );
    await read(connection);
    expect(requests.map(({ url }) => url.host)).toEqual(['registry.example', 'cdn.example']);
    expect(requests.map(authorizationOf)).toEqual([undefined, undefined]);
  });

  test('cred-realm-other-domain: the refresh token of another registry is not shown to it', async () => {
    const credentials: CredentialSource = async (host) =>
      host === 'registry.example'
        ? {
            credential: { kind: 'identity-token', token: 'refresh-token-of-registry' },
            origin: 'a test',
          }
        : undefined;
    const tokens = new TokenCache(instantClock());
    const { send, requests } = fakeTransport(({ url, headers }) => {
      if (url.host === 'auth.shared.example') return { status: 200, body: { token: 'anonymous' } };
      return headers?.['authorization'] === undefined
        ? bearer('https://auth.shared.example/token')
        : { status: 200 };
    });
    await read(testConnection(send, { host: 'evil.example', credentials, tokens }));
    const asked = requests.filter(({ url }) => url.host === 'auth.shared.example');
    expect(asked.map(({ method, body }) => [method, body])).toEqual([['GET', undefined]]);
  });

  test('cred-realm-redirect: a token service that redirects to another host gets nothing there', async () => {
    const { connection, requests } = asAlice(({ url }) =>
      url.host === 'auth.example'
        ? { status: 302, headers: { location: 'https://evil.example/steal' } }
        : bearer('https://auth.example/token'),
    );
    await expect(read(connection)).rejects.toMatchObject({ code: 'UNSAFE_REALM' });
    expect(requests.map(({ url }) => url.host)).not.toContain('evil.example');
  });

  test('cred-foreign-url: a foreign layer is requested without credentials, and its challenge is ignored', async () => {
    const content = Buffer.from('foreign');
    const target = {
      mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar',
      digest: digestOf(content),
      size: content.byteLength,
      urls: ['https://evil.example/x'],
    };
    const { connection, requests } = asAlice(({ url }) =>
      url.host === 'evil.example' ? bearer('https://evil.example/token') : { status: 404 },
    );
    await expect(
      readAll(
        fetchBlob({ connection, name: 'app', access: 'read' }, target, { followsUrls: true }),
      ),
    ).rejects.toMatchObject({ code: 'REFUSED' });
    const evil = requests.filter(({ url }) => url.host === 'evil.example');
    expect(evil.map((request) => [request.url.pathname, authorizationOf(request)])).toEqual([
      ['/x', undefined],
    ]);
  });

  test('cred-mirror: credentials of a flag are for the registry that was named', async () => {
    const chain = createCredentialChain({
      env: { PASSWORD },
      home: temporaryFolder('home'),
      cwd: '/',
      warn: () => {},
      pointer: {
        password: { username: 'alice', from: { kind: 'env', name: 'PASSWORD' } },
        registry: 'registry.example',
      },
    });
    expect(await chain('registry.example', undefined)).toBeDefined();
    expect(await chain('mirror.other.example', undefined)).toBeUndefined();
  });

  test('cred-token-scope: a token is used only for its repository at its registry', async () => {
    const tokens = new TokenCache(instantClock());
    let count = 0;
    const { send, requests } = fakeTransport(({ url, headers }) => {
      if (url.host === 'auth.example')
        return { status: 200, body: { token: `token-${(count += 1)}` } };
      return headers?.['authorization'] === undefined
        ? bearer('https://auth.example/token')
        : { status: 200 };
    });
    for (const [host, name] of [
      ['one.example', 'a'],
      ['one.example', 'b'],
      ['two.example', 'a'],
    ] as const) {
      const connection = testConnection(send, { host, credentials: ALICE, tokens });
      await connection.send('GET', `/v2/${name}/tags/list`, {
        scopes: [{ kind: 'resource', type: 'repository', name, actions: ['pull'] }],
      });
    }
    const shown = requests.map(authorizationOf).filter((value) => value?.startsWith('Bearer'));
    expect(shown).toEqual(['Bearer token-1', 'Bearer token-2', 'Bearer token-3']);
  });

  test('cred-token-size: an endless response of a token service is read up to 64 KiB', async () => {
    let read64 = 0;
    const endless = {
      async *[Symbol.asyncIterator]() {
        for (;;) {
          read64 += 1024;
          yield Buffer.alloc(1024, '{');
        }
      },
    };
    const { connection } = asAlice(({ url }) =>
      url.host === 'auth.example'
        ? { status: 200, body: endless }
        : bearer('https://auth.example/token'),
    );
    await expect(read(connection)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(read64).toBeLessThanOrEqual(66 * 1024);
  });
});

describe('plain http', () => {
  let certificates: Certificates;
  beforeAll(() => {
    certificates = makeCertificates({ hosts: ['registry.test'] });
  });

  test('cred-http-fallback: a registry without TLS gets plain http only when it was named', async () => {
    const registry = await startFakeRegistry({ allowedHosts: ['registry.test'] });
    const host = registry.host.replace('127.0.0.1', 'registry.test');
    const env = { REGI_REGISTRY: host, REGI_USERNAME: 'alice', REGI_PASSWORD: PASSWORD };

    const { status, stderr } = await runMain(['digest', `${host}/app:v1`, '--retry', '0'], {
      env,
      lookup: lookupLoopback,
    });

    expect({ status, lines: stderr.trimEnd().split('\n').length }).toEqual({ status: 5, lines: 2 });
    expect(stderr).toContain('--plain-http');
    expect(registry.requests).toEqual([]);
  });

  test('cred-http-fallback-insecure: a registry with working TLS never gets plain http, verified or not', async () => {
    const registry = await startFakeRegistry({
      tls: certificates,
      allowedHosts: ['registry.test'],
    });
    await makeImage().pushAll(registry.place.open('app'), 'v1');
    const host = registry.host.replace('127.0.0.1', 'registry.test');

    const { status, stderr } = await runMain(
      ['digest', `${host}/app:v1`, '--insecure-registry', host, '-v'],
      { lookup: lookupLoopback },
    );

    expect(status).toBe(0);
    expect(stderr).not.toContain('http://');
  });

  test('cred-http-fallback-insecure: a password over plain http causes a warning', async () => {
    const registry = await startFakeRegistry({
      allowedHosts: ['registry.test'],
      auth: { kind: 'basic', users: { alice: PASSWORD } },
    });
    await makeImage().pushAll(registry.place.open('app'), 'v1');
    const host = registry.host.replace('127.0.0.1', 'registry.test');
    const env = { REGI_REGISTRY: host, REGI_USERNAME: 'alice', REGI_PASSWORD: PASSWORD };

    const { status, stderr } = await runMain(
      ['digest', `${host}/app:v1`, '--insecure-registry', host],
      { env, lookup: lookupLoopback },
    );

    expect(status).toBe(0);
    expect(stderr.match(/go over plain http/g)).toHaveLength(1);
  });
});
