import { together } from '../../concurrency/together.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import { algorithmOf, encodedOf } from '../../oci/digest.ts';
import { imageName } from '../../oci/reference.ts';
import { copyInSession } from '../../operations/copy/copy-image.ts';
import { narrowInSession } from '../../operations/copy/narrow-image.ts';
import { resolveIfThere } from '../../operations/copy/resolve-image.ts';
import type { CopySession } from '../../operations/copy/session.ts';
import { LeftOutReferrers } from '../../operations/referrers/left-out.ts';
import { canKeepUnnamed, canListReferrers, type Source, type Store } from '../../store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { admit, type Gate } from '../../trust/gate.ts';
import type { FactCache } from '../state/cache.ts';
import type { SyncEntry } from '../file/entry.ts';
import { sourceName, type PlannedImage, type PlannedRoute, type TagList } from '../plan/plan.ts';
import { bringOmitted } from './omitted.ts';
import { platformsKey } from './platforms.ts';
import type { SyncStatus } from './row.ts';

/** One image, with both ends. */
export interface ImageWork {
  readonly planned: PlannedRoute;
  readonly image: PlannedImage;
  readonly destination: Store;
  /** The destination's repository, with its registry. */
  readonly name: string;
  readonly destinationTags: TagList;
}

export interface ImageOptions {
  readonly signal: AbortSignal;
  readonly force: boolean;
  /** Compares the two roots and reads nothing else. */
  readonly heads: boolean;
  readonly cache: FactCache;
  /** Opens repositories that may have layers which an archive leaves out. */
  readonly stores: Stores;
  /** Has to admit what is copied; undefined for an entry without `verify`. */
  readonly gate: Gate | undefined;
}

export interface SyncedImage {
  readonly status: SyncStatus;
  readonly digest?: string | undefined;
  readonly previousDigest?: string | undefined;
  readonly sourceDigest?: string | undefined;
  /** Referrers that failed; a warning names them. */
  readonly leftOut?: number | undefined;
}

/**
 * Makes one tag of the destination equal to its source: one HEAD a side where nothing changed.
 *
 * @throws {RegiError} when it cannot; nothing of the image is visible then.
 */
export async function syncImage(
  work: ImageWork,
  session: CopySession,
  options: ImageOptions,
): Promise<SyncedImage> {
  const { planned, image } = work;
  const { signal } = options;
  const { entry } = planned.route;
  if (image.isSettled) return { status: 'same' };
  const { found, there } = await resolveEnds(work, session, signal);
  const known = knownRoot(entry, found, options.cache);
  const isKnownSame = known !== undefined && there !== undefined && known === there.digest;
  if (isKnownSame && !options.force) {
    const leftOut = await bringLateReferrers(work, session, there, found, options);
    return { status: 'same', digest: there.digest, sourceDigest: found.digest, leftOut };
  }
  if (known === '') return { status: 'skipped', digest: found.digest, sourceDigest: found.digest };
  if (options.heads && known === undefined) {
    const status = there === undefined ? 'new' : 'moved';
    return { status, previousDigest: there?.digest, sourceDigest: found.digest };
  }
  const narrowed = await narrowRoot(entry, found, planned.source, session, options);
  if (narrowed === undefined)
    return { status: 'skipped', digest: found.digest, sourceDigest: found.digest };
  const { root } = narrowed;
  const base = { digest: root.digest, sourceDigest: found.digest };
  const isSame = there?.digest === root.digest;
  if (isSame && !options.force) {
    const leftOut = await bringLateReferrers(work, session, root, found, options);
    return { status: 'same', ...base, leftOut };
  }
  if (there !== undefined && !isSame) {
    if (entry.moved === 'keep')
      return { status: 'kept', digest: there.digest, sourceDigest: found.digest };
    if (entry.moved === 'fail') throw movedError(work, there, root);
  }
  const leftOut = options.heads
    ? 0
    : await transfer(work, { found, there, narrowed }, session, options);
  if (isSame) return { status: 'same', ...base, leftOut };
  return there === undefined
    ? { status: 'new', ...base, leftOut }
    : { status: 'moved', previousDigest: there.digest, ...base, leftOut };
}

/** Resolves both ends at once. An image without a tag is looked for by the digest of its source. */
async function resolveEnds(
  { planned: { source }, image, destination, destinationTags }: ImageWork,
  session: CopySession,
  signal: AbortSignal,
): Promise<{ readonly found: Descriptor; readonly there: Descriptor | undefined }> {
  const { tag } = image;
  const atSource = (either: AbortSignal): Promise<Descriptor> =>
    session.ask(source, either, () => source.resolve(image.reference, { signal: either }));
  const at = (reference: string, either: AbortSignal): Promise<Descriptor | undefined> =>
    session.ask(destination, either, () =>
      resolveIfThere(destination, reference, { signal: either }),
    );
  if (tag === undefined) {
    const found = await atSource(signal);
    return { found, there: await at(found.digest, signal) };
  }
  const isAbsent = destinationTags?.has(tag) === false;
  const [found, there] = await together<[Descriptor, Descriptor | undefined]>(
    [atSource, async (either) => (isAbsent ? undefined : at(tag, either))],
    signal,
  );
  return { found, there };
}

/**
 * The digest that the destination should have, as far as no manifest has to be read; empty: no
 * platform.
 */
function knownRoot(entry: SyncEntry, found: Descriptor, cache: FactCache): string | undefined {
  if (entry.platforms.length === 0 || entry.sparse) return found.digest;
  return cache.get(factKey(entry, found))?.narrowed;
}

