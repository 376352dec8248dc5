import { together } from '../../concurrency/together.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ListedTags } from '../../store.ts';
import type { Carried } from '../copy/index-entries.ts';
import type { ManifestNode } from '../copy/read-manifest.ts';
import type { CopySession, Route } from '../copy/session.ts';
import { LeftOutReferrers } from './left-out.ts';
import { subjectsOf, taggedReferrers, walkReferrers } from './walk.ts';

/**
 * Copies the referrers of the image and of each carried manifest of its index, their own referrers,
 * and the tags of cosign. One that fails is left out with a warning.
 *
 * @param image its name, for warnings.
 * @returns how many referrers, and lists of them, failed.
 */
export async function copyReferrers(
  session: CopySession,
  route: Route,
  {
    root,
    image,
    carried,
    listed,
  }: ListedTags & {
    readonly root: ManifestNode;
    readonly image: string;
    readonly carried?: Carried | undefined;
  },
  signal: AbortSignal,
): Promise<number> {
  const { source } = route;
  const subjects = await subjectsOf(session, source, root, signal, carried);
  const leftOut = new LeftOutReferrers();
  const levels: Descriptor[][] = [];
  await leftOut.attempt(signal, async () => {
    const walk = walkReferrers(session, source, subjects, { signal, leftOut, listed });
    for await (const { descriptor, depth } of walk) (levels[depth - 1] ??= []).push(descriptor);
  });
  // By level: some registries refuse a manifest whose subject they lack.
  for (const level of levels) {
    await together(
      level.map(
        (referrer) => (either: AbortSignal) =>
          leftOut.attempt(either, () =>
            session.land(route, referrer, either, { isManifest: true }),
          ),
      ),
      signal,
    );
  }
  const tagged = await taggedReferrers(session, source, subjects, { signal, leftOut, listed });
  await together(
    tagged.map(
      ({ descriptor, tag }) =>
        (either: AbortSignal) =>
          leftOut.attempt(either, async () => {
            const node = await session.read(source, descriptor, either);
            await session.landChildren(route, node, either);
            await session.sendManifest(route, node, either, tag);
          }),
    ),
    signal,
  );
  return leftOut.report(image, session.onEvent);
}
