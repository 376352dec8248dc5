import { LimitExceededError } from '../../bytes.ts';
import { mapInOrder } from '../../concurrency/map-in-order.ts';
import { together } from '../../concurrency/together.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, encodedOf, type Digest } from '../../oci/digest.ts';
import { isIndexType } from '../../oci/media-types.ts';
import { canListReferrers, type CallOptions, type ListedTags, type Source } from '../../store.ts';
import { readIndexTree, type Carried } from '../copy/index-entries.ts';
import type { ManifestNode } from '../copy/read-manifest.ts';
import { resolveIfThere } from '../copy/resolve-image.ts';
import type { CopySession } from '../copy/session.ts';
import type { LeftOutReferrers } from './left-out.ts';

/** A manifest found by a walk, with the node whose list named it first. */
export interface WalkedReferrer {
  readonly descriptor: Descriptor;
  readonly subject: Digest;
  /** 1 for a referrer of a root. */
  readonly depth: number;
}

/** A manifest that a tag of cosign's names. */
export interface TaggedReferrer {
  readonly descriptor: Descriptor;
  readonly subject: Digest;
  readonly tag: string;
}

export interface ReferrerLimits {
  readonly depth: number;
  /** Referrers of one node. */
  readonly width: number;
  /** Referrers in all. */
  readonly count: number;
}

export interface WalkOptions extends CallOptions, ListedTags {
  readonly signal: AbortSignal;
  /** For tests; the bounds of `LIMITS` when absent. */
  readonly limits?: ReferrerLimits | undefined;
  /** Collects lists that fail; without it the first failure is thrown. */
  readonly leftOut?: LeftOutReferrers | undefined;
}

const DEFAULT_LIMITS: ReferrerLimits = {
  depth: LIMITS.referrerDepth,
  width: LIMITS.referrersOfNode,
  count: LIMITS.referrers,
};

/** Lists requested ahead of the reader; the lanes of the session bound how many run at once. */
const LISTS_AT_ONCE = 24;

/**
 * Walks the referrers of the roots, of those referrers, and so on: level by level, in the order of
 * the lists. Each node is yielded once and asked about once, whatever the registry says, so cycles
 * end. A source without referrers yields none.
 *
 * @throws {LimitExceededError} past one of the limits; referrers found before that have been
 *   yielded.
 */
export async function* walkReferrers(
  session: CopySession,
  source: Source,
  roots: readonly Descriptor[],
  { signal, limits = DEFAULT_LIMITS, leftOut, listed }: WalkOptions,
): AsyncGenerator<WalkedReferrer> {
  if (!canListReferrers(source)) return;
  const seen = new Map(roots.map((root) => [root.digest, root]));
  let level: readonly Descriptor[] = [...seen.values()];
  let count = 0;
  for (let depth = 1; level.length > 0; depth += 1) {
    const next: Descriptor[] = [];
    const lists = mapInOrder(level, { limit: LISTS_AT_ONCE, signal }, async (node, inner) => {
      const found: Descriptor[] = [];
      const list = (): Promise<boolean> =>
        session.ask(source, inner, async () => {
          // A repeated question begins anew.
          found.length = 0;
          const call = { signal: inner, whole: leftOut !== undefined, listed };
          for await (const descriptor of source.listReferrers(node, call)) {
            if (found.length === limits.width) return true;
            found.push(descriptor);
          }
          return false;
        });
      // A list that breaks off is a failure, and its beginning is no less true.
      const isCut = await (leftOut === undefined ? list() : leftOut.attempt(inner, list));
      return { subject: node.digest, found, isCut };
    });
    for await (const { subject, found, isCut } of lists) {
      for (const descriptor of found) {
        if (seen.has(descriptor.digest)) continue;
        if (depth > limits.depth) throw tooMany(subject, `${limits.depth} levels`);
        if (count >= limits.count) throw tooMany(subject, `${limits.count} in all`);
        count += 1;
        seen.set(descriptor.digest, descriptor);
        next.push(descriptor);
        yield { descriptor, subject, depth };
      }
      if (isCut === true) throw tooMany(subject, `${limits.width} of one manifest`);
    }
    level = next;
  }
}

/** Finds the manifests that the tags of cosign for the subjects name. */
export async function taggedReferrers(
  session: CopySession,
  source: Source,
  subjects: readonly Descriptor[],
  { signal, leftOut, listed }: Pick<WalkOptions, 'leftOut' | 'listed' | 'signal'>,
): Promise<readonly TaggedReferrer[]> {
  const found = await together(
    subjects.flatMap(({ digest }) =>
      cosignTags(digest).map((tag) => async (either: AbortSignal) => {
        const resolve = (): Promise<Descriptor | undefined> =>
          session.ask(source, either, () =>
            resolveIfThere(source, tag, { signal: either, listed }),
          );
        const descriptor = await (leftOut === undefined
          ? resolve()
          : leftOut.attempt(either, resolve));
        // GitLab resolves tags of that shape to the subject itself.
        return descriptor === undefined || descriptor.digest === digest
          ? undefined
          : { descriptor, subject: digest, tag };
      }),
    ),
    signal,
  );
  return found.filter((referrer) => referrer !== undefined);
}

/**
 * Tags under which cosign keeps signatures, attestations and SBOMs of a manifest:
 * `sha256-<hex>.sig`. None for sha512, whose tag would be too long.
 */
export function cosignTags(digest: Digest): readonly string[] {
  if (algorithmOf(digest) !== 'sha256') return [];
  return ['sig', 'att', 'sbom'].map((kind) => `sha256-${encodedOf(digest)}.${kind}`);
}

/**
 * Lists the image, and each manifest of its index and of the indexes in it; of a sparse index, the
 * carried ones.
 */
export async function subjectsOf(
  session: CopySession,
  source: Source,
  root: ManifestNode,
  signal: AbortSignal,
  carried?: Carried,
): Promise<readonly Descriptor[]> {
  const { descriptor, manifest } = root;
  if (manifest.kind !== 'index' || !isIndexType(manifest.mediaType)) return [descriptor];
  const { inner, entries } = await readIndexTree(root, (node) =>
    session.read(source, node, signal),
  );
  const below = [...[...inner.values()].map((node) => node.descriptor), ...entries];
  return [
    descriptor,
    ...below.filter(({ digest }) => carried === undefined || carried.has(digest)),
  ];
}

function tooMany(subject: Digest, most: string): LimitExceededError {
  return new LimitExceededError(
    `Cannot list the referrers of ${subject}: expected at most ${most}, found more`,
    { hint: 'the registry may be broken or hostile; copy the image without its referrers' },
  );
}