function factKey({ platforms, requirePlatforms }: SyncEntry, { digest }: Descriptor): string {
  return `${digest} ${requirePlatforms ? 'all ' : ''}${platformsKey(platforms)}`;
}

/** What the platforms of an entry make of an image. */
interface Narrowed {
  readonly root: Descriptor;
  /** Those of the entry that the image has. */
  readonly platforms: readonly Platform[];
}

async function narrowRoot(
  entry: SyncEntry,
  found: Descriptor,
  source: Source,
  session: CopySession,
  { cache, signal }: ImageOptions,
): Promise<Narrowed | undefined> {
  const { platforms, requirePlatforms, sparse } = entry;
  if (platforms.length === 0) return { root: found, platforms };
  const wanted = { platforms, sparse, optional: !requirePlatforms };
  const narrowed = await narrowInSession(session, source, found, wanted, signal);
  if (!sparse)
    cache.set(factKey(entry, found), { narrowed: narrowed?.root.descriptor.digest ?? '' });
  return narrowed && { root: narrowed.root.descriptor, platforms: narrowed.platforms };
}

interface Roots {
  readonly found: Descriptor;
  readonly there: Descriptor | undefined;
  readonly narrowed: Narrowed;
}

/** Returns how many referrers failed. */
async function transfer(
  { planned, image, destination, name }: ImageWork,
  { found, there, narrowed }: Roots,
  session: CopySession,
  { force, signal, stores, gate }: ImageOptions,
): Promise<number> {
  const { route, source } = planned;
  const { referrers, sparse } = route.entry;
  const { platforms } = narrowed;
  const wanted = { platforms, sparse: sparse && platforms.length > 0 };
  // No layer of a refused image is brought. The copy asks again, about the same bytes.
  const { digest: landed } = narrowed.root;
  const isMade = platforms.length > 1 && landed !== found.digest;
  // The images of such an index are known to the copy alone.
  const isLater = gate?.rule.kind === 'containers' && (isMade || wanted.sparse);
  if (gate !== undefined && route.held !== undefined && !isLater) {
    await admit(gate, source, { found: found.digest, landed, isMade }, { signal });
  }
  const to = await bringOmitted(route, destination, found, { wanted, session, stores, signal });
  const { root, leftOut } = await copyInSession(
    session,
    {
      source,
      reference: image.reference,
      destination: to,
      tag: image.tag,
      image: fullName(name, image, found),
      known: { source: found, destination: there },
      listed: planned.sourceTags,
      gate,
    },
    { ...wanted, force, referrers: referrers !== false, signal },
  );
  if (image.tag === undefined && canKeepUnnamed(to)) await to.keepUnnamed(root, { signal });
  return leftOut;
}

/**
 * Copies referrers that came after the image. With `new` only where the lists show tags of them
 * that the destination lacks; with `always` the source is asked, too. Returns how many failed.
 */
async function bringLateReferrers(
  work: ImageWork,
  session: CopySession,
  root: Descriptor,
  found: Descriptor,
  { heads, signal, gate }: ImageOptions,
): Promise<number> {
  const { planned, destination, image, name } = work;
  const { route, source, sourceTags } = planned;
  const { referrers, platforms } = route.entry;
  if (heads || referrers === false) return 0;
  // A gate lets signatures pass and nothing else, so the lists are left to it.
  const isAsked = gate !== undefined && referrers === 'always';
  if (isAsked || hasLateTag(sourceTags, work.destinationTags, root)) {
    const { leftOut } = await copyInSession(
      session,
      {
        source,
        reference: image.reference,
        destination,
        tag: image.tag,
        image: fullName(name, image, root),
        known: { source: found, destination: root },
        listed: sourceTags,
        oneOfMany: !route.entry.requirePlatforms,
        gate,
      },
      { platforms, sparse: route.entry.sparse && platforms.length > 0, referrers: true, signal },
    );
    return leftOut;
  }
  if (referrers !== 'always' || !canListReferrers(source)) return 0;
  const failures = new LeftOutReferrers();
  const listed: Descriptor[] = [];
  await failures.attempt(signal, () =>
    session.ask(source, signal, async () => {
      listed.length = 0;
      for await (const referrer of source.listReferrers(root, { signal, whole: true }))
        listed.push(referrer);
    }),
  );
  await Promise.all(
    listed.map((referrer) =>
      failures.attempt(signal, () => session.land({ source, destination }, referrer, signal)),
    ),
  );
  return failures.report(fullName(name, image, root), session.onEvent);
}

function hasLateTag(sourceTags: TagList, destinationTags: TagList, root: Descriptor): boolean {
  if (sourceTags === undefined || destinationTags === undefined) return false;
  if (algorithmOf(root.digest) !== 'sha256') return false;
  const tag = `sha256-${encodedOf(root.digest)}`;
  return ['', '.sig', '.att', '.sbom'].some(
    (suffix) => sourceTags.has(tag + suffix) && !destinationTags.has(tag + suffix),
  );
}

function movedError(
  { planned, image, name }: ImageWork,
  there: Descriptor,
  root: Descriptor,
): RegiError {
  return new RegiError(
    'ALREADY_EXISTS',
    `Cannot move ${fullName(name, image, root)}: it is ${there.digest}, and ${sourceName(planned.route, image.reference)} is ${root.digest}`,
    { hint: 'write "moved: follow" to move it, or "moved: keep" to leave it' },
  );
}

export function fullName(name: string, { tag }: PlannedImage, root: Descriptor): string {
  return tag === undefined ? `${name}@${root.digest}` : imageName(name, { tag });
}
