import { rm } from 'node:fs/promises';

import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegiError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import type { CallOptions } from '../../store.ts';
import type { StoredBlob } from './blobs.ts';
import {
  type LayoutEntry,
  type LayoutIndex,
  nameOf,
  namesOf,
  usable,
  withoutDigest,
} from './index-json.ts';
import { describeNames, NotInStoreError } from '../not-found.ts';
import type { OciLayout } from './oci-layout.ts';
import { reachableFrom } from './reach.ts';
import { readReferrerIfWhole } from './referrers.ts';

/** Content that cannot be deleted, because an image that stays is made of it. */
export function stillNeededError(digest: Digest, place: string): RegiError {
  return new RegiError(
    'REFUSED',
    `Cannot delete ${digest} from ${quote(place)}: an image that stays needs it`,
    { hint: 'delete the images that are made of it first' },
  );
}

/** Content that was removed, or would be. */
export interface Sweep {
  readonly removed: readonly StoredBlob[];
  /** Content that nothing names, and that stays because it is young and nobody knows whose it is. Bytes. */
  readonly youngBytes: number;
}

export interface SweepOptions extends CallOptions {
  /** `forgotten`: only what the entries that go were made of. `everything`: whatever nothing leads to. */
  readonly scope: 'forgotten' | 'everything';
  /** What is given up besides the entries that go, whether index.json lists it or not. */
  readonly given?: readonly Descriptor[] | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly dryRun?: boolean | undefined;
}

/** Other programs write blobs first and name them later, and leave no lease. */
const YOUNG_MS = 10 * 60_000;

/**
 * Changes index.json by `forget`, and then removes content that it does not lead to any more. Under the lock: no lease of a living
 * process loses anything, and what a dead one has claimed goes.
 */
export async function sweepLayout(
  layout: OciLayout,
  forget: (index: LayoutIndex) => Promise<LayoutIndex>,
  options: SweepOptions,
): Promise<Sweep> {
  const { scope, given = [], now, signal, dryRun = false } = options;
  const doomed: StoredBlob[] = [];
  const spent: string[] = [];
  let youngBytes = 0;
  await layout.change(
    options,
    async (index) => {
      // Before the leases are read: whoever writes a blob has claimed it before.
      const blobs = await listBlobs(layout, { signal });
      const leases = await layout.leases();
      const after = await forget(index);
      const live = leases.filter(({ isLive }) => isLive).flatMap(({ claims }) => claims);
      const dead = leases.filter(({ isLive }) => !isLive);
      const needed = await reachableFrom(layout, [...usable(after.entries), ...live], { signal });
      const gone = index.entries.filter((entry) => !after.entries.includes(entry));
      const abandoned = scope === 'everything' ? dead.flatMap(({ claims }) => claims) : [];
      const lost = await reachableFrom(layout, [...usable(gone), ...given, ...abandoned], {
        signal,
      });
      const free = blobs.filter(
        ({ digest }) => !needed.has(digest) && (scope === 'everything' || lost.has(digest)),
      );
      const isYoung = ({ digest, modifiedMs }: StoredBlob): boolean =>
        !lost.has(digest) && modifiedMs > now - YOUNG_MS;
      youngBytes = bytesOf(free.filter(isYoung));
      doomed.push(
        ...inOrderOf(
          free.filter((blob) => !isYoung(blob)),
          lost,
        ),
      );
      if (scope === 'everything') spent.push(...dead.map(({ path }) => path));
      return dryRun ? index : after;
    },
    async () => {
      if (dryRun) return;
      await layout.removeBlobs(doomed.map(({ digest }) => digest));
      for (const path of spent) await rm(path, { force: true });
    },
  );
  return { removed: doomed, youngBytes };
}

/**
 * The index without images that have no name. What refers to an image that stays (signatures, SBOMs) stays: it never has a name.
 */
export async function withoutNameless(
  layout: OciLayout,
  index: LayoutIndex,
  options?: CallOptions,
): Promise<LayoutIndex> {
  const kept = new Set<LayoutEntry>(index.entries.filter((entry) => nameOf(entry) !== undefined));
  const referrers: { readonly entry: LayoutEntry; readonly subject: Digest }[] = [];
  for (const entry of index.entries) {
    const [descriptor] = kept.has(entry) ? [] : usable([entry]);
    const referrer =
      descriptor === undefined ? undefined : await readReferrerIfWhole(layout, descriptor, options);
    if (referrer !== undefined) referrers.push({ entry, subject: referrer.subject });
  }
  for (let size = -1; size < kept.size;) {
    size = kept.size;
    const needed = await reachableFrom(layout, usable([...kept]), options);
    for (const { entry, subject } of referrers) if (needed.has(subject)) kept.add(entry);
  }
  return kept.size === index.entries.length
    ? index
    : { ...index, entries: index.entries.filter((entry) => kept.has(entry)) };
}

async function listBlobs(layout: OciLayout, options: CallOptions): Promise<readonly StoredBlob[]> {
  const blobs: StoredBlob[] = [];
  for await (const blob of layout.blobs(options)) blobs.push(blob);
  return blobs;
}

/** Manifests before what they lead to, however early this ends: a manifest that is there must mean that its image is. */
function inOrderOf(
  blobs: readonly StoredBlob[],
  parentsFirst: ReadonlySet<Digest>,
): readonly StoredBlob[] {
  const rank = new Map([...parentsFirst].map((digest, at) => [digest, at]));
  // Of those that nobody knows the small come first: manifests are.
  return blobs.toSorted(
    (a, b) =>
      (rank.get(a.digest) ?? rank.size) - (rank.get(b.digest) ?? rank.size) || a.size - b.size,
  );
}

/** The error for a name or node that a layout lacks. */
function notInLayout(index: LayoutIndex, place: string, reference: string): NotInStoreError {
  return new NotInStoreError(reference, place, describeNames(namesOf(index)));
}

function bytesOf(blobs: readonly StoredBlob[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}

/**
 * Deletes an image with all its names, and the content that nothing else needs.
 *
 * @throws {RegiError} NOT_FOUND when the layout neither has nor lists it.
 * @throws {RegiError} REFUSED when another image, such as an index, is made of it; nothing is changed then.
 */
export async function deleteImage(
  layout: OciLayout,
  target: Descriptor,
  { now, signal }: { readonly now: number } & CallOptions,
): Promise<Sweep> {
  return sweepLayout(
    layout,
    async (index) => {
      const after = withoutDigest(index, target.digest);
      if (after.entries.length === index.entries.length && !(await layout.holds(target)))
        throw notInLayout(index, layout.place, target.digest);
      if (await layout.needs(after, target.digest, { signal }))
        throw stillNeededError(target.digest, layout.place);
      return after;
    },
    { scope: 'forgotten', given: [target], now, signal },
  );
}
