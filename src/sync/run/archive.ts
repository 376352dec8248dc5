import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { replaceFile } from '../../disk/atomic-write.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { childrenOf } from '../../oci/manifest.ts';
import { imageName, parseReference, type Reference } from '../../oci/reference.ts';
import { layersOf } from '../../operations/archive/carried-layers.ts';
import type { ExportJob, ImageSet } from '../../operations/archive/collect-images.ts';
import { exportImages } from '../../operations/archive/export-images.ts';
import { narrowInSession } from '../../operations/copy/narrow-image.ts';
import type { CopySession } from '../../operations/copy/session.ts';
import { quote } from '../../quote.ts';
import { formatBlobList, mergeCarried, type CarriedBlob } from '../../tar/carried-blobs.ts';
import { openArchiveDestination } from '../../targets/archive-file.ts';
import { readEarlierLayers } from '../../targets/earlier-layers.ts';
import { isArchive } from '../../targets/location.ts';
import type { Stores } from '../../targets/opened-store.ts';
import type { Gate } from '../../trust/gate.ts';
import type { PlannedImage, PlannedRoute } from '../plan/plan.ts';
import { sourceName } from '../plan/plan.ts';
import type { Route } from '../plan/routes.ts';
import type { SyncRow } from './row.ts';

/** One image that an archive is to have. */
export interface ArchiveImage {
  readonly planned: PlannedRoute;
  readonly image: PlannedImage;
}

export interface ArchiveOptions {
  readonly session: CopySession;
  readonly stores: Stores;
  readonly context: Context;
  readonly signal: AbortSignal;
  /** Relative paths of the file begin here. */
  readonly folder: string;
  readonly dryRun: boolean;
  /** Resolves names and reads nothing else. */
  readonly heads: boolean;
  readonly limit: <T>(task: () => Promise<T>) => Promise<T>;
  readonly failed: (image: ArchiveImage, error: RegiError) => SyncRow;
  readonly gateOf: (route: Route, reference: string) => Promise<Gate | undefined>;
}

/** An image whose root and platforms are known. */
interface Chosen extends ArchiveImage {
  readonly found: Descriptor;
  readonly platforms: readonly Platform[];
  readonly job: ExportJob;
}

/**
 * Writes one archive anew: all images that can be read, each node once. The old file stays until
 * the new one is complete, and where no image can be read.
 *
 * @throws {RegiError} when the archive cannot be written.
 */
export async function syncArchive(
  images: readonly ArchiveImage[],
  options: ArchiveOptions,
): Promise<readonly SyncRow[]> {
  const rows: SyncRow[] = [];
  const chosen: Chosen[] = [];
  const looked = await Promise.all(
    images.map((image) => options.limit(() => choose(image, options))),
  );
  for (const one of looked) {
    if ('job' in one) chosen.push(one);
    else rows.push(one);
  }
  if (options.heads)
    return [...rows, ...chosen.map((one) => ({ ...rowOf(one), status: 'new' as const }))];
  if (chosen.length === 0) return rows;
  return [...rows, ...(await write(chosen, options))];
}

async function choose(
  one: ArchiveImage,
  { session, signal, heads, failed, gateOf }: ArchiveOptions,
): Promise<Chosen | SyncRow> {
  const { planned, image } = one;
  const { route, source } = planned;
  const { entry } = route;
  try {
    const found = await session.ask(source, signal, () =>
      source.resolve(image.reference, { signal }),
    );
    let { platforms } = entry;
    if (platforms.length > 0 && !heads) {
      const wanted = { platforms, optional: !entry.requirePlatforms };
      const narrowed = await narrowInSession(session, source, found, wanted, signal);
      if (narrowed === undefined)
        return { ...rowOf({ ...one, found }), status: 'skipped', digest: found.digest };
      ({ platforms } = narrowed);
    }
    const job = {
      source,
      reference: found.digest,
      known: found,
      name: nameOf(route, image, found),
      image: imageName(route.name, image),
      platforms,
      sparse: entry.sparse && platforms.length > 0,
      referrers: entry.referrers !== false,
      gate: await gateOf(route, image.reference),
    };
    return { ...one, found, platforms, job };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RegiError)) throw error;
    return failed(one, error);
  }
}

