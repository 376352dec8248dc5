import { describe, expect, test } from 'vitest';

import type { CredentialSource } from '../../../src/credentials/credential.ts';
import { InvalidHostRuleError } from '../../../src/http/hosts.ts';
import { copyImage } from '../../../src/operations/copy/copy-image.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { createRegistryClient } from '../../../src/stores/registry/registry-client.ts';
import { makeCertificates } from '../../support/http/certificates.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage } from '../../support/images/images.ts';
import { listAll } from '../../support/registries/watched.ts';

const bearer = { kind: 'bearer', users: { alice: 'secret' } } as const;

describe('createRegistryClient()', () => {
  test('requests credentials after a challenge, by the registry as written, and shares tokens between repositories', async () => {
    const registry = await startFakeRegistry({ auth: bearer });
    const asked: unknown[] = [];
    const credentials: CredentialSource = async (host) => {
      asked.push(host);
      return {
        credential: { kind: 'password', username: 'alice', password: 'secret' },
        origin: 'a test',
      };
    };
    const client = createRegistryClient({ credentials });
    const image = makeImage();
    await image.pushAll(registry.place.open('team/app'), '1.0');
    expect(asked).toEqual([]);

    const store = client.open(parseRepository(`${registry.host}/team/app`));
    expect(await listAll(store.listTags())).toEqual(['1.0']);
    const again = client.open(parseRepository(`${registry.host}/team/app`));
    expect((await again.resolve('1.0')).digest).toBe(image.root.digest);

    expect(new Set(asked)).toEqual(new Set([registry.host]));
    expect(registry.count('GET', 'token')).toBe(1);
    await client.close();
  });

  test('stays anonymous without credentials', async () => {
    const registry = await startFakeRegistry({ auth: bearer });
    const client = createRegistryClient();
    await expect(
      client.open(parseRepository(`${registry.host}/team/app`)).resolve('1.0'),
    ).rejects.toMatchObject({ code: 'NOT_AUTHORISED' });
    await client.close();
  });

  test('trusts the authorities in hosts, and no other', async () => {
    const { ca, ...tls } = makeCertificates({ hosts: ['127.0.0.1'] });
    const registry = await startFakeRegistry({ tls });
    const image = makeImage();
    await image.pushAll(registry.place.open('app'), '1.0');
    const [trusting, other] = [
      createRegistryClient({ hosts: { ca } }),
      createRegistryClient({ retries: 0 }),
    ];
    const name = parseRepository(`${registry.host}/app`);

    expect((await trusting.open(name).resolve('1.0')).digest).toBe(image.root.digest);
    await expect(other.open(name).resolve('1.0')).rejects.toMatchObject({ code: 'TLS' });
    await Promise.all([trusting.close(), other.close()]);
  });

  test('lists the repositories of a registry', async () => {
    const registry = await startFakeRegistry();
    for (const name of ['team/app', 'team/web'])
      await makeImage().pushAll(registry.place.open(name), '1.0');
    const client = createRegistryClient();
    expect(await listAll(client.openRegistry(registry.host).repositories())).toEqual([
      'team/app',
      'team/web',
    ]);
    await client.close();
  });

  test('mounts a blob of another repository of the registry, because its stores share a place', async () => {
    const registry = await startFakeRegistry();
    const image = makeImage();
    await image.pushAll(registry.place.open('team/app'), '1.0');
    const client = createRegistryClient();
    const [source, destination] = ['app', 'copy'].map((name) =>
      client.open(parseRepository(`${registry.host}/team/${name}`), { access: 'write' }),
    );
    if (source === undefined || destination === undefined)
      throw new Error('two stores were opened');
    const events: string[] = [];

    await copyImage(
      { source, reference: '1.0', destination, tag: '1.0', image: 'copy' },
      { onEvent: ({ kind }) => events.push(kind) },
    );

    expect(events.filter((kind) => kind === 'mounted')).toHaveLength(image.layers.length + 1);
    await client.close();
  });

  test.each(['registry.example:99999', '[registry.example]'])(
    'open() refuses the registry %s',
    (domain) => {
      expect(() => createRegistryClient().open({ domain, path: 'app' })).toThrow(
        InvalidHostRuleError,
      );
    },
  );

  test('close() fails requests in progress and later ones', async () => {
    const registry = await startFakeRegistry();
    const gate = registry.hold({ path: /\/manifests\// });
    const client = createRegistryClient({ retries: 0 });
    const store = client.open(parseRepository(`${registry.host}/team/app`));
    const waiting = store.resolve('1.0').then(
      () => 'resolved',
      () => 'failed',
    );
    await gate.reached;
    await client.close();
    expect(await waiting).toBe('failed');
    gate.release();
    await expect(store.resolve('1.0')).rejects.toThrow('The transport is closed');
  });
});

describe('copyImage()', () => {
  test('throws the reason of an aborted signal, and sends no request', async () => {
    const place = createMemoryPlace();
    const job = {
      source: place.open('a'),
      reference: '1.0',
      destination: place.open('b'),
      tag: '1.0',
      image: 'b',
    };
    await expect(
      copyImage(job, { signal: AbortSignal.abort(new Error('not now')) }),
    ).rejects.toThrow('not now');
  });

  test('names the image whose source is not there', async () => {
    const place = createMemoryPlace();
    const job = {
      source: place.open('a'),
      reference: '1.0',
      destination: place.open('b'),
      tag: '1.0',
      image: 'b:1.0',
    };
    await expect(copyImage(job)).rejects.toMatchObject({
      name: 'CopyError',
      code: 'NOT_FOUND',
      image: 'b:1.0',
    });
  });
});
