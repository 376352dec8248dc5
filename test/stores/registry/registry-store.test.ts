import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { HostPolicy } from '../../../src/http/hosts.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import type { ConnectionOptions } from '../../../src/registry/connection.ts';
import { referrersTag } from '../../../src/registry/referrers-index.ts';
import { createRegistryPlace } from '../../../src/stores/registry/registry-place.ts';
import {
  createRegistryStore,
  type RegistryStore,
} from '../../../src/stores/registry/registry-store.ts';
import { storeContract, type StoreUnderTest } from '../../contract/store-contract.ts';
import { makeCertificates } from '../../support/http/certificates.ts';
import {
  startFakeRegistry,
  type FakeRegistry,
  type FakeRegistryOptions,
} from '../../support/registries/fake-registry.ts';
import { fakeTransport } from '../../support/http/fake-transport.ts';
import { makeArtifact, makeBlob, makeImage } from '../../support/images/images.ts';
import { testConnection } from '../../support/http/registry-connection.ts';
import { testTransport } from '../../support/http/transport.ts';
import { listAll, readAll } from '../../support/registries/watched.ts';

async function create(): Promise<StoreUnderTest> {
  const registry = await startFakeRegistry();
  const connection = testConnection(testTransport().send, {
    host: registry.host,
    schemes: ['http', 'https'],
  });
  return {
    store: createRegistryStore({ connection, repository: 'team/app', access: 'write' }),
    sibling: createRegistryStore({ connection, repository: 'team/other', access: 'write' }),
    close: () => registry.stop(),
  };
}

storeContract('a repository of a registry', create, { knowsWhatItHas: false });

const credentials: ConnectionOptions['credentials'] = async () => ({
  credential: { kind: 'password', username: 'u', password: 'p' },
  origin: 'test',
});

interface Started {
  readonly registry: FakeRegistry;
  readonly store: RegistryStore;
  /** The same repository, opened without the other's tokens. */
  readonly open: (access: 'read' | 'write', repository?: string) => RegistryStore;
}

async function start(
  options: FakeRegistryOptions = {},
  connection: Partial<ConnectionOptions> = {},
): Promise<Started> {
  const registry = await startFakeRegistry(options);
  const open = (access: 'read' | 'write', repository = 'team/app'): RegistryStore =>
    createRegistryStore({
      connection: testConnection(testTransport().send, {
        host: registry.host,
        schemes: ['http', 'https'],
        ...connection,
      }),
      repository,
      access,
    });
  return { registry, open, store: open('write') };
}

