import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import {
  type FakeAuth,
  type FakeRegistry,
  type FaultAction,
  startFakeRegistry,
} from '../support/registries/fake-registry.ts';
import { makeBlob } from '../support/images/images.ts';
import { sendRaw } from '../support/http/raw-request.ts';

/** How node:http tells that a connection was closed in the middle. */
const CUT = /aborted|hang up|ECONNRESET|EPIPE/;

const blob = makeBlob(5000);
const path = `/v2/app/blobs/${blob.descriptor.digest}`;

async function startWithBlob(auth?: FakeAuth): Promise<FakeRegistry> {
  const registry = await startFakeRegistry({ auth });
  await registry.place.open('app').push(blob.descriptor, bytesOf(blob.bytes));
  return registry;
}

async function startWithFault(action: FaultAction): Promise<FakeRegistry> {
  const registry = await startWithBlob();
  registry.fault({ match: { method: 'GET', path: /\/blobs\// }, action });
  return registry;
}

describe('startFakeRegistry()', () => {
  test('logs and counts what came', async () => {
    const registry = await startWithBlob();
    await sendRaw(registry.url, { method: 'HEAD', path });
    await sendRaw(registry.url, {
      method: 'POST',
      path: `/v2/app/blobs/uploads/?digest=${blob.descriptor.digest}`,
      body: [blob.bytes],
    });
    expect([
      registry.count('HEAD', 'blob'),
      registry.count('POST'),
      registry.connections(),
    ]).toEqual([1, 1, 2]);
    expect(registry.requests).toMatchObject([
      { kind: 'blob', status: 200, bytes: 0 },
      {
        kind: 'uploads',
        status: 201,
        url: `/v2/app/blobs/uploads/?digest=${blob.descriptor.digest}`,
      },
    ]);
    registry.forgetRequests();
    expect(registry.count('HEAD')).toBe(0);
  });

  test('plays a fault once, then serves normally', async () => {
    const registry = await startWithFault({
      kind: 'respond',
      status: 429,
      headers: { 'retry-after': '1' },
    });
    expect((await sendRaw(registry.url, { path })).headers['retry-after']).toBe('1');
    expect((await sendRaw(registry.url, { path })).body.equals(blob.bytes)).toBe(true);
  });

  test.each<FaultAction>([
    { kind: 'hang-up' },
    { kind: 'cut', afterBytes: 0 },
    { kind: 'cut', afterBytes: 4999 },
    { kind: 'lose-response' },
  ])('breaks an answer with %j', async (action) => {
    await expect(sendRaw((await startWithFault(action)).url, { path })).rejects.toThrow(CUT);
  });

  test('changes bytes, headers and place of an answer', async () => {
    const corrupt = await sendRaw((await startWithFault({ kind: 'corrupt', at: 10 })).url, {
      path,
    });
    expect([corrupt.body.byteLength, corrupt.body[10]]).toEqual([
      5000,
      255 - (blob.bytes[10] ?? 0),
    ]);
    const other = await sendRaw((await startWithFault({ kind: 'replace-body', body: 'x' })).url, {
      path,
    });
    expect([other.headers['content-length'], other.body.toString()]).toEqual(['1', 'x']);
    const bare = await sendRaw(
      (
        await startWithFault({
          kind: 'headers',
          headers: { 'docker-content-digest': undefined, warning: '299 - "old"' },
        })
      ).url,
      {
        path,
      },
    );
    expect([bare.headers['docker-content-digest'], bare.headers['warning']]).toEqual([
      undefined,
      '299 - "old"',
    ]);
    const moved = await sendRaw(
      (await startWithFault({ kind: 'redirect', to: 'http://cdn.example/x' })).url,
      { path },
    );
    expect([moved.status, moved.headers.location]).toEqual([307, 'http://cdn.example/x']);
  });

  test.each<FaultAction>([{ kind: 'stall' }, { kind: 'stall', afterBytes: 10 }])(
    'stops with a client that is held by %j',
    async (action) => {
      const registry = await startWithFault(action);
      const held = sendRaw(registry.url, { path }).catch((error: unknown) => String(error));
      while (registry.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
      await registry.stop();
      expect(await held).toMatch(CUT);
    },
  );

  test('hold() keeps requests until they are released', async () => {
    const registry = await startWithBlob();
    const gate = registry.hold({ method: 'GET' });
    const answer = sendRaw(registry.url, { path });
    await gate.reached;
    expect(registry.requests[0]?.status).toBeUndefined();
    gate.release();
    expect((await answer).status).toBe(200);
  });

  test('asks for Basic credentials', async () => {
    const registry = await startWithBlob({ kind: 'basic', users: { alice: 'x' } });
    expect((await sendRaw(registry.url, { path })).headers['www-authenticate']).toBe(
      'Basic realm="fake"',
    );
    const authorization = `Basic ${Buffer.from('alice:x').toString('base64')}`;
    expect((await sendRaw(registry.url, { path, headers: { authorization } })).status).toBe(200);
  });

  test('asks for a token, gives one, and forgets it', async () => {
    const registry = await startWithBlob({
      kind: 'bearer',
      users: { alice: 'x' },
      anonymous: ['pull'],
    });
    const challenge = (await sendRaw(registry.url, { path })).headers['www-authenticate'];
    expect(challenge).toBe(
      `Bearer realm="${registry.url}/token",service="fake-registry",scope="repository:app:pull"`,
    );
    const { body } = await sendRaw(registry.url, {
      path: '/token?service=fake-registry&scope=repository:app:pull,push',
    });
    const { token } = JSON.parse(body.toString()) as { token: string };
    const headers = { authorization: `Bearer ${token}` };
    expect((await sendRaw(registry.url, { path, headers })).status).toBe(200);
    const refused = await sendRaw(registry.url, {
      method: 'POST',
      path: '/v2/app/blobs/uploads/',
      headers,
    });
    expect(refused.headers['www-authenticate']).toContain(
      'scope="repository:app:pull,push",error="insufficient_scope"',
    );
    registry.authority?.revokeTokens();
    expect((await sendRaw(registry.url, { path, headers })).headers['www-authenticate']).toContain(
      'error="invalid_token"',
    );
    expect(registry.authority?.requests).toMatchObject([
      { method: 'GET', scopes: ['repository:app:pull', 'repository:app:push'] },
    ]);
  });
});