async function write(
  chosen: readonly Chosen[],
  options: ArchiveOptions,
): Promise<readonly SyncRow[]> {
  const { session, stores, context, signal, folder, dryRun, failed } = options;
  const routes = chosen.map(({ planned }) => planned.route);
  const [first] = routes;
  if (first === undefined || !('path' in first.destination) || !isArchive(first.destination))
    throw new Error('An archive has at least one route, to an archive');
  const archive = openArchiveDestination(first.destination, context);
  const earlier = await readEarlierLayers(
    filesOf(routes, folder, ({ entry }) => entry.since),
    stores,
    context,
  );
  const byName = new Map(chosen.map((one) => [one.job.image, one]));
  const unreadable = new Map<string, RegiError>();
  let written: ImageSet | undefined;
  async function* jobs(): AsyncGenerator<ExportJob> {
    for (const { job } of byName.values()) yield job;
  }
  const exported = await exportImages(jobs(), dryRun ? async () => undefined : archive.write, {
    session,
    signal,
    onEvent: session.onEvent,
    format: archive.format,
    earlier,
    planOnly: dryRun,
    onUnreadable: ({ image }, error) => void unreadable.set(image, error),
    onPlan(_plan, set) {
      if (set.images.length === 0) throw nothingReadable(first, unreadable);
      written = set;
    },
  });
  if (!dryRun && written !== undefined)
    await writeLists(
      filesOf(routes, folder, ({ entry }) => entry.writeList),
      written,
      earlier,
      signal,
    );
  const bytes = written === undefined ? undefined : ownBytes(written, earlier);
  const roots = new Map(exported.map((one) => [one.image, one]));
  return chosen.map((one): SyncRow => {
    const error = unreadable.get(one.job.image);
    if (error !== undefined) return failed(one, error);
    const { root, leftOut } = roots.get(one.job.image) ?? {};
    const isFirst = byName.get(one.job.image) === one;
    return {
      ...rowOf(one),
      status: 'new',
      digest: root?.digest,
      leftOut,
      bytes: isFirst && root !== undefined ? bytes?.get(root.digest) : 0,
      mounted: 0,
    };
  });
}

function rowOf({
  planned: { route },
  image,
  found,
}: ArchiveImage & Pick<Chosen, 'found'>): Omit<SyncRow, 'status'> {
  return {
    entry: route.entry.name,
    source: sourceName(route, image.reference),
    name: route.name,
    tag: image.tag,
    sourceDigest: found.digest,
  };
}

/** The full name in the archive. An image without a tag is named by its digest. */
function nameOf(
  { tag: template }: Route,
  { tag }: PlannedImage,
  { digest }: Descriptor,
): Reference {
  return tag === undefined
    ? { ...parseReference(template.replace(/:\{tag\}$/, '')), digest }
    : parseReference(tag);
}

function filesOf(
  routes: readonly Route[],
  folder: string,
  fieldOf: (route: Route) => string | undefined,
): readonly string[] {
  const files = routes.map(fieldOf).filter((file) => file !== undefined);
  return [...new Set(files.map((file) => resolve(folder, file)))];
}

/** Lists the layers of this archive and of those before it: what its reader then has. */
async function writeLists(
  files: readonly string[],
  set: ImageSet,
  earlier: ReadonlyMap<Digest, CarriedBlob> | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (files.length === 0) return;
  const carried = mergeCarried([earlier?.values() ?? [], layersOf(set)]).values();
  const text = formatBlobList('carried', carried);
  for (const file of files) await replaceFile(file, text, { signal });
}

/**
 * The bytes that each image adds to the archive; content that several share is counted for the
 * first.
 */
function ownBytes(
  { images, manifests, blobs }: ImageSet,
  earlier: ReadonlyMap<Digest, CarriedBlob> | undefined,
): ReadonlyMap<Digest, number> {
  const seen = new Set<Digest>();
  const count = (digest: Digest): number => {
    if (seen.has(digest)) return 0;
    seen.add(digest);
    const node = manifests.get(digest);
    if (node === undefined)
      return earlier?.has(digest) === true ? 0 : (blobs.get(digest)?.descriptor.size ?? 0);
    const below = childrenOf(node.manifest).map((child) => count(child.digest));
    return below.reduce((sum, size) => sum + size, node.descriptor.size);
  };
  const bytes = new Map<Digest, number>();
  for (const { root } of images) {
    const { digest } = root.descriptor;
    if (!bytes.has(digest)) bytes.set(digest, count(digest));
  }
  return bytes;
}

function nothingReadable({ name }: Route, unreadable: ReadonlyMap<string, RegiError>): RegiError {
  const [cause] = unreadable.values();
  return new RegiError(
    cause?.code ?? 'NOT_FOUND',
    `Cannot write ${quote(name)}: none of its images could be read`,
    { hint: cause?.hint, cause },
  );
}
