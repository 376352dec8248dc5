import { together } from '../../concurrency/together.ts';
import { RegiError, type ErrorCode } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Store } from '../../store.ts';
import { hasReferrers } from '../referrers/warn.ts';
import type { Carried } from './index-entries.ts';
import type { ManifestNode } from './read-manifest.ts';
import type { CopySession, Route } from './session.ts';

/** The root that is written, and the images of a sparse index that go with it. */
export interface WantedRoot {
  /** Not read where all of it is wanted. */
  readonly root: Descriptor | ManifestNode;
  readonly carried: Carried | undefined;
}

/** How a root is written. */
export interface LandRootOptions {
  readonly signal: AbortSignal;
  /** Sends again what the destination has. */
  readonly force?: boolean | undefined;
  readonly tag: string | undefined;
  /** True if the tag points at the root already. */
  readonly isTagged: boolean;
  /** Copies signatures, or all referrers. Returns how many failed. */
  readonly bring: ((node: ManifestNode, signal: AbortSignal) => Promise<number>) | undefined;
  /** Looks for referrers that are not copied. */
  readonly warns: boolean;
}

/** A root that is written and tagged. */
export interface LandedRoot {
  /** True if `warns` and the source has referrers that were not copied. */
  readonly isLeftBehind: boolean;
  /** Referrers that failed. */
  readonly leftOut: number;
}

/** Copies the root and tags it. A referrer that fails does not keep the tag from moving. */
export async function landRoot(
  session: CopySession,
  route: Route,
  { root, carried }: WantedRoot,
  options: LandRootOptions,
): Promise<LandedRoot> {
  const { signal, force = false, isTagged, warns, bring } = options;
  const { destination } = route;
  const target = descriptorIn(root);
  const [node, isThere] = await together<[ManifestNode, boolean]>(
    [
      async (either) => ('manifest' in root ? root : session.read(route.source, root, either)),
      async (either) => (isTagged && !force) || session.isThere(destination, target, either),
    ],
    signal,
  );
  const send = async (either: AbortSignal, tag?: string): Promise<void> => {
    try {
      await session.sendManifest(route, node, either, tag);
    } catch (error) {
      throw carried === undefined || either.aborted ? error : sparseRefused(error, destination);
    }
  };
  const land = async (either: AbortSignal): Promise<number> => {
    let failed = 0;
    if (!isThere || force || carried !== undefined)
      await session.landChildren(route, node, either, { carried });
    if (bring !== undefined) {
      // The subject, then its referrers, then the tag: a reader who sees the tag sees the
      // signatures too.
      if (!isThere || force) await send(either);
      failed = await bring(node, either);
    }
    if (!isTagged || force) await send(either, options.tag);
    return failed;
  };
  // The question runs while the blobs move: after them it would be a round trip to wait for.
  const [leftOut, isLeftBehind] = await together<[number, boolean]>(
    [land, async (either) => warns && hasReferrers(session, route.source, target, either)],
    signal,
  );
  return { isLeftBehind, leftOut };
}

/** Refusals of a manifest, rather than of the request. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'REFUSED',
  'NOT_FOUND',
  'UNSUPPORTED',
  'SERVER_FAILED',
]);

function sparseRefused(error: unknown, { place }: Store): unknown {
  if (!(error instanceof RegiError) || !REFUSALS.has(error.code)) return error;
  return new RegiError(
    error.code,
    `${place.replace(/^registry:/, '')} refuses an index without all of its images: ${error.message}`,
    {
      hint: 'drop --sparse to write a smaller index with another digest; or let the registry accept such indexes (docker-registry 3: validation.manifests.indexes.platforms, regi serve: --sparse)',
      cause: error,
    },
  );
}

/** Returns the descriptor of a root, whether it has been read or not. */
export function descriptorIn(root: Descriptor | ManifestNode): Descriptor {
  return 'manifest' in root ? root.descriptor : root;
}
