import { describe, expect, test } from 'vitest';

import { deferred } from '../../src/concurrency/deferred.ts';
import type { HttpRequest } from '../../src/http/message.ts';
import { toDescriptorJson, type Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import {
  addToReferrersIndex,
  removeFromReferrersIndex,
  referrersTag,
} from '../../src/registry/referrers-index.ts';
import { hasReferrersApi, listReferrers } from '../../src/registry/referrers.ts';
import { fakeTransport, textOf, type FakeResponse } from '../support/http/fake-transport.ts';
import { testRepository } from '../support/http/registry-connection.ts';
import { listAll } from '../support/registries/watched.ts';

const node = (seed: number, artifactType?: string): Descriptor => ({
  mediaType: MEDIA_TYPE.ociManifest,
  digest: digestOf(new Uint8Array([seed])),
  size: 1,
  ...(artifactType !== undefined && { artifactType }),
});
const subject = node(0);
const [signature, sbom] = [node(1, 'application/signature'), node(2, 'application/sbom')];
const tag = referrersTag(subject.digest);

const index = (
  referrers: readonly Descriptor[],
  headers: Readonly<Record<string, string>> = {},
): FakeResponse => ({
  status: 200,
  headers: { 'content-type': MEDIA_TYPE.ociIndex, ...headers },
  body: {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: referrers.map(toDescriptorJson),
  },
});

function registry(handle: (request: HttpRequest) => FakeResponse | Promise<FakeResponse>) {
  const transport = fakeTransport(handle);
  return {
    repository: testRepository(transport.send, { retries: 0 }),
    requests: transport.requests,
  };
}

const isApi = ({ url }: HttpRequest): boolean => url.pathname.includes('/referrers/');

describe('referrersTag()', () => {
  test('is the digest with a dash', () => {
    expect(tag).toBe(subject.digest.replace(':', '-'));
  });

  test('has half of a sha512', () => {
    expect(referrersTag(digestOf(new Uint8Array(), 'sha512'))).toBe(
      'sha512-cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce',
    );
  });
});

describe('listReferrers()', () => {
  test('reads the API and follows its pages', async () => {
    const { repository } = registry(({ url }) =>
      url.searchParams.has('last')
        ? index([sbom])
        : index([signature], { link: '<?last=x>; rel="next"' }),
    );
    expect(await listAll(listReferrers(repository, subject))).toEqual([signature, sbom]);
  });

  test('filters by artifact type even if the registry does not', async () => {
    const { repository, requests } = registry(() => index([signature, sbom]));
    expect(
      await listAll(listReferrers(repository, subject, { artifactType: 'application/sbom' })),
    ).toEqual([sbom]);
    expect(requests[0]?.url.search).toBe('?artifactType=application%2Fsbom');
  });

  test.each([
    ['404', { status: 404 }],
    ['405', { status: 405 }],
    ['a redirect', { status: 303, headers: { location: 'https://github.example/' } }],
    ['a web page', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }],
  ])('reads the tag when the API answers with %s', async (_, answer) => {
    const { repository, requests } = registry((request) =>
      isApi(request) ? answer : index([signature]),
    );
    expect(await listAll(listReferrers(repository, subject))).toEqual([signature]);
    const [api, byTag] = [
      `/v2/team/app/referrers/${subject.digest}`,
      `/v2/team/app/manifests/${tag}`,
    ];
    expect(requests.map(({ method, url }) => [method, url.pathname])).toEqual([
      ['GET', api],
      ['HEAD', byTag],
      ['GET', byTag],
    ]);
  });

  test('asks a repository without the API once, however many images ask at once', async () => {
    const { repository, requests } = registry((request) =>
      isApi(request) ? { status: 404, body: '404 page not found' } : { status: 404 },
    );
    const neighbour = { ...repository, name: 'team/other' };
    const subjects = [0, 1, 2, 3].map((seed) => node(seed));
    await Promise.all(subjects.map((one) => listAll(listReferrers(repository, one))));
    await listAll(listReferrers(repository, node(4)));
    expect(requests.filter(isApi)).toHaveLength(1);
    expect(requests.filter((request) => !isApi(request))).toHaveLength(5);
    // Some registries forward each repository to another server.
    await listAll(listReferrers(neighbour, subject));
    expect(requests.filter(isApi)).toHaveLength(2);
  });

  test.each([
    [
      'a subject that it lacks',
      { status: 404, body: { errors: [{ code: 'MANIFEST_UNKNOWN', message: '' }] } },
    ],
    ['a failure', { status: 500 }],
  ])('asks the API again after %s', async (_, first) => {
    let isFirst = true;
    const { repository } = registry((request) => {
      if (!isApi(request)) return { status: 404 };
      const answer = isFirst ? first : index([signature]);
      isFirst = false;
      return answer;
    });
    await listAll(listReferrers(repository, node(9))).catch(() => undefined);
    expect(await listAll(listReferrers(repository, subject))).toEqual([signature]);
  });

  test('asks the API again after the first request was aborted, and waits no longer than its signal', async () => {
    const arrived = deferred<void>();
    const { repository, requests } = registry(async ({ signal }) => {
      if (requests.length > 1) return index([signature]);
      arrived.resolve();
      return new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      });
    });
    const [first, second] = [new AbortController(), new AbortController()];
    const all = [first, second].map(({ signal }) =>
      listAll(listReferrers(repository, subject, { signal })),
    );
    const settled = Promise.allSettled(all);
    await arrived.promise;
    second.abort(new Error('second'));
    await expect(all[1]).rejects.toThrow('second');
    const third = listAll(listReferrers(repository, subject));
    first.abort(new Error('first'));
    expect(await third).toEqual([signature]);
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  test('finds a missing tag without a GET, which Docker Hub counts as a pull', async () => {
    const { repository, requests } = registry(() => ({ status: 404 }));
    expect(await listAll(listReferrers(repository, subject))).toEqual([]);
    expect(requests.map(({ method }) => method)).toEqual(['GET', 'HEAD']);
  });

  test.each([
    ['missing', { status: 404 }],
    ['no index', { status: 200, headers: { 'content-type': MEDIA_TYPE.ociManifest }, body: '{}' }],
  ])('yields nothing when the tag is %s', async (_, answer) => {
    const { repository } = registry((request) => (isApi(request) ? { status: 404 } : answer));
    expect(await listAll(listReferrers(repository, subject))).toEqual([]);
  });

  test.each([401, 500])('does not treat a %i as no referrers', async (status) => {
    await expect(
      listAll(listReferrers(registry(() => ({ status })).repository, subject)),
    ).rejects.toThrow();
  });

  test.each(['the API', 'the tag'])(
    'B16: leaves out entries of %s that are no descriptors, and warns of them once',
    async (by) => {
      const warnings: string[] = [];
      const body = {
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.ociIndex,
        manifests: [{}, signature, { ...signature, digest: 'sha256:../x' }, sbom],
      };
      const { send } = fakeTransport((request) =>
        isApi(request) && by === 'the tag' ? { status: 404 } : { ...index([]), body },
      );
      const repository = testRepository(send, { onWarning: (text) => warnings.push(text) });
      expect(await listAll(listReferrers(repository, subject))).toEqual([signature, sbom]);
      expect(warnings).toEqual([expect.stringMatching(/ 2 (?:referrers|entries) /)]);
    },
  );

  test('B18: reads entries whose type the tag hides, when it filters by type', async () => {
    const bundle = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: { mediaType: MEDIA_TYPE.ociEmpty, digest: subject.digest, size: 2 },
      layers: [{ mediaType: 'application/bundle', digest: subject.digest, size: 2 }],
    };
    const bytes = new TextEncoder().encode(JSON.stringify(bundle));
    const listed = {
      ...node(3, MEDIA_TYPE.ociEmpty),
      digest: digestOf(bytes),
      size: bytes.byteLength,
    };
    const { repository } = registry((request) => {
      if (isApi(request)) return { status: 404 };
      return request.url.pathname.endsWith(listed.digest)
        ? { status: 200, headers: { 'content-type': MEDIA_TYPE.ociManifest }, body: bytes }
        : index([listed, sbom]);
    });
    expect(
      await listAll(listReferrers(repository, subject, { artifactType: 'application/bundle' })),
    ).toEqual([{ ...listed, artifactType: 'application/bundle' }]);
  });

  test('B1: finds no list where the tag leads to the image itself', async () => {
    const image = new TextEncoder().encode(
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: [sbom] }),
    );
    const root = { ...subject, digest: digestOf(image) };
    const { repository } = registry((request) =>
      isApi(request) ? { status: 404 } : { ...index([]), body: image },
    );
    expect(await listAll(listReferrers(repository, root))).toEqual([]);
    await expect(addToReferrersIndex(repository, root.digest, signature)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('"registry.example"'),
    });
  });

  test('stops at a list that is too long', async () => {
    let page = 0;
    const { repository } = registry(() => {
      page += 1;
      const entries = Array.from({ length: 10_000 }, (_, entry) => ({
        ...signature,
        digest: digestOf(new TextEncoder().encode(`${page} ${entry}`)),
      }));
      return index(entries, { link: `<?last=${page}>; rel="next"` });
    });
    await expect(listAll(listReferrers(repository, subject))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });
});