describe('a registry that knows no manifest by its digest', () => {
  // docker.pkg.github.com: "must pull using IMAGE_NAME:VERSION and not IMAGE_NAME:SHA".
  const forgetDigests = ({ registry }: Started): void =>
    registry.fault({
      match: { method: 'GET', path: /manifests\/sha256:/ },
      times: 10,
      action: { kind: 'respond', status: 404 },
    });

  test('fetch() reads by the tag that named it', async () => {
    const started = await start();
    await makeImage().pushAll(started.store, '1');
    forgetDigests(started);
    const found = await started.store.resolve('1');
    expect(digestOf(await readAll(started.store.fetch(found)))).toBe(found.digest);
  });

  test('fetch() takes nothing else from a tag that was moved meanwhile', async () => {
    const started = await start();
    await makeImage().pushAll(started.store, '1');
    const found = await started.store.resolve('1');
    await makeImage({ seed: 2 }).pushAll(started.open('write'), '1');
    forgetDigests(started);
    await expect(readAll(started.store.fetch(found))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a registry over real sockets', () => {
  test('fetch() resumes where the connection was cut', async () => {
    const { registry, store } = await start();
    const { descriptor, bytes } = makeBlob(1_000_000);
    await store.push(descriptor, bytesOf(bytes));
    registry.fault({
      match: { method: 'GET', path: /blobs/ },
      times: 3,
      action: { kind: 'cut', afterBytes: 200_000 },
    });
    expect(Buffer.compare(await readAll(store.fetch(descriptor)), bytes)).toBe(0);
    expect(
      registry.requests
        .filter(({ method }) => method === 'GET')
        .map(({ headers }) => headers['range'] ?? 'all'),
    ).toHaveLength(4);
  });

  test('push() starts a blob again whose request was cut', async () => {
    const { registry, store } = await start();
    const { descriptor, bytes } = makeBlob(1_000_000);
    registry.fault({
      match: { method: 'PUT' },
      action: { kind: 'cut-request', afterBytes: 300_000 },
    });
    await store.push(descriptor, bytesOf(bytes));
    expect(await store.exists(descriptor)).toBe(true);
  });

  test('push() falls to chunks where a proxy limits requests', async () => {
    const { registry, store } = await start();
    const { descriptor, bytes } = makeBlob(1_000_000);
    registry.fault({
      match: ({ headers }) => Number(headers['content-length']) > 300_000,
      times: 99,
      action: { kind: 'respond', status: 413, body: '<html>' },
    });
    await store.push(descriptor, bytesOf(bytes));
    expect(await store.exists(descriptor)).toBe(true);
    expect(
      registry.requests.filter(({ method, status }) => method === 'PATCH' && status === 202),
    ).toHaveLength(4);
  });

  test('push() of a blob is two requests', async () => {
    const { registry, store } = await start();
    const { descriptor, bytes } = makeBlob(1000);
    await store.push(descriptor, bytesOf(bytes));
    expect(registry.requests.map(({ method }) => method)).toEqual(['POST', 'PUT']);
  });

  test('finds TLS on loopback by the first request', async () => {
    const certificates = makeCertificates({ hosts: ['127.0.0.1'] });
    const { registry } = await start({ tls: certificates });
    const policy = new HostPolicy({ ca: certificates.ca });
    const connection = testConnection(testTransport({ tls: (origin) => policy.tls(origin) }).send, {
      host: registry.host,
      ...policy.for(registry.host),
    });
    await expect(
      createRegistryStore({ connection, repository: 'team/app' }).resolve('v1'),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect([connection.origin(), registry.requests.length]).toEqual([registry.url, 1]);
  });
});

describe('tokens', () => {
  const auth = { kind: 'bearer', users: { u: 'p' } } as const;

  test('to read are for pull alone', async () => {
    const { registry, open } = await start({ auth }, { credentials });
    await expect(open('read').resolve('v1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(registry.authority?.requests.map(({ scopes }) => scopes)).toEqual([
      ['repository:team/app:pull'],
    ]);
  });

  test('of a destination are one for all it does', async () => {
    const { registry, store } = await start({ auth }, { credentials });
    await makeImage().pushAll(store, 'v1');
    await store.resolve('v1');
    expect(registry.authority?.requests.map(({ scopes }) => scopes)).toEqual([
      ['repository:team/app:pull', 'repository:team/app:push'],
    ]);
  });

  test('to mount are for the other repository, too', async () => {
    const { registry, open, store } = await start({ auth }, { credentials });
    const { descriptor, bytes } = makeBlob(10);
    await open('write', 'base/image').push(descriptor, bytesOf(bytes));
    expect(await store.mount(descriptor, 'base/image', undefined)).toBe('mounted');
    expect(registry.authority?.requests.at(-1)?.scopes).toEqual([
      'repository:team/app:pull',
      'repository:team/app:push',
      'repository:base/image:pull',
    ]);
  });
});

describe('names', () => {
  test.each(['../x', 'a/b', 'v1?x', 'sha256:ab', ''])(
    'resolve() sends nothing for %j',
    async (reference) => {
      const transport = fakeTransport(() => ({ status: 500 }));
      const store = createRegistryStore({
        connection: testConnection(transport.send),
        repository: 'team/app',
      });
      await expect(store.resolve(reference)).rejects.toMatchObject({
        code: expect.stringMatching(/^INVALID_/),
      });
      expect(transport.requests).toHaveLength(0);
    },
  );

  test('tag() keeps the bytes of the manifest', async () => {
    const { store } = await start();
    const manifest = makeBlob(0);
    const bytes = new TextEncoder().encode('{ "schemaVersion": 2,\n "manifests": [] }\n');
    const descriptor = {
      ...manifest.descriptor,
      mediaType: MEDIA_TYPE.ociIndex,
      digest: digestOf(bytes),
      size: bytes.byteLength,
    };
    await store.push(descriptor, bytesOf(bytes));
    await store.tag(descriptor, 'v2');
    expect(await store.resolve('v2')).toEqual(descriptor);
  });

  test('push() by tag of a sha512 digest names it again where the registry ignores a tag beside a digest', async () => {
    const { registry, store } = await start();
    registry.fault({
      match: { method: 'PUT', path: /manifests\/sha512/ },
      times: 9,
      action: { kind: 'headers', headers: { 'oci-tag': undefined } },
    });
    await makeImage({ algorithm: 'sha512' }).pushAll(store, 'v1');
    expect(registry.requests.at(-1)).toMatchObject({
      method: 'PUT',
      url: '/v2/team/app/manifests/v1',
      status: 201,
    });
  });
});

describe('referrers of a registry without the API', () => {
  /** distribution: no referrers API and no OCI-Subject. */
  async function startOld(): Promise<Started> {
    const started = await start();
    started.registry.fault({
      match: { path: /\/referrers\// },
      times: 999,
      action: { kind: 'respond', status: 404, body: '404 page not found' },
    });
    started.registry.fault({
      match: { method: 'PUT', path: /manifests/ },
      times: 999,
      action: { kind: 'headers', headers: { 'oci-subject': undefined } },
    });
    return started;
  }

  test('push() lists them under the tag of their subject', async () => {
    const { store } = await startOld();
    const image = makeImage();
    await image.pushAll(store, 'v1');
    const artifact = makeArtifact({ subject: image.root });
    await artifact.pushAll(store);
    expect((await listAll(store.listReferrers(image.root))).map(({ digest }) => digest)).toEqual([
      artifact.root.digest,
    ]);
    expect(await listAll(store.listTags())).toContain(referrersTag(image.root.digest));
  });

  test('delete() takes them off that list', async () => {
    const { store } = await startOld();
    const image = makeImage();
    await image.pushAll(store, 'v1');
    const artifact = makeArtifact({ subject: image.root });
    await artifact.pushAll(store);
    await store.delete(artifact.root);
    expect(await listAll(store.listReferrers(image.root))).toEqual([]);
  });
});

test('createRegistryPlace() lists repositories and opens them', async () => {
  const { registry, store } = await start();
  await makeImage().pushAll(store, 'v1');
  const place = createRegistryPlace({
    connection: testConnection(testTransport().send, { host: registry.host, schemes: ['http'] }),
  });
  expect(await listAll(place.repositories())).toEqual(['team/app']);
  expect((await place.open('team/app').resolve('v1')).mediaType).toBe(MEDIA_TYPE.ociManifest);
});
