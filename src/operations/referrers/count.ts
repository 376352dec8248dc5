import type { Descriptor } from '../../oci/descriptor.ts';
import type { NamedImage, Source } from '../../store.ts';
import { CopySession } from '../copy/session.ts';
import { cosignTags, subjectsOf, walkReferrers } from './walk.ts';

/**
 * Counts the signatures, SBOMs and other referrers that a place has of an image: by subject at any
 * depth, and by the tags of cosign.
 *
 * @param images all images of the place.
 */
export async function countReferrers(
  source: Source,
  root: Descriptor,
  images: readonly NamedImage[],
  signal: AbortSignal,
): Promise<number> {
  const session = new CopySession();
  const node = await session.read(source, root, signal);
  const subjects = await subjectsOf(session, source, node, signal);
  const tags = new Set(subjects.flatMap(({ digest }) => cosignTags(digest)));
  const found = new Set(
    images.flatMap((image) =>
      image.tag !== undefined && tags.has(image.tag) ? [image.root.digest] : [],
    ),
  );
  for await (const { descriptor } of walkReferrers(session, source, subjects, { signal }))
    found.add(descriptor.digest);
  return found.size;
}
