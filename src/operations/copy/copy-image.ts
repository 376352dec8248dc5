import { RegiError } from '../../errors.ts';
import { sameContent, type Descriptor, type Platform } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { quote } from '../../quote.ts';
import { RegistryResponseError } from '../../registry/errors.ts';
import type { CallOptions, ListedTags, Source, Store } from '../../store.ts';
import type { Gate } from '../../trust/gate.ts';
import { copyReferrers } from '../referrers/copy.ts';
import { admitImage } from '../referrers/signatures.ts';
import { CopySession, type CopySessionOptions, type Route } from './session.ts';
import { convertFormat, type ManifestFormat } from './convert-format.ts';
import type { Carried } from './index-entries.ts';
import { descriptorIn, landRoot, type WantedRoot } from './land-root.ts';
import { narrowInSession } from './narrow-image.ts';
import type { ManifestNode } from './read-manifest.ts';
import { resolveIfThere } from './resolve-image.ts';
import { together } from '../../concurrency/together.ts';

/** One image to copy. */
export interface CopyJob extends ListedTags {
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
  /**
   * True for one of several images: platforms that it lacks are passed over, and without any of
   * them, so is the image.
   */
  readonly oneOfMany?: boolean | undefined;
  /**
   * True for a manifest that regi made of an old archive: where the destination refuses its types,
   * OCI's are tried, once.
   */
  readonly isMade?: boolean | undefined;
  /**
   * Has to admit the image before anything is written. Signatures then move along, and no other
   * referrers.
   */
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
  /**
   * One: copies the manifest of that platform. Several: an index of those. None: everything,
   * unchanged.
   */
  readonly platforms?: readonly Platform[] | undefined;
  /**
   * Keeps an index byte for byte, with only the images of `platforms`; without platforms, with
   * those that the source has.
   */
  readonly sparse?: boolean | undefined;
  /**
   * Converts manifests to these media types, which changes their digests. Signatures and other
   * referrers stay behind.
   */
  readonly format?: ManifestFormat | undefined;
  /**
   * Walks, proves what the destination holds where it can, and mends it, even when the tag matches.
   */
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
  /**
   * `kept`: the tag points at other content and was not overwritten. `passed`: the image has none
   * of the wanted platforms.
   */
  readonly outcome: 'copied' | 'unchanged' | 'kept' | 'passed';
  /**
   * Referrers, and lists of them, that failed. A warning names them; the image is complete without
   * them.
   */
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
 * Copies one image. The tag moves last, so no reader ever sees a partial image. Digests change only
 * if `platforms` narrows.
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
    try {
      return options.format === undefined
        ? await copyOne(session, job, options)
        : await copyConverted(session, job, options.format, options);
    } catch (error) {
      if (job.isMade !== true || options.format !== undefined || !refusesTypes(error)) throw error;
      session.onEvent({
        kind: 'warning',
        message: `${error.host} takes no docker media types: the manifest is written with those of OCI`,
        hint: '--format oci does so from the start',
      });
      return await copyConverted(session, job, 'oci', options);
    }
  } catch (error) {
    options.signal.throwIfAborted();
    throw error instanceof RegiError ? new CopyError(job.image, error) : error;
  }
}

/** True if a registry refused a manifest for its media types. */
function refusesTypes(error: unknown): error is RegistryResponseError {
  return (
    error instanceof RegistryResponseError &&
    error.method === 'PUT' &&
    (error.status === 415 || error.problems.some(({ code }) => code === 'MANIFEST_INVALID'))
  );
}

