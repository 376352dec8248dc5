import { RegiError } from '../../errors.ts';
import { sameContent, type Descriptor, type Platform } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { quote } from '../../quote.ts';
import type { CallOptions, Source, Store } from '../../store.ts';
import type { Gate } from '../../trust/gate.ts';
import { copyReferrers } from '../referrers/copy.ts';
import { admitImage } from '../referrers/signatures.ts';
import { hasReferrers } from '../referrers/warn.ts';
import { CopySession, type CopySessionOptions, type Route } from './session.ts';
import { narrowImage } from './narrow-image.ts';
import type { ManifestNode } from './read-manifest.ts';
import { resolveIfThere } from './resolve-image.ts';
import { together } from '../../concurrency/together.ts';

/** One image to copy. */
export interface CopyJob {
  /** The repository to read. */
  readonly source: Source;
  /** Tag or digest at the source; empty where the source holds a single image. */
  readonly reference: string;
  /** The repository to write. */
  readonly destination: Store;
  /** The tag at the destination; without one the image is stored by digest only. */
  readonly tag?: string | undefined;
  /** The digest in the destination's name: no other manifest may be copied there. */
  readonly pinned?: Digest | undefined;
  /** The destination's name, for events and messages. */
  readonly image: string;
  /** What the caller has just resolved, so that it is not asked for again. */
  readonly known?: KnownRoots | undefined;
  /** Emits a warning when the source has referrers that are not copied. Costs two requests. */
  readonly warnOfReferrers?: boolean | undefined;
  /** Has to admit the image before anything is written. Signatures then move along, and no other referrers. */
  readonly gate?: Gate | undefined;
}

/** Both ends of a job, resolved. */
export interface KnownRoots {
  /** The manifest that the source's name points at. */
  readonly source: Descriptor;
  /** The manifest of the destination's tag; undefined where it has no such tag. */
  readonly destination: Descriptor | undefined;
}

/** How one image is copied. */
export interface CopyImageOptions extends CallOptions {
  /** One: copies the manifest of that platform. Several: an index of those. None: everything, unchanged. */
  readonly platforms?: readonly Platform[] | undefined;
  /** Walks, proves what the destination holds where it can, and mends it, even when the tag matches. */
  readonly force?: boolean | undefined;
  /** Never overwrites an existing tag. */
  readonly noClobber?: boolean | undefined;
  /** Copies referrers too: signatures, SBOMs, attestations. */
  readonly referrers?: boolean | undefined;
}

/** The result of one copy. */
export interface CopiedImage {
  /** The destination's name, as the job gave it. */
  readonly image: string;
  /** The manifest at the destination. */
  readonly root: Descriptor;
  /** `kept`: the tag points at other content and was not overwritten. */
  readonly outcome: 'copied' | 'unchanged' | 'kept';
  /** Referrers, and lists of them, that failed. A warning names them; the image is complete without them. */
  readonly leftOut: number;
}

/** The copy of one image failed. Code and hint are those of the cause. */
export class CopyError extends RegiError {
  /** The destination's name, as people write it. */
  readonly image: string;

  constructor(image: string, cause: RegiError) {
    super(cause.code, `Cannot copy to ${quote(image)}: ${cause.message}`, {
      hint: cause.hint,
      findings: cause.findings,
      cause,
    });
    this.image = image;
  }
}

function otherDigestError(wanted: Digest, found: Digest): RegiError {
  return new RegiError(
    'CONTENT_MISMATCH',
    `Cannot copy ${found} to another digest: expected ${wanted}`,
    {
      hint: 'omit the digest of the destination, or name that digest at the source',
    },
  );
}

/**
 * Copies one image. The tag moves last, so no reader ever sees a partial image. Digests change only if `platforms` narrows.
 *
 * @throws {CopyError} with the code of what went wrong.
 */
export async function copyImage(
  job: CopyJob,
  options: CopyImageOptions & CopySessionOptions = {},
): Promise<CopiedImage> {
  const { signal = new AbortController().signal } = options;
  signal.throwIfAborted();
  return copyInSession(new CopySession(options), job, { ...options, signal });
}

/** Like `copyImage()`, for one of several images that share a session. */
export async function copyInSession(
  session: CopySession,
  job: CopyJob,
  options: CopyImageOptions & { readonly signal: AbortSignal },
): Promise<CopiedImage> {
  try {
    return await copyOne(session, job, options);
  } catch (error) {
    options.signal.throwIfAborted();
    throw error instanceof RegiError ? new CopyError(job.image, error) : error;
  }
}

