import { beforeAll, describe, expect, test } from 'vitest';

import { toDescriptorJson } from '../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { nodeOf } from '../support/images/images.ts';
import { type RawResponse } from '../support/http/raw-request.ts';
import {
  PLACES,
  conformanceClient,
  ABSENT,
  EMPTY,
  NAME,
  manifest,
  subject,
} from '../support/registries/conformance.ts';

// What the conformance suite of the distribution specification asks, in its order and by its names, of every place that is served:
// https://github.com/opencontainers/distribution-spec/tree/v1.1.1/conformance

describe.each(PLACES)('conformance over %s', (_place, createPlace) => {
  let registry: FakeRegistry;

  beforeAll(async () => {
    const place = await createPlace();
    registry = await startFakeRegistry({ place });
    return async () => {
      await registry.stop();
      await place.close?.();
    };
  });

  const { send, pushBlob, putManifest } = conformanceClient(() => registry.url);

  describe('Content Discovery: tags', () => {
    const tags = async (query: string): Promise<readonly string[]> => {
      const { status, body } = await send('GET', `${NAME}/tags/list${query}`);
      expect(status).toBe(200);
      return (JSON.parse(body.toString()) as { readonly tags: readonly string[] }).tags;
    };

    test('GET request to list tags should yield 200 response', async () => {
      expect(await tags('')).toEqual(expect.arrayContaining(['test0', 'test1', 'test2', 'test3']));
    });

    test('GET number of tags should be limitable by `n` query parameter', async () => {
      expect(await tags('?n=2')).toEqual((await tags('')).slice(0, 2));
    });

    test('GET start of tag is set by `last` query parameter', async () => {
      const all = await tags('');
      const rest = await tags(`?n=2&last=${all[1] ?? ''}`);
      expect(rest).toEqual(all.slice(2, 4));
    });
  });

  describe('Content Discovery: references', () => {
    const types = [
      'application/vnd.nhl.peanut.butter.bagel',
      'application/vnd.nba.strawberry.jam.croissant',
    ] as const;
    const byConfig = types.map((type) => nodeOf(type, Buffer.from(`config of ${type}`)));
    const artifacts = [
      ...byConfig.map((own) => manifest(own.descriptor, { subject: subject.descriptor })),
      ...types.map((artifactType) =>
        manifest(EMPTY.descriptor, {
          subject: subject.descriptor,
          artifactType,
          annotations: { 'org.opencontainers.conformance.test': artifactType },
        }),
      ),
    ];
    const missing = manifest(EMPTY.descriptor, {
      layers: [EMPTY.descriptor],
      artifactType: types[0],
      annotations: { never: 'pushed' },
    });
    const early = manifest(EMPTY.descriptor, {
      subject: missing.descriptor,
      artifactType: types[0],
    });
    const index = nodeOf(
      MEDIA_TYPE.ociIndex,
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MEDIA_TYPE.ociIndex,
          artifactType: 'application/vnd.food.stand',
          manifests: artifacts.slice(0, 2).map(({ descriptor }) => toDescriptorJson(descriptor)),
          subject: toDescriptorJson(subject.descriptor),
          annotations: { 'org.opencontainers.conformance.test': 'test index' },
        }),
      ),
    );

    interface Entry {
      readonly digest: string;
      readonly artifactType?: string;
      readonly annotations?: unknown;
    }

    async function referrers(
      path: string,
    ): Promise<{ readonly answer: RawResponse; readonly entries: readonly Entry[] }> {
      const answer = await send('GET', `${NAME}/referrers/${path}`);
      expect([answer.status, answer.headers['content-type']]).toEqual([200, MEDIA_TYPE.ociIndex]);
      const json = JSON.parse(answer.body.toString()) as {
        readonly mediaType: string;
        readonly schemaVersion: number;
        readonly manifests: readonly Entry[];
      };
      expect([json.mediaType, json.schemaVersion]).toEqual([MEDIA_TYPE.ociIndex, 2]);
      return { answer, entries: json.manifests };
    }

    beforeAll(async () => {
      for (const blob of [EMPTY, ...byConfig]) expect(await pushBlob(blob)).toBe(201);
      for (const node of [...artifacts, index]) {
        const { status, headers } = await putManifest(node.descriptor.digest, node);
        expect([status, headers['oci-subject']]).toEqual([201, subject.descriptor.digest]);
      }
      expect((await putManifest(early.descriptor.digest, early)).headers['oci-subject']).toBe(
        missing.descriptor.digest,
      );
    });

    test('GET request to nonexistent blob should result in empty 200 response', async () => {
      expect((await referrers(ABSENT)).entries).toEqual([]);
    });

    test('GET request to existing blob should yield 200, with artifactType and annotations of each', async () => {
      const { answer, entries } = await referrers(subject.descriptor.digest);
      expect(answer.headers['oci-filters-applied']).toBeUndefined();
      const sorted = entries.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
      const expected = [
        ...artifacts.map(({ descriptor }, at) => ({
          digest: descriptor.digest,
          artifactType: types[at % 2],
          ...(at >= 2 && { annotations: { 'org.opencontainers.conformance.test': types[at % 2] } }),
        })),
        {
          digest: index.descriptor.digest,
          artifactType: 'application/vnd.food.stand',
          annotations: { 'org.opencontainers.conformance.test': 'test index' },
        },
      ].toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
      expect(sorted).toMatchObject(expected);
      expect(sorted).toHaveLength(5);
    });

    test('GET request to existing blob with filter should yield 200', async () => {
      const { answer, entries } = await referrers(
        `${subject.descriptor.digest}?artifactType=${encodeURIComponent(types[0])}`,
      );
      expect(answer.headers['oci-filters-applied']).toBe('artifactType');
      expect(new Set(entries.map(({ digest }) => digest))).toEqual(
        new Set([artifacts[0], artifacts[2]].map((node) => node?.descriptor.digest)),
      );
    });

    test('GET request to missing manifest should yield 200', async () => {
      expect(
        (await referrers(missing.descriptor.digest)).entries.map(({ digest }) => digest),
      ).toEqual([early.descriptor.digest]);
    });
  });
});
