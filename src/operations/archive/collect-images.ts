import { LIMITS } from '../../limits.ts';
import { InvalidManifestError, type Descriptor, type Platform } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { childrenOf } from '../../oci/manifest.ts';
import { isForeignLayerType, isManifestType } from '../../oci/media-types.ts';
import { parseTag, type Reference } from '../../oci/reference.ts';
import { RegiError } from '../../errors.ts';
import type { CallOptions, Source } from '../../store.ts';
import type { CopySession } from '../copy/session.ts';
import { inOrder } from '../../concurrency/in-order.ts';
import { together } from '../../concurrency/together.ts';
import { subjectsOf, taggedReferrers, walkReferrers } from '../referrers/walk.ts';
import { narrowImage } from '../copy/narrow-image.ts';
import type { ManifestNode } from '../copy/read-manifest.ts';

/** One image to put into an archive. */
export interface ExportJob {
  readonly source: Source;
  /** Tag or digest at the source; empty where the source holds one image only. */
  readonly reference: string;
  /** What the image is called in the archive. */
  readonly name?: Reference | undefined;
  /** A bare tag instead: for an image whose repository nobody knows. */
  readonly tag?: string | undefined;
  /** Its name as a person reads it. */
  readonly image: string;
}

/** A node and who has it. */
export interface CollectedNode {
  readonly descriptor: Descriptor;
  readonly source: Source;
}

export interface CollectedImage {
  readonly job: ExportJob;
  readonly root: ManifestNode;
  /** It came along because it refers to an image that was asked for. */
  readonly isReferrer: boolean;
}

/** Everything that an archive of these images holds, each node once, in the order in which it was named. */
export interface ImageSet {
  readonly images: readonly CollectedImage[];
  /** Children before parents. Their bytes are held: all sizes and digests come from them. */
  readonly manifests: ReadonlyMap<Digest, ManifestNode>;
  readonly blobs: ReadonlyMap<Digest, CollectedNode>;
}

export interface CollectOptions extends CallOptions {
  /** One: that platform's manifest. Several: an index of those. None: everything, unchanged. */
  readonly platforms?: readonly Platform[] | undefined;
  /** What refers to the images too: signatures, SBOMs, attestations. */
  readonly referrers?: boolean | undefined;
}

/** An image that cannot be put into an archive: which. Code and hint are the cause's. */
class ExportError extends RegiError {
  readonly image: string;

  constructor(image: string, cause: RegiError) {
    super(cause.code, `Cannot archive "${image}": ${cause.message}`, { hint: cause.hint, cause });
    this.image = image;
  }
}

const IMAGES_AT_ONCE = 32;

/**
 * Reads the manifests of images, and nothing else, and says what belongs to them. The order depends on the jobs alone.
 *
 * @throws {ExportError} with the code of what went wrong, at the first image that cannot be read.
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
  const read = (job: ExportJob, inner: AbortSignal): Promise<Outcome> =>
    readImage(session, job, { ...options, signal: inner });
  for await (const outcome of inOrder(jobs, { limit: IMAGES_AT_ONCE, signal }, read)) {
    signal.throwIfAborted();
    if (outcome.kind === 'failed') throw outcome.error;
    images.push(...outcome.images);
    for (const node of outcome.manifests)
      if (!manifests.has(node.descriptor.digest)) manifests.set(node.descriptor.digest, node);
    for (const node of outcome.blobs)
      if (!blobs.has(node.descriptor.digest)) blobs.set(node.descriptor.digest, node);
  }
  signal.throwIfAborted();
  return { images, manifests, blobs };
}

type Outcome =
  | {
      readonly kind: 'read';
      readonly images: readonly CollectedImage[];
      readonly manifests: readonly ManifestNode[];
      readonly blobs: readonly CollectedNode[];
    }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Never rejects: an image that fails while another is awaited must not be an unhandled rejection. */
async function readImage(
  session: CopySession,
  job: ExportJob,
  options: CollectOptions & { readonly signal: AbortSignal },
): Promise<Outcome> {
  const { platforms = [], signal } = options;
  try {
    const { source } = job;
    const found = await session.ask(source, signal, () =>
      source.resolve(job.reference, { signal }),
    );
    const root = await narrowed(
      session,
      source,
      await session.read(source, found, signal),
      platforms,
      signal,
    );
    session.onEvent({ kind: 'resolved', image: job.image, root: root.descriptor });
    const own = await walk(session, source, root, signal, 0);
    const referring =
      options.referrers === true ? await referrersOf(session, source, root, signal) : [];
    const theirs = await Promise.all(
      referring.map((referrer) => walk(session, source, referrer.root, signal, 0)),
    );
    const manifests = [...own, ...theirs.flat()];
    const images = [
      { job, root, isReferrer: false },
      ...referring.map((referrer) => ({
        job: jobOfReferrer(job, referrer),
        root: referrer.root,
        isReferrer: true,
      })),
    ];
    return { kind: 'read', images, manifests, blobs: blobsOf(session, source, manifests) };
  } catch (error) {
    return {
      kind: 'failed',
      error:
        error instanceof RegiError && !signal.aborted ? new ExportError(job.image, error) : error,
    };
  }
}

/** A referrer of an image, and the tag by which cosign finds it. */
interface FoundReferrer {
  readonly root: ManifestNode;
  readonly tag: string | undefined;
}

/** Finds the referrers of the image, of each manifest of its index, and theirs in turn; cosign's tags too. */
async function referrersOf(
  session: CopySession,
  source: Source,
  root: ManifestNode,
  signal: AbortSignal,
): Promise<readonly FoundReferrer[]> {
  const subjects = subjectsOf(root);
  const found: { readonly descriptor: Descriptor; readonly tag?: string }[] = [];
  for await (const referrer of walkReferrers(session, source, subjects, { signal }))
    found.push(referrer);
  found.push(...(await taggedReferrers(session, source, subjects, signal)));
  return together(
    found.map(
      ({ descriptor: { mediaType, digest, size }, tag }) =>
        async (either: AbortSignal) => ({
          root: await session.read(source, { mediaType, digest, size }, either),
          tag,
        }),
    ),
    signal,
  );
}

/** In the archive a referrer is of the repository of its subject, by its digest; what cosign names by a tag keeps that. */
function jobOfReferrer(
  { source, name, image }: ExportJob,
  { root, tag }: FoundReferrer,
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

async function narrowed(
  session: CopySession,
  source: Source,
  root: ManifestNode,
  platforms: readonly Platform[],
  signal: AbortSignal,
): Promise<ManifestNode> {
  if (platforms.length === 0) return root;
  return narrowImage(
    root,
    platforms,
    (descriptor) => session.read(source, descriptor, signal),
    source,
    { signal },
  );
}

/** The manifest and all below it, children first. */
async function walk(
  session: CopySession,
  source: Source,
  node: ManifestNode,
  signal: AbortSignal,
  depth: number,
): Promise<readonly ManifestNode[]> {
  if (depth > LIMITS.indexDepth) {
    throw new InvalidManifestError(
      `Cannot export ${node.descriptor.digest}: expected at most ${LIMITS.indexDepth} levels of indexes`,
    );
  }
  const children = childrenOf(node.manifest).filter(({ mediaType }) => isManifestType(mediaType));
  const below = await Promise.all(
    children.map(async (child) =>
      walk(session, source, await session.read(source, child, signal), signal, depth + 1),
    ),
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
      if (!isForeignLayerType(descriptor.mediaType)) return [{ descriptor, source }];
      session.onEvent({ kind: 'foreign', target: descriptor, to: '' });
      return [];
    }),
  );
}
