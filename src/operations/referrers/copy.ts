import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, encodedOf, type Digest } from '../../oci/digest.ts';
import { canListReferrers } from '../../store.ts';
import type { CopySession, Route } from '../copy/session.ts';
import type { ManifestNode } from '../copy/read-manifest.ts';
import { resolveIfThere } from '../copy/resolve-image.ts';
import { together } from '../../concurrency/together.ts';

/** Tags under which cosign keeps signatures, attestations and SBOMs of a manifest: `sha256-<hex>.sig`. None for a sha512, which no tag is long enough for. */
export function cosignTags(digest: Digest): readonly string[] {
  if (algorithmOf(digest) !== 'sha256') return [];
  return ['sig', 'att', 'sbom'].map(
    (kind) => `${algorithmOf(digest)}-${encodedOf(digest)}.${kind}`,
  );
}

/** Brings what refers to the image and to each manifest of its index, and what refers to those, to the destination. */
export async function landReferrers(
  session: CopySession,
  route: Route,
  root: ManifestNode,
  signal: AbortSignal,
): Promise<void> {
  const { source } = route;
  if (!canListReferrers(source)) return;
  const seen = new Set<Digest>();
  const visit = async (subject: Descriptor, depth: number, either: AbortSignal): Promise<void> => {
    if (seen.has(subject.digest) || depth > LIMITS.indexDepth) return;
    seen.add(subject.digest);
    for await (const referrer of source.listReferrers(subject, { signal: either })) {
      await session.land(route, referrer, either);
      await visit(referrer, depth + 1, either);
    }
  };
  await together(
    subjectsOf(root).map((subject) => (either: AbortSignal) => visit(subject, 0, either)),
    signal,
  );
}

/** Copies cosign's tags of the image and of each manifest of its index, as far as the source has them. */
export async function copyCosignTags(
  session: CopySession,
  route: Route,
  root: ManifestNode,
  signal: AbortSignal,
): Promise<void> {
  const tags = subjectsOf(root).flatMap(({ digest }) => cosignTags(digest));
  const copyTag = async (tag: string, either: AbortSignal): Promise<void> => {
    const found = await session.ask(route.source, either, () =>
      resolveIfThere(route.source, tag, { signal: either }),
    );
    if (found === undefined) return;
    const node = await session.read(route.source, found, either);
    await session.landChildren(route, node, either);
    await session.sendManifest(route.destination, node, either, tag);
  };
  await together(
    tags.map((tag) => (either: AbortSignal) => copyTag(tag, either)),
    signal,
  );
}

/** The image, and each manifest of its index. */
export function subjectsOf({ descriptor, manifest }: ManifestNode): readonly Descriptor[] {
  return manifest.kind === 'index' ? [descriptor, ...manifest.manifests] : [descriptor];
}
