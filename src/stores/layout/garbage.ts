import { rm } from 'node:fs/promises';

import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { quotePath } from '../../quote.ts';
import type { CallOptions } from '../../store.ts';
import type { StoredBlob } from './blobs.ts';
import type { LayoutFolder } from './folder.ts';
import { leadsTo, reachableFrom, readReferrerIfWhole } from './graph.ts';
import { type LayoutEntry, type LayoutIndex, nameOf, usable } from './index-json.ts';
import type { HeldLease } from './lease.ts';

/** The content that a sweep removed, or would remove. */
export interface Sweep {
  readonly removed: readonly StoredBlob[];
  /**
   * Unnamed content that stays because it is young: another program may be about to name it. Bytes.
   */
  readonly youngBytes: number;
}

export interface SweepOptions extends CallOptions {
  /**
   * `forgotten`: content that only the removed entries, or `given`, needed. `given`: nothing but
   * `given` itself. `everything`: all content that no entry leads to.
   */
  readonly scope: 'forgotten' | 'given' | 'everything';
  /** A node that is given up besides the removed entries, whether index.json lists it or not. */
  readonly given?: Descriptor | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly dryRun?: boolean | undefined;
}

/** Other programs write blobs first, name them later, and leave no lease. */
const YOUNG_MS = 10 * 60_000;

/**
 * Changes index.json by `forget`, and removes content that it no longer leads to. Under the lock:
 * no lease of a living process loses content, and the claims of a dead one are void.
 */
export async function sweepLayout(
  layout: LayoutFolder,
  forget: (index: LayoutIndex) => Promise<LayoutIndex>,
  options: SweepOptions,
): Promise<Sweep> {
  const { scope, given, now, signal, dryRun = false } = options;
  const doomed: StoredBlob[] = [];
  const spent: string[] = [];
  let youngBytes = 0;
  const reach = (nodes: readonly Descriptor[]): Promise<ReadonlySet<Digest>> =>
    reachableFrom(layout.blobs, nodes, { signal });

  async function look(index: LayoutIndex): Promise<LayoutIndex> {
    // Before the leases are read: a process claims a blob before it writes it.
    const blobs: StoredBlob[] = [];
    for await (const blob of layout.blobs.list({ signal })) blobs.push(blob);
    const leases = await layout.leases();
    const after = await forget(index);
    // A server holds claims on what its clients pushed, and they may delete it.
    const isBinding = ({ isLive, isOwn }: HeldLease): boolean =>
      isLive && !(isOwn && scope === 'given');
    const claimed = leases.filter(isBinding).flatMap(({ claims }) => claims);
    const needed = await reach([...usable(after.entries), ...claimed]);
    const dead = scope === 'everything' ? leases.filter(({ isLive }) => !isLive) : [];
    spent.push(...dead.map(({ path }) => path));
    const gone = usable(index.entries.filter((entry) => !after.entries.includes(entry)));
    const abandoned = dead.flatMap(({ claims }) => claims);
    const lost = await reach([...gone, ...(given === undefined ? [] : [given]), ...abandoned]);
    const isFree = ({ digest }: StoredBlob): boolean => {
      if (needed.has(digest)) return false;
      if (scope === 'given') return digest === given?.digest;
      return scope === 'everything' || lost.has(digest);
    };
    const isYoung = ({ digest, modifiedMs }: StoredBlob): boolean =>
      !lost.has(digest) && modifiedMs > now - YOUNG_MS;
    const free = blobs.filter(isFree);
    youngBytes = bytesOf(free.filter(isYoung));
    doomed.push(
      ...inOrderOf(
        free.filter((blob) => !isYoung(blob)),
        lost,
      ),
    );
    return dryRun ? index : after;
  }

  await layout.change(options, look, async () => {
    if (dryRun) return;
    await layout.blobs.remove(doomed.map(({ digest }) => digest));
    for (const path of spent) await rm(path, { force: true });
  });
  return { removed: doomed, youngBytes };
}

/**
 * Returns the index without unnamed images. Referrers of an image that stays (signatures, SBOMs)
 * stay: they never have a name.
 */
export async function withoutNameless(
  layout: LayoutFolder,
  index: LayoutIndex,
  options?: CallOptions,
): Promise<LayoutIndex> {
  const kept = new Set<LayoutEntry>(index.entries.filter((entry) => nameOf(entry) !== undefined));
  const referrers: { readonly entry: LayoutEntry; readonly subject: Digest }[] = [];
  for (const entry of index.entries) {
    const [descriptor] = kept.has(entry) ? [] : usable([entry]);
    const referrer = descriptor && (await readReferrerIfWhole(layout.blobs, descriptor, options));
    if (referrer !== undefined) referrers.push({ entry, subject: referrer.subject });
  }
  for (let size = -1; size < kept.size;) {
    size = kept.size;
    const needed = await reachableFrom(layout.blobs, usable([...kept]), options);
    for (const { entry, subject } of referrers) if (needed.has(subject)) kept.add(entry);
  }
  return kept.size === index.entries.length
    ? index
    : { ...index, entries: index.entries.filter((entry) => kept.has(entry)) };
}

export interface DeleteImageOptions extends CallOptions {
  /**
   * Returns the entries that stay although they are of this image. Where it is given, only the
   * image itself may go: clients may be about to push another image that uses its layers.
   */
  readonly foreign?: ((index: LayoutIndex) => ReadonlySet<LayoutEntry>) | undefined;
  readonly missing: (index: LayoutIndex) => Promise<RegiError>;
}

/**
 * Deletes an image with all its names, and the content that only it needed.
 *
 * @throws {RegiError} REFUSED when an image that stays, such as an index, is made of it; nothing is
 *   changed then.
 */
export async function deleteImage(
  layout: LayoutFolder,
  target: Descriptor,
  { foreign, missing, signal }: DeleteImageOptions,
): Promise<Sweep> {
  const forget = async (index: LayoutIndex): Promise<LayoutIndex> => {
    const kept = foreign?.(index);
    const entries = index.entries.filter(
      (entry) => entry.digest !== target.digest || kept?.has(entry) === true,
    );
    const isListed = entries.length < index.entries.length;
    if (!isListed && !(await layout.holds(target))) throw await missing(index);
    // A repository may give up its own names of an image that another one still has.
    const mayStay = foreign !== undefined && isListed;
    if (!mayStay && (await leadsTo(layout.blobs, usable(entries), target.digest, { signal })))
      throw new RegiError(
        'REFUSED',
        `Cannot delete ${target.digest} from ${quotePath(layout.place)}: an image that stays needs it`,
        { hint: 'delete the images that are made of it first' },
      );
    return isListed ? { ...index, entries } : index;
  };
  return sweepLayout(layout, forget, {
    scope: foreign === undefined ? 'forgotten' : 'given',
    given: target,
    now: layout.clock.now(),
    signal,
  });
}

/**
 * Orders manifests before their children: however early a removal ends, an existing manifest must
 * mean an existing image.
 */
function inOrderOf(
  blobs: readonly StoredBlob[],
  parentsFirst: ReadonlySet<Digest>,
): readonly StoredBlob[] {
  const rank = new Map([...parentsFirst].map((digest, at) => [digest, at]));
  const rankOf = ({ digest }: StoredBlob): number => rank.get(digest) ?? rank.size;
  // Of the others the small ones come first, because manifests are small.
  return blobs.toSorted((a, b) => rankOf(a) - rankOf(b) || a.size - b.size);
}

function bytesOf(blobs: readonly StoredBlob[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
