import { join } from 'node:path';

import { expect, test } from 'vitest';

import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import { CopySession } from '../../../src/operations/copy/session.ts';
import { walkReferrers } from '../../../src/operations/referrers/walk.ts';
import type { ReferrerLister, Source } from '../../../src/store.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeArtifact, makeIndex, type TestImage } from '../../support/images/images.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const REFERRERS_PATH = /^\/v2\/app\/referrers\/(sha256:[0-9a-f]+)/;

/**
 * A registry whose referrers API gives what `listed` says, true or not, and counts the requests.
 */
async function registryListing(
  image: TestImage,
  referrers: readonly TestImage[],
  listed: (subject: string) => readonly TestImage[],
): Promise<{
  readonly run: (...argv: readonly string[]) => Promise<MainResult>;
  readonly requests: () => number;
}> {
  const registry = await startFakeRegistry();
  const store = registry.place.open('app');
  await image.pushAll(store, 'v1');
  for (const referrer of referrers) await referrer.pushAll(store);
  registry.fault({
    match: { path: REFERRERS_PATH },
    times: Number.POSITIVE_INFINITY,
    action: {
      kind: 'respond-with',
      respond: ({ path }) => ({
        status: 200,
        headers: { 'content-type': MEDIA_TYPE.ociIndex },
        body: new TextEncoder().encode(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: MEDIA_TYPE.ociIndex,
            manifests: listed(REFERRERS_PATH.exec(path)?.[1] ?? '').map(({ root }) => root),
          }),
        ),
      }),
    },
  });
  return {
    run: async (command, ...rest) => {
      registry.forgetRequests();
      return runMain([command ?? '', `${registry.host}/app:v1`, ...rest, '--referrers']);
    },
    requests: () => registry.requests.filter(({ url }) => REFERRERS_PATH.test(url)).length,
  };
}

test('B2: a registry that gives the same two referrers to every question costs export no more requests than copy', async () => {
  const image = makeIndex();
  const two = [10, 20].map((size) => makeArtifact({ subject: image.root, size }));
  const { run, requests } = await registryListing(image, two, () => two);
  const folder = temporaryFolder();

  expect((await run('copy', `oci:${join(folder, 'layout')}:v1`)).status).toBe(0);
  const ofCopy = requests();
  expect((await run('export', '-o', join(folder, 'a.tar'))).status).toBe(0);

  // The index, its two manifests, and the two referrers.
  expect([ofCopy, requests()]).toEqual([5, 5]);
});

test('B2: a cycle of referrers ends', async () => {
  const image = makeIndex();
  const one = makeArtifact({ subject: image.root, size: 10 });
  const other = makeArtifact({ subject: one.root, size: 20 });
  const { run, requests } = await registryListing(image, [one, other], (subject) =>
    subject === one.root.digest ? [other] : [one],
  );
  const folder = temporaryFolder();

  expect((await run('copy', `oci:${join(folder, 'layout')}:v1`)).status).toBe(0);
  const ofCopy = requests();
  expect((await run('export', '-o', join(folder, 'a.tar'))).status).toBe(0);
  expect([ofCopy, requests()]).toEqual([5, 5]);
});

const IMAGE = nodeNamed('image');

function nodeNamed(name: string): Descriptor {
  const bytes = new TextEncoder().encode(name);
  return { mediaType: MEDIA_TYPE.ociManifest, digest: digestOf(bytes), size: bytes.byteLength };
}

/** A source in which each name lists the names given for it. */
function sourceListing(
  listed: Readonly<Record<string, readonly string[]>>,
): Source & ReferrerLister {
  const byDigest = new Map(
    Object.entries(listed).map(([subject, names]) => [nodeNamed(subject).digest, names]),
  );
  const store = createMemoryStore();
  return {
    place: 'test',
    repository: '',
    resolve: (reference, options) => store.resolve(reference, options),
    fetch: (target, options) => store.fetch(target, options),
    exists: (target, options) => store.exists(target, options),
    async *listReferrers({ digest }) {
      for (const name of byDigest.get(digest) ?? []) yield nodeNamed(name);
    },
  };
}

async function walked(
  listed: Readonly<Record<string, readonly string[]>>,
  limits = { depth: 8, width: 1000, count: 10_000 },
): Promise<readonly string[]> {
  const names = new Map(
    ['image', ...Object.values(listed).flat()].map((name) => [nodeNamed(name).digest, name]),
  );
  const found: string[] = [];
  const walk = walkReferrers(new CopySession(), sourceListing(listed), [IMAGE], {
    signal: new AbortController().signal,
    limits,
  });
  try {
    for await (const { descriptor, subject, depth } of walk)
      found.push(`${depth} ${names.get(descriptor.digest)} of ${names.get(subject)}`);
  } catch (error) {
    found.push((error as Error).message.replace(/sha256:[0-9a-f]+/, 'X'));
  }
  return found;
}

test('walkReferrers() yields each node once, level by level', async () => {
  expect(
    await walked({ image: ['a', 'b'], a: ['c', 'b'], b: ['c', 'image'], c: ['a', 'c'] }),
  ).toEqual(['1 a of image', '1 b of image', '2 c of a']);
});

test.each([
  ['levels', { depth: 1, width: 9, count: 9 }, '1 levels'],
  ['referrers of one node', { depth: 9, width: 1, count: 9 }, '1 of one manifest'],
  ['referrers in all', { depth: 9, width: 9, count: 2 }, '2 in all'],
])('walkReferrers() throws past its limit of %s', async (_, limits, most) => {
  const found = await walked(
    { image: limits.width === 1 ? ['a', 'b'] : ['a'], a: ['c'], c: ['d'] },
    limits,
  );
  expect(found.at(-1)).toBe(`Cannot list the referrers of X: expected at most ${most}, found more`);
});

test('walkReferrers() keeps within its limits', async () => {
  expect(await walked({ image: ['a'], a: ['c'], c: [] }, { depth: 2, width: 1, count: 2 })).toEqual(
    ['1 a of image', '2 c of a'],
  );
});