async function copyOne(
  session: CopySession,
  job: CopyJob,
  options: CopyImageOptions & { readonly signal: AbortSignal },
): Promise<CopiedImage> {
  const { source, destination, image, tag } = job;
  const { signal } = options;
  const route: Route = { source, destination };
  const { source: found, destination: there } =
    job.known ?? (await resolveEnds(session, job, signal));
  const narrowed = await narrowRoot(session, route, found, options);
  const root = narrowed?.descriptor ?? found;
  const signatures =
    job.gate && (await admitImage(session, route, job.gate, { found, root, narrowed }, signal));
  if (job.pinned !== undefined && job.pinned !== root.digest)
    throw otherDigestError(job.pinned, root.digest);
  session.onEvent({ kind: 'resolved', image, root });
  const same = there !== undefined && there.digest === root.digest;
  if (there !== undefined && !same && options.noClobber === true) {
    session.onEvent({ kind: 'kept', image, root: there });
    return { image, root: there, outcome: 'kept', leftOut: 0 };
  }
  const bring =
    signatures !== undefined
      ? signatures
      : options.referrers === true
        ? async (node: ManifestNode, either: AbortSignal) =>
            copyReferrers(session, route, { root: node, image }, either)
        : undefined;
  if (same && options.force !== true && bring === undefined) {
    session.onEvent({ kind: 'unchanged', image, root });
    return { image, root, outcome: 'unchanged', leftOut: 0 };
  }
  const { isLeftBehind, leftOut } = await landRoot(session, route, narrowed ?? root, {
    ...options,
    tag,
    same,
    bring,
    warns: job.warnOfReferrers === true && bring === undefined && !same,
  });
  session.onEvent({ kind: same ? 'unchanged' : 'tagged', image, root });
  if (isLeftBehind)
    session.onEvent({
      kind: 'warning',
      message: 'The image has signatures or other referrers, which were not copied',
      hint: 'add --referrers to copy them too',
    });
  return { image, root, outcome: same ? 'unchanged' : 'copied', leftOut };
}

/** Resolves the source, and the tag of the destination, at once. */
async function resolveEnds(
  session: CopySession,
  { source, reference, destination, tag }: CopyJob,
  signal: AbortSignal,
): Promise<KnownRoots> {
  const [found, there] = await together<[Descriptor, Descriptor | undefined]>(
    [
      // Images in progress go first: otherwise all would end together, and the destination would idle until then.
      (either) =>
        session.ask(source, either, () => source.resolve(reference, { signal: either }), {
          yields: true,
        }),
      async (either) =>
        tag === undefined
          ? undefined
          : session.ask(
              destination,
              either,
              () => resolveIfThere(destination, tag, { signal: either }),
              { yields: true },
            ),
    ],
    signal,
  );
  return { source: found, destination: there };
}

interface LandRootOptions extends CopyImageOptions {
  readonly signal: AbortSignal;
  readonly tag: string | undefined;
  /** True if the tag points at the root already. */
  readonly same: boolean;
  /** Copies signatures, or all referrers. Returns how many failed. */
  readonly bring: ((node: ManifestNode, signal: AbortSignal) => Promise<number>) | undefined;
  /** Looks for referrers that are not copied. */
  readonly warns: boolean;
}

interface LandedRoot {
  /** True if `warns` and the source has referrers that were not copied. */
  readonly isLeftBehind: boolean;
  /** Referrers that failed. */
  readonly leftOut: number;
}

/** Copies the root and tags it. A referrer that fails does not keep the tag from moving. */
async function landRoot(
  session: CopySession,
  route: Route,
  root: Descriptor | ManifestNode,
  options: LandRootOptions,
): Promise<LandedRoot> {
  const { signal, force = false, same, warns, bring } = options;
  const { destination } = route;
  const target = 'manifest' in root ? root.descriptor : root;
  const [node, isThere] = await together<[ManifestNode, boolean]>(
    [
      async (either) => ('manifest' in root ? root : session.read(route.source, root, either)),
      async (either) => (same && !force) || session.isThere(destination, target, either),
    ],
    signal,
  );
  const land = async (either: AbortSignal): Promise<number> => {
    let failed = 0;
    if (!isThere || force) await session.landChildren(route, node, either);
    if (bring !== undefined) {
      // The subject, then its referrers, then the tag: a reader who sees the tag sees the signatures too.
      if (!isThere || force) await session.sendManifest(route, node, either);
      failed = await bring(node, either);
    }
    if (!same || force) await session.sendManifest(route, node, either, options.tag);
    return failed;
  };
  // The question runs while the blobs move: after them it would be a round trip to wait for.
  const [leftOut, isLeftBehind] = await together<[number, boolean]>(
    [land, async (either) => warns && hasReferrers(session, route.source, target, either)],
    signal,
  );
  return { isLeftBehind, leftOut };
}

async function narrowRoot(
  session: CopySession,
  { source }: Route,
  root: Descriptor,
  options: CopyImageOptions & { readonly signal: AbortSignal },
): Promise<ManifestNode | undefined> {
  const { platforms = [], signal } = options;
  if (platforms.length === 0) return undefined;
  const read = (descriptor: Descriptor): Promise<ManifestNode> =>
    session.read(source, descriptor, signal);
  const narrowed = await narrowImage(await read(root), platforms, read, source, { signal });
  if (!sameContent(narrowed.descriptor, root) && narrowed.manifest.kind === 'index') {
    session.onEvent({
      kind: 'warning',
      message: `The index was narrowed to ${narrowed.manifest.manifests.length} manifests and has a new digest`,
      hint: 'signatures of the full index do not apply to it',
    });
  }
  return narrowed;
}
