import { together } from '../../concurrency/together.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ManifestNode } from '../copy/read-manifest.ts';
import type { CopySession, Route } from '../copy/session.ts';
import { subjectsOf, taggedReferrers, walkReferrers } from './walk.ts';

/** Copies the referrers of the image and of each manifest of its index, their own referrers, and the tags of cosign. */
export async function copyReferrers(
  session: CopySession,
  route: Route,
  root: ManifestNode,
  signal: AbortSignal,
): Promise<void> {
  const { source, destination } = route;
  const subjects = subjectsOf(root);
  const levels: Descriptor[][] = [];
  for await (const { descriptor, depth } of walkReferrers(session, source, subjects, { signal }))
    (levels[depth - 1] ??= []).push(descriptor);
  // By level: some registries refuse a manifest whose subject they lack.
  for (const level of levels) {
    await together(
      level.map((referrer) => (either: AbortSignal) => session.land(route, referrer, either)),
      signal,
    );
  }
  const tagged = await taggedReferrers(session, source, subjects, signal);
  await together(
    tagged.map(({ descriptor, tag }) => async (either: AbortSignal) => {
      const node = await session.read(source, descriptor, either);
      await session.landChildren(route, node, either);
      await session.sendManifest(destination, node, either, tag);
    }),
    signal,
  );
}
