import { together } from '../../concurrency/together.ts';
import { RegiError, UNREADABLE } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { attestedDigest, isAttestation, isTelling, shownTypeOf } from '../../oci/manifest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import type { CallOptions, Source } from '../../store.ts';
import type { ManifestNode } from '../copy/read-manifest.ts';
import { CopySession, type CopySessionOptions } from '../copy/session.ts';
import type { LeftOutReferrers } from './left-out.ts';
import { subjectsOf, taggedReferrers, walkReferrers, type WalkOptions } from './walk.ts';

/** A signature, SBOM or attestation of an image, with its own referrers. */
export interface ReferrerNode {
  readonly descriptor: Descriptor;
  readonly artifactType: string | undefined;
  /**
   * `subject`: its manifest names the image. `tag`: a tag of cosign's does. `index`: it stands
   * beside the image in the index.
   */
  readonly found: 'subject' | 'tag' | 'index';
  /** The tag of cosign's. */
  readonly tag: string | undefined;
  readonly referrers: readonly ReferrerNode[];
}

/** An image, or one of the manifests of its index, with its referrers. */
export interface SubjectNode {
  readonly descriptor: Descriptor;
  /** Set for manifests of an index. */
  readonly platform: string | undefined;
  readonly referrers: readonly ReferrerNode[];
}

export interface ReferrerTreeOptions extends CallOptions, Pick<CopySessionOptions, 'lanes'> {
  /** Keeps nodes of such a type, and those that lead to one. */
  readonly accepts?: ((artifactType: string) => boolean) | undefined;
  /** Collects lists that fail; without it the first failure is thrown. */
  readonly leftOut?: LeftOutReferrers | undefined;
}

const ATTESTATION_TYPE = 'application/vnd.in-toto+json';

/**
 * Finds the referrers of an image and of each manifest of its index, to any depth: by subject, by
 * cosign's tags, and attestations in the index.
 */
export async function referrerTree(
  source: Source,
  root: ManifestNode,
  options: ReferrerTreeOptions = {},
): Promise<readonly SubjectNode[]> {
  const { accepts = () => true, signal = new AbortController().signal, lanes, leftOut } = options;
  const session = new CopySession({ lanes });
  const entries = await subjectsOf(session, source, root, signal);
  const subjects = entries.filter((entry) => !isAttestation(entry));
  const [listed, tagged] = await together<[readonly FlatNode[], readonly FlatNode[]]>(
    [
      (either) => listedNodes(session, source, subjects, { signal: either, leftOut }),
      (either) => taggedNodes(session, source, subjects, { signal: either, leftOut }),
    ],
    signal,
  );
  const below = new Map<string | undefined, FlatNode[]>();
  for (const found of [...listed, ...tagged, ...entries.filter(isAttestation).map(attestationNode)])
    below.set(found.subject, [...(below.get(found.subject) ?? []), found]);
  const nodesBelow = (digest: string): readonly ReferrerNode[] =>
    (below.get(digest) ?? []).flatMap(({ node }) => {
      const referrers = node.found === 'subject' ? nodesBelow(node.descriptor.digest) : [];
      return referrers.length > 0 || accepts(node.artifactType ?? '')
        ? [{ ...node, referrers }]
        : [];
    });
  return subjects.map((descriptor, index) => ({
    descriptor,
    platform: index === 0 ? undefined : platformOf(descriptor),
    referrers: nodesBelow(descriptor.digest),
  }));
}

interface FlatNode {
  readonly subject: string | undefined;
  /** Without its own referrers. */
  readonly node: Omit<ReferrerNode, 'referrers'>;
}

async function listedNodes(
  session: CopySession,
  source: Source,
  subjects: readonly Descriptor[],
  options: WalkOptions,
): Promise<readonly FlatNode[]> {
  const nodes: ((either: AbortSignal) => Promise<FlatNode>)[] = [];
  for await (const { descriptor, subject } of walkReferrers(session, source, subjects, options))
    nodes.push(async (either) => {
      const { artifactType: listed } = descriptor;
      // Lists of older registries lack it, and cosign's tag says only that the config is empty.
      const artifactType = isTelling(listed)
        ? listed
        : await typeOf(session, source, descriptor, either);
      return { subject, node: { descriptor, artifactType, found: 'subject', tag: undefined } };
    });
  return together(nodes, options.signal);
}

async function taggedNodes(
  session: CopySession,
  source: Source,
  subjects: readonly Descriptor[],
  options: WalkOptions,
): Promise<readonly FlatNode[]> {
  const tagged = await taggedReferrers(session, source, subjects, options);
  return together(
    tagged.map(({ descriptor, subject, tag }) => async (either: AbortSignal): Promise<FlatNode> => {
      const artifactType = await typeOf(session, source, descriptor, either);
      return { subject, node: { descriptor, artifactType, found: 'tag', tag } };
    }),
    options.signal,
  );
}

function attestationNode(descriptor: Descriptor): FlatNode {
  const artifactType = ATTESTATION_TYPE;
  return {
    subject: attestedDigest(descriptor),
    node: { descriptor, artifactType, found: 'index', tag: undefined },
  };
}

async function typeOf(
  session: CopySession,
  source: Source,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return shownTypeOf((await session.read(source, descriptor, signal)).manifest);
  } catch (error) {
    signal.throwIfAborted();
    // A referrer that is gone or unreadable must not hide the others. It is shown by its media
    // type.
    if (error instanceof RegiError && UNREADABLE.has(error.code)) return undefined;
    throw error;
  }
}

function platformOf({ platform }: Descriptor): string | undefined {
  return platform === undefined || platform.os === 'unknown' ? undefined : formatPlatform(platform);
}