test.each([
  ['an empty list', index([]), true],
  ['404', { status: 404 }, false],
])('hasReferrersApi() judges %s', async (_, answer, expected) => {
  expect(await hasReferrersApi(registry(() => answer).repository, subject.digest)).toBe(expected);
});

describe('the index of the tag schema', () => {
  /** A registry with that one tag. */
  function tagged(
    first: FakeResponse | undefined,
    onPut: (text: string, count: number) => string | undefined = (text) => text,
  ) {
    let held = first;
    let puts = 0;
    const made = registry(async (request) => {
      if (request.method === 'GET') return held ?? { status: 404 };
      puts += 1;
      const text = onPut(await textOf(request), puts);
      held =
        text === undefined
          ? undefined
          : { status: 200, headers: { 'content-type': MEDIA_TYPE.ociIndex }, body: text };
      return { status: 201 };
    });
    const entries = (): readonly { digest: string }[] =>
      JSON.parse(typeof held?.body === 'string' ? held.body : '{"manifests":[]}').manifests;
    return { ...made, entries, puts: () => puts };
  }

  test('addToReferrersIndex() creates the index', async () => {
    const { repository, entries } = tagged(undefined);
    await addToReferrersIndex(repository, subject.digest, signature);
    expect(entries()).toEqual([signature]);
  });

  test('addToReferrersIndex() keeps existing entries with unknown members', async () => {
    const entry = { ...toDescriptorJson(sbom), 'com.example.more': 1 };
    const { repository, entries } = tagged({
      status: 200,
      headers: { 'content-type': MEDIA_TYPE.ociIndex },
      body: JSON.stringify({ schemaVersion: 2, manifests: [entry] }),
    });
    await addToReferrersIndex(repository, subject.digest, signature);
    expect(entries()).toEqual([entry, signature]);
  });

  test('addToReferrersIndex() writes nothing when the referrer is listed', async () => {
    const { repository, puts } = tagged(index([signature]));
    await addToReferrersIndex(repository, subject.digest, signature);
    expect(puts()).toBe(0);
  });

  test('addToReferrersIndex() writes again when another client overwrote it', async () => {
    const undone = JSON.stringify({ schemaVersion: 2, manifests: [sbom] });
    const { repository, entries, puts } = tagged(undefined, (text, count) =>
      count === 1 ? undone : text,
    );
    await addToReferrersIndex(repository, subject.digest, signature);
    expect([entries().map(({ digest }) => digest), puts()]).toEqual([
      [sbom.digest, signature.digest],
      2,
    ]);
  });

  test('addToReferrersIndex() gives up when it is overwritten each time', async () => {
    const { repository } = tagged(undefined, () => undefined);
    await expect(addToReferrersIndex(repository, subject.digest, signature)).rejects.toMatchObject({
      code: 'FAILED',
      message: expect.stringContaining('overwritten by another client'),
    });
  });

  test('addToReferrersIndex() does not overwrite a tag of another manifest', async () => {
    const { repository, puts } = tagged({
      status: 200,
      headers: { 'content-type': MEDIA_TYPE.ociManifest },
      body: '{}',
    });
    await expect(addToReferrersIndex(repository, subject.digest, signature)).rejects.toMatchObject({
      code: 'INVALID_MANIFEST',
    });
    expect(puts()).toBe(0);
  });

  test('addToReferrersIndex() lists both of two parallel referrers', async () => {
    const { repository, entries, puts } = tagged(undefined);
    await Promise.all([
      addToReferrersIndex(repository, subject.digest, signature),
      addToReferrersIndex(repository, subject.digest, sbom),
    ]);
    expect([entries(), puts()]).toEqual([[signature, sbom], 2]);
  });

  test('removeFromReferrersIndex() removes the entry', async () => {
    const first = index([signature, sbom]);
    const { repository, entries } = tagged({ ...first, body: JSON.stringify(first.body) });
    await removeFromReferrersIndex(repository, subject.digest, signature.digest);
    expect(entries()).toEqual([sbom]);
  });
});