async function copyConverted(
  session: CopySession,
  job: CopyJob,
  format: ManifestFormat,
  options: CopyImageOptions & { readonly signal: AbortSignal },
): Promise<CopiedImage> {
  const { signal } = options;
  const { source: found, destination } = job.known ?? (await resolveEnds(session, job, options));
  const { source, root } = await convertFormat(job.source, found, format, (node) =>
    session.read(job.source, node, signal),
  );
  return copyOne(session, { ...job, source, known: { source: root, destination } }, options);
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
    job.known ?? (await resolveEnds(session, job, options));
  const wanted = await wantedRoot(session, job, found, options);
  if (wanted === undefined) {
    session.onEvent({ kind: 'passed', image, root: found });
    return { image, root: found, outcome: 'passed', leftOut: 0 };
  }
  const { carried } = wanted;
  const root = descriptorIn(wanted.root);
  const roots = {
    found,
    root,
    narrowed: 'manifest' in wanted.root ? wanted.root : undefined,
    carried,
  };
  const signatures = job.gate && (await admitImage(session, route, job.gate, roots, signal));
  if (job.pinned !== undefined && job.pinned !== root.digest)
    throw otherDigestError(job.pinned, root.digest);
  session.onEvent({ kind: 'resolved', image, root });
  const isTagged = there !== undefined && there.digest === root.digest;
  if (there !== undefined && !isTagged && options.noClobber === true) {
    session.onEvent({ kind: 'kept', image, root: there });
    return { image, root: there, outcome: 'kept', leftOut: 0 };
  }
  // A sparse index of the same digest may have other images there.
  const same = isTagged && (await hasAll(session, destination, carried, signal));
  const bring =
    signatures !== undefined
      ? signatures
      : options.referrers === true
        ? async (node: ManifestNode, either: AbortSignal) =>
            copyReferrers(
              session,
              route,
              { root: node, image, carried, listed: job.listed },
              either,
            )
        : undefined;
  if (same && options.force !== true && bring === undefined) {
    session.onEvent({ kind: 'unchanged', image, root });
    return { image, root, outcome: 'unchanged', leftOut: 0 };
  }
  const { isLeftBehind, leftOut } = await landRoot(session, route, wanted, {
    ...options,
    tag,
    isTagged,
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

async function hasAll(
  session: CopySession,
  destination: Store,
  carried: Carried | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const present = await together(
    [...(carried?.values() ?? [])].map(
      (node) => (either: AbortSignal) => session.isThere(destination, node, either),
    ),
    signal,
  );
  return present.every(Boolean);
}

/** Resolves the source, and the tag of the destination, at once. */
async function resolveEnds(
  session: CopySession,
  { source, reference, destination, tag }: CopyJob,
  { sparse, signal }: CopyImageOptions & { readonly signal: AbortSignal },
): Promise<KnownRoots> {
  const [found, there] = await together<[Descriptor, Descriptor | undefined]>(
    [
      // Images in progress go first: otherwise all would end together, and the destination would
      // idle until then.
      (either) =>
        session.ask(
          source,
          either,
          () => source.resolve(reference, { signal: either, whole: sparse }),
          { yields: true },
        ),
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

/**
 * Returns what is wanted of an image; undefined if it is one of many, and has none of the wanted
 * platforms.
 */
async function wantedRoot(
  session: CopySession,
  { source, image, oneOfMany = false }: CopyJob,
  found: Descriptor,
  { platforms = [], sparse, signal }: CopyImageOptions & { readonly signal: AbortSignal },
): Promise<WantedRoot | undefined> {
  if (platforms.length === 0 && sparse !== true) return { root: found, carried: undefined };
  const narrowed = await narrowInSession(
    session,
    source,
    found,
    { platforms, sparse, optional: oneOfMany, image },
    signal,
  );
  if (narrowed === undefined) return undefined;
  const { root, carried } = narrowed;
  if (!sameContent(root.descriptor, found) && root.manifest.kind === 'index') {
    session.onEvent({
      kind: 'warning',
      message: `The index was narrowed to ${root.manifest.manifests.length} manifests and has a new digest`,
      hint: 'signatures of the full index do not apply to it; --sparse keeps the index and its digest',
    });
  }
  return { root, carried };
}
