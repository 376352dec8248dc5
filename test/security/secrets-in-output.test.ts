import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { startFakeRegistry } from '../support/registries/fake-registry.ts';
import { startHttpServer, startRawServer } from '../support/http/http-server.ts';
import { makeImage } from '../support/images/images.ts';
import { runMain } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const PASSWORD = 'Pa55word-of-alice';

describe('secrets in output', () => {
  test('cred-helper-missing: a helper that is not installed is named, and nothing else is tried', async () => {
    const registry = await startFakeRegistry({
      auth: { kind: 'basic', users: { alice: PASSWORD } },
    });
    const home = temporaryFolder('home');
    mkdirSync(join(home, '.docker'));
    const auth = Buffer.from(`alice:${PASSWORD}`).toString('base64');
    writeFileSync(
      join(home, '.docker', 'config.json'),
      JSON.stringify({
        auths: { [registry.host]: { auth } },
        credHelpers: { [registry.host]: 'is-not-there' },
      }),
    );

    const { status, stderr } = await runMain(['digest', `${registry.host}/app:v1`], {
      home,
      env: { PATH: '/nowhere' },
    });

    expect(status).not.toBe(0);
    expect(stderr).toContain('docker-credential-is-not-there');
    expect(registry.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual(
      [],
    );
  });

  test('cred-log: -vv shows no password, no token and no signature', async () => {
    const registry = await startFakeRegistry({
      auth: { kind: 'bearer', users: { alice: PASSWORD } },
    });
    const image = makeImage();
    await image.pushAll(registry.place.open('app'), 'v1');
    const storage = await startHttpServer((request, response) => {
      const digest = /sha256:[0-9a-f]{64}/.exec(request.url ?? '')?.[0] ?? '';
      response.end(image.nodes.get(digest as never)?.bytes);
    });
    const signed = 'X-Amz-Signature=5ignature-of-s3&sig=5ignature-of-azure&token=5ignature-of-cdn';
    registry.fault({
      match: { method: 'GET', path: /blobs/ },
      times: 10,
      action: { kind: 'redirect', to: (call) => `${storage.origin}${call.path}?${signed}` },
    });

    const { status, stderr } = await runMain(['copy', '-vv', `${registry.host}/app:v1`, 'oci:to'], {
      env: { REGI_REGISTRY: registry.host, REGI_USERNAME: 'alice', REGI_PASSWORD: PASSWORD },
    });

    expect(status).toBe(0);
    const secrets = [
      PASSWORD,
      Buffer.from(`alice:${PASSWORD}`).toString('base64'),
      '5ignature',
      'token-1',
    ];
    expect(secrets.filter((secret) => stderr.includes(secret))).toEqual([]);
    expect(stderr).toContain('authorization: Bearer ***');
  });

  test('cred-cmdline: a password on the command line is refused, and not repeated', async () => {
    for (const flag of ['--src-creds', '--dest-creds']) {
      const { status, stderr } = await runMain([
        'copy',
        flag,
        `alice:${PASSWORD}`,
        'a.example/x',
        'b.example/y',
      ]);
      expect(status).toBe(2);
      expect(stderr).toContain('USER:env:NAME');
      expect(stderr).not.toContain(PASSWORD);
    }
  });

  test('cred-dup-headers: a response with two lengths is a connection error', async () => {
    const server = await startRawServer((socket) => {
      socket.on('data', () =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456'),
      );
    });
    const { status, stderr } = await runMain([
      'tags',
      'list',
      `127.0.0.1:${server.port}/app`,
      '--retry',
      '0',
    ]);
    expect(status).toBe(5);
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
  });
});
