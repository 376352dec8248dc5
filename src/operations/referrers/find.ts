import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { canListReferrers, type Source } from '../../store.ts';
import { cosignTags, subjectsOf } from './copy.ts';
import type { CopySession } from '../copy/session.ts';
import type { ManifestNode } from '../copy/read-manifest.ts';
import { resolveIfThere } from '../copy/resolve-image.ts';

/** What signs or describes an image. */
export interface FoundReferrer {
  readonly root: ManifestNode;
  /** The tag by which cosign finds it; undefined for what has a subject. */
  readonly tag: string | undefined;
}

/** Finds what refers to the image, to each manifest of its index, and to those in turn; cosign's tags too. */
export async function referrersOf(
  session: CopySession,
  source: Source,
  root: ManifestNode,
  signal: AbortSignal,
): Promise<readonly FoundReferrer[]> {
  const visit = async (subject: Descriptor, depth: number): Promise<readonly ManifestNode[]> => {
    if (depth > LIMITS.indexDepth || !canListReferrers(source)) return [];
    const nodes: ManifestNode[] = [];
    for await (const { mediaType, digest, size } of source.listReferrers(subject, { signal })) {
      const node = await session.read(source, { mediaType, digest, size }, signal);
      nodes.push(node, ...(await visit(node.descriptor, depth + 1)));
    }
    return nodes;
  };
  const tagged = async (tag: string): Promise<readonly FoundReferrer[]> => {
    const there = await session.ask(source, signal, () => resolveIfThere(source, tag, { signal }));
    return there === undefined ? [] : [{ root: await session.read(source, there, signal), tag }];
  };
  const subjects = subjectsOf(root);
  const [listed, signed] = await Promise.all([
    Promise.all(subjects.map((subject) => visit(subject, 0))),
    Promise.all(subjects.flatMap(({ digest }) => cosignTags(digest)).map(tagged)),
  ]);
  const distinct = new Map<Digest, ManifestNode>(
    listed.flat().map((node) => [node.descriptor.digest, node]),
  );
  return [
    ...[...distinct.values()].map((node) => ({ root: node, tag: undefined })),
    ...signed.flat(),
  ];
}
