import { LIMITS } from '../../limits.ts';
import { InvalidManifestError, type Descriptor, type Platform } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { childrenOf } from '../../oci/manifest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { parseTag, type Reference } from '../../oci/reference.ts';
import { RegiError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import type { CallOptions, Source } from '../../store.ts';
import type { Gate } from '../../trust/gate.ts';
import type { CopySession } from '../copy/session.ts';
import { mapInOrder } from '../../concurrency/map-in-order.ts';
import { together } from '../../concurrency/together.ts';
import { LeftOutReferrers } from '../referrers/left-out.ts';
import {
  admittedSignatures,
  signaturesOfChildren,
  type AdmittedRoots,
} from '../referrers/signatures.ts';
import { subjectsOf, taggedReferrers, walkReferrers } from '../referrers/walk.ts';
import { requireAny } from '../copy/copy-images.ts';
import { carriedChildren, type Carried } from '../copy/index-entries.ts';
import { narrowInSession, type NarrowedImage } from '../copy/narrow-image.ts';
import type { ManifestNode, ReadNode } from '../copy/read-manifest.ts';
import { ProvedBlobs } from './proved-blobs.ts';

/** One image to put into an archive. */
export interface ExportJob {
  /** The repository to read. */
  readonly source: Source;
  /** Tag or digest at the source; empty where the source holds a single image. */
  readonly reference: string;
  /** What the caller has just resolved, so that it is not asked for again. */
  readonly known?: Descriptor | undefined;
  /** The name of the image in the archive. */
  readonly name?: Reference | undefined;
  /** A bare tag instead, for an image whose repository is unknown. */
  readonly tag?: string | undefined;
  /** The name of the image, for events and messages. */
  readonly image: string;
  /** Those of this image; those of all images when absent. */
  readonly platforms?: readonly Platform[] | undefined;
  /** As for all images when absent. */
  readonly sparse?: boolean | undefined;
  /** Adds the referrers of this image; as for all images when absent. */
  readonly referrers?: boolean | undefined;
  /**
   * True for one of several images: platforms that it lacks are passed over, and without any of
   * them, so is the image.
   */
  readonly oneOfMany?: boolean | undefined;
  /**
   * Has to admit the image before anything is written. Its signatures are then added, and no other
   * referrers.
   */
  readonly gate?: Gate | undefined;
}

/** A node and the source that has it. */
export interface CollectedNode {
  /** Media type, digest and size of the node. */
  readonly descriptor: Descriptor;
  /** The repository that has it. */
  readonly source: Source;
}

export interface CollectedImage {
  /** The job of the image. */
  readonly job: ExportJob;
  /** The manifest or index. */
  readonly root: ManifestNode;
  /** True if no job names it: it is a referrer of an image that one names. */
  readonly isReferrer: boolean;
  /** Its referrers, and lists of them, that could not be read. */
  readonly leftOut: number;
}

/** The content of an archive of these images, each node once, in the order of the jobs. */
export interface ImageSet {
  /** The images, in the order of the jobs. */
  readonly images: readonly CollectedImage[];
  /** Children before parents, bytes in memory: all sizes and digests come from them. */
  readonly manifests: ReadonlyMap<Digest, ManifestNode>;
  /** All content by digest. */
  readonly blobs: ReadonlyMap<Digest, CollectedNode>;
}

export interface CollectOptions extends CallOptions {
  /**
   * One: the manifest of that platform. Several: an index of those. None: everything, unchanged.
   */
  readonly platforms?: readonly Platform[] | undefined;
  /**
   * Keeps indexes byte for byte, with only the images of `platforms`; without platforms, with those
   * that the source has.
   */
  readonly sparse?: boolean | undefined;
  /** Adds referrers: signatures, SBOMs, attestations. */
  readonly referrers?: boolean | undefined;
  /**
   * Called with an image that cannot be read, which is then left out. Without it, the first one is
   * thrown.
   */
  readonly onUnreadable?: ((job: ExportJob, error: RegiError) => void) | undefined;
}

const IMAGES_AT_ONCE = 32;

/**
 * Reads the manifests of images, and nothing else, and collects their content. The order depends on
 * the jobs alone.
 *
 * @throws {RegiError} with the code of the cause, at the first image that cannot be read; NOT_FOUND
 *   when all images are passed over.
 */
export async function collectImages(
  session: CopySession,
  jobs: AsyncIterable<ExportJob>,
  options: CollectOptions = {},
): Promise<ImageSet> {
  const signal = options.signal ?? new AbortController().signal;
  const images: CollectedImage[] = [];
  const manifests = new Map<Digest, ManifestNode>();
  const blobs = new Map<Digest, CollectedNode>();
  const proved = new ProvedBlobs();
  const found = mapInOrder(jobs, { limit: IMAGES_AT_ONCE, signal }, (job, inner) =>
    readImage(session, job, proved, { ...options, signal: inner }),
  );
  let [count, passed] = [0, 0];
  for await (const image of found) {
    count += 1;
    if (image === undefined) {
      passed += 1;
      continue;
    }
    images.push(...image.images);
    for (const node of image.manifests)
      if (!manifests.has(node.descriptor.digest)) manifests.set(node.descriptor.digest, node);
    for (const node of image.blobs)
      if (!blobs.has(node.descriptor.digest)) blobs.set(node.descriptor.digest, node);
  }
  if (passed === count) requireAny(options.platforms, count);
  return { images, manifests, blobs };
}

interface ReadImage {
  readonly images: readonly CollectedImage[];
  readonly manifests: readonly ManifestNode[];
  readonly blobs: readonly CollectedNode[];
}

async function readImage(
  session: CopySession,
  job: ExportJob,
  proved: ProvedBlobs,
  options: CollectOptions & { readonly signal: AbortSignal },
): Promise<ReadImage | undefined> {
  const { signal } = options;
  const { source, image, oneOfMany = false } = job;
  const { platforms = [], sparse = false, referrers: adds = false } = { ...options, ...job };
  const read = (node: Descriptor): Promise<ManifestNode> => session.read(source, node, signal);
  try {
    const found =
      job.known ??
      (await session.ask(source, signal, () =>
        source.resolve(job.reference, { signal, whole: sparse }),
      ));
    const wanted = { platforms, sparse, optional: oneOfMany, image };
    const narrowed = await narrowInSession(session, source, found, wanted, signal);
    if (narrowed === undefined) {
      session.onEvent({ kind: 'passed', image, root: found });
      return undefined;
    }
    const { root, carried } = narrowed;
    requireKnownType(root);
    const roots = { found, root: root.descriptor, narrowed: root, carried };
    const signatures = job.gate && (await signaturesFor(session, job.gate, job, roots, signal));
    session.onEvent({ kind: 'resolved', image, root: root.descriptor });
    const own = await withChildren(root, read, carried);
    const failures = new LeftOutReferrers();
    const referrers =
      signatures ??
      (adds
        ? await referrersOf(session, source, { ...narrowed, leftOut: failures, proved }, signal)
        : []);
    const manifests = [...own, ...referrers.flatMap((referrer) => referrer.manifests)];
    const blobs = [
      ...blobsOf(session, source, own),
      ...referrers.flatMap((referrer) => referrer.blobs),
    ];
    const leftOut = failures.report(image, session.onEvent);
    const images = [
      { job, root, isReferrer: false, leftOut },
      ...referrers.map((referrer) => ({
        job: jobOfReferrer(job, referrer),
        root: referrer.root,
        isReferrer: true,
        leftOut: 0,
      })),
    ];
    return { images, manifests, blobs };
  } catch (error) {
    if (!(error instanceof RegiError) || signal.aborted) throw error;
    const failure = new RegiError(
      error.code,
      `Cannot archive ${quote(job.image)}: ${error.message}`,
      { hint: error.hint, findings: error.findings, cause: error },
    );
    if (options.onUnreadable === undefined) throw failure;
    options.onUnreadable(job, failure);
    return { images: [], manifests: [], blobs: [] };
  }
}

/** No reader of archives would take a manifest of another type for an image. */
function requireKnownType({ descriptor: { digest, mediaType } }: ManifestNode): void {
  if (isManifestType(mediaType)) return;
  throw new RegiError(
    'UNSUPPORTED',
    `Cannot put ${digest} into an archive: its type ${quote(mediaType)} is not that of an image`,
    { hint: 'copy it from registry to registry: regi copy' },
  );
}

/** A referrer of an image, and the tag by which cosign finds it. */
interface FoundReferrer {
  readonly root: ManifestNode;
  /** It and all manifests below it. */
  readonly manifests: readonly ManifestNode[];
  /** All blobs below it. */
  readonly blobs: readonly CollectedNode[];
  readonly tag: string | undefined;
  /** The repository that has it. */
  readonly source: Source;
}

/**
 * Asks the gate to admit the image, and returns its signatures and those of the manifests of its
 * index.
 */
async function signaturesFor(
  session: CopySession,
  gate: Gate,
  { source }: ExportJob,
  roots: AdmittedRoots,
  signal: AbortSignal,
): Promise<readonly FoundReferrer[]> {
  const own = await admittedSignatures(session, source, gate, roots, signal);
  const node = roots.narrowed ?? (await session.read(source, roots.root, signal));
  const theirs = await signaturesOfChildren(session, source, gate, { ...roots, node }, signal);
  return together(
    [...own, ...theirs].map(
      ({ source: from, descriptor, tag }) =>
        (either: AbortSignal) =>
          readReferrer(session, from, descriptor, tag, either),
    ),
    signal,
  );
}

async function readReferrer(
  session: CopySession,
  source: Source,
  descriptor: Descriptor,
  tag: string | undefined,
  signal: AbortSignal,
): Promise<FoundReferrer> {
  const read = (node: Descriptor): Promise<ManifestNode> => session.read(source, node, signal);
  const root = await read(descriptor);
  requireKnownType(root);
  const manifests = await withChildren(root, read);
  return { root, manifests, blobs: blobsOf(session, source, manifests), tag, source };
}

interface ReferrerState {
  readonly leftOut: LeftOutReferrers;
  readonly proved: ProvedBlobs;
}

/**
 * Finds the referrers of the image, of each manifest of its index, and theirs in turn; cosign's
 * tags too. Those that cannot be read are left out.
 */
async function referrersOf(
  session: CopySession,
  source: Source,
  { root, carried, leftOut, proved }: NarrowedImage & ReferrerState,
  signal: AbortSignal,
): Promise<readonly FoundReferrer[]> {
  const subjects = await subjectsOf(session, source, root, signal, carried);
  const found: { readonly descriptor: Descriptor; readonly tag?: string }[] = [];
  await leftOut.attempt(signal, async () => {
    for await (const referrer of walkReferrers(session, source, subjects, { signal, leftOut }))
      found.push(referrer);
  });
  found.push(...(await taggedReferrers(session, source, subjects, { signal, leftOut })));
  const read = await together(
    found.map(
      ({ descriptor: { mediaType, digest, size }, tag }) =>
        (either: AbortSignal) =>
          leftOut.attempt(either, async () => {
            const node = { mediaType, digest, size };
            const referrer = await readReferrer(session, source, node, tag, either);
            const tasks = referrer.blobs.map(
              ({ descriptor, source: from }) =>
                async (inner: AbortSignal) => ({
                  descriptor,
                  source: await proved.prove(session, from, descriptor, inner),
                }),
            );
            return { ...referrer, blobs: await together(tasks, either) };
          }),
    ),
    signal,
  );
  return read.filter((referrer) => referrer !== undefined);
}

/**
 * In the archive a referrer belongs to the repository of its subject, by digest. A manifest with a
 * tag of cosign's keeps it.
 */
function jobOfReferrer(
  { name, image }: ExportJob,
  { root, tag, source }: FoundReferrer,
): ExportJob {
  const { digest } = root.descriptor;
  const common = { source, reference: digest, image };
  if (name === undefined) return { ...common, ...(tag !== undefined && { tag }) };
  const { domain, path } = name;
  return {
    ...common,
    name: tag === undefined ? { domain, path, digest } : { domain, path, tag: parseTag(tag) },
  };
}

/** The manifest and all manifests below it, children first; of an index the carried ones. */
async function withChildren(
  node: ManifestNode,
  read: ReadNode,
  carried?: Carried,
  depth = 0,
): Promise<readonly ManifestNode[]> {
  if (depth > LIMITS.indexDepth) {
    throw new InvalidManifestError(
      `Cannot export ${node.descriptor.digest}: expected at most ${LIMITS.indexDepth} levels of indexes`,
    );
  }
  const children = carriedChildren(node.manifest, carried).filter(({ mediaType }) =>
    isManifestType(mediaType),
  );
  const below = await Promise.all(
    children.map(async (child) => withChildren(await read(child), read, carried, depth + 1)),
  );
  return [...below.flat(), node];
}

function blobsOf(
  session: CopySession,
  source: Source,
  manifests: readonly ManifestNode[],
): readonly CollectedNode[] {
  return manifests.flatMap(({ manifest }) =>
    childrenOf(manifest).flatMap((descriptor) => {
      if (isManifestType(descriptor.mediaType)) return [];
      return session.leavesForeign(descriptor, '') ? [] : [{ descriptor, source }];
    }),
  );
}
