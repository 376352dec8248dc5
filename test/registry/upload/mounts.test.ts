import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { mountBlob, offerBlob } from '../../../src/registry/upload/mounts.ts';
import { testRepository } from '../../support/http/registry-connection.ts';
import { uploadRegistry, type Interfere } from '../../support/registries/upload-registry.ts';
import { watched } from '../../support/registries/watched.ts';

const bytes = new Uint8Array(10);
const target = { mediaType: 'x', digest: digestOf(bytes), size: 10 };
const content = bytesOf(bytes);

function registry(interfere?: Interfere) {
  const fake = uploadRegistry(interfere);
  return { ...fake, repository: testRepository(fake.send, { retries: 0 }) };
}

const onMount =
  (status: number): Interfere =>
  ({ url }) =>
    url.searchParams.has('mount') ? { status } : undefined;

describe('mountBlob()', () => {
  test('sends one request when the registry mounts', async () => {
    const { repository, requests } = registry(onMount(201));
    expect(await mountBlob(repository, target, 'base/image', { content })).toBe('mounted');
    expect(requests.map(({ url }) => decodeURIComponent(url.search))).toEqual([
      `?mount=${target.digest}&from=base/image`,
    ]);
  });

  test('uploads in the session that the registry opens instead', async () => {
    const { repository, steps, kept } = registry();
    expect(await mountBlob(repository, target, 'base/image', { content })).toBe('copied');
    expect([steps, kept.has(target.digest)]).toEqual([['POST', 'PUT'], true]);
  });

  test('deletes that session without content', async () => {
    const { repository, steps, open } = registry();
    expect(await mountBlob(repository, target, 'base/image', { content: undefined })).toBe(
      'refused',
    );
    expect([steps, open.size]).toEqual([['POST', 'DELETE'], 0]);
  });

  test.each([400, 401, 403, 404, 405])(
    'uploads the blob after a mount with status %i',
    async (status) => {
      const { repository, steps } = registry(onMount(status));
      expect(await mountBlob(repository, target, 'base/image', { content })).toBe('copied');
      expect(steps.slice(-2)).toEqual(['POST', 'PUT']);
    },
  );

  test('fails when the registry fails', async () => {
    await expect(
      mountBlob(registry(onMount(500)).repository, target, 'base/image', { content }),
    ).rejects.toMatchObject({ code: 'SERVER_FAILED' });
  });

  test('uploads the blob when the token service refuses the other repository', async () => {
    const fake = uploadRegistry(({ url, headers }) => {
      if (url.pathname !== '/token')
        return headers?.['authorization'] === undefined
          ? {
              status: 401,
              headers: { 'www-authenticate': 'Bearer realm="https://registry.example/token"' },
            }
          : undefined;
      return url.searchParams.getAll('scope').some((scope) => scope.includes('base/image'))
        ? { status: 403 }
        : { status: 200, body: { token: 't' } };
    });
    const repository = testRepository(fake.send, { retries: 0 });
    expect(await mountBlob(repository, target, 'base/image', { content })).toBe('copied');
  });
});

describe('offerBlob()', () => {
  const offer = { opensAhead: true };

  test('sends one request when the blob exists', async () => {
    const { repository, requests } = registry(onMount(201));
    expect(await offerBlob(repository, target, content, offer)).toBe('there');
    expect(requests.map(({ url }) => decodeURIComponent(url.search))).toEqual([
      `?mount=${target.digest}&from=${repository.name}`,
    ]);
  });

  test('uploads in the opened session when the blob does not exist', async () => {
    const { repository, steps, kept } = registry();
    expect(await offerBlob(repository, target, content, offer)).toBe('copied');
    expect([steps, kept.has(target.digest)]).toEqual([['POST', 'PUT'], true]);
  });

  test.each([400, 401, 403, 404, 405])(
    'uploads plainly when it is answered with %i',
    async (status) => {
      const { repository, steps } = registry(onMount(status));
      expect(await offerBlob(repository, target, content, offer)).toBe('copied');
      expect(steps.slice(-2)).toEqual(['POST', 'PUT']);
    },
  );

  test('opens the content once, and closes it', async () => {
    const source = watched(content);
    await offerBlob(registry().repository, target, source.content, offer);
    expect([source.opened(), source.closed()]).toEqual([1, 1]);
  });

  test('closes content that was opened ahead in vain', async () => {
    const source = watched(content);
    await offerBlob(registry(onMount(201)).repository, target, source.content, offer);
    await new Promise(setImmediate);
    expect([source.opened(), source.closed()]).toEqual([1, 1]);
  });

  test('opens no content without opensAhead when the blob exists', async () => {
    const source = watched(content);
    await offerBlob(registry(onMount(201)).repository, target, source.content, {
      opensAhead: false,
    });
    expect(source.opened()).toBe(0);
  });

  test('opens the content while the registry opens the session', async () => {
    const source = watched(content);
    const seen: number[] = [];
    const { repository } = registry(({ method }) => {
      if (method === 'POST') seen.push(source.opened());
      return undefined;
    });
    await offerBlob(repository, target, source.content, offer);
    expect(seen).toEqual([1]);
  });

  test('leaves no blob when the content does not match', async () => {
    const { repository, kept, open } = registry();
    await expect(
      offerBlob(repository, target, bytesOf(new Uint8Array(10).fill(1)), offer),
    ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    expect([kept.size, open.size]).toEqual([0, 0]);
  });
});
