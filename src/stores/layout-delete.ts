import type { Descriptor } from '../oci/descriptor.ts';
import type { CallOptions } from '../store.ts';
import { sweepLayout, type Sweep } from './layout-garbage.ts';
import { withoutDigest } from './layout-index.ts';
import { StillNeededError } from './layout-repository.ts';
import type { OciLayout } from './oci-layout.ts';

/**
 * Deletes an image with all its names, and the content that nothing else needs.
 *
 * @throws {StillNeededError} when another image, such as an index, is made of it; nothing is changed then.
 */
export async function deleteImage(layout: OciLayout, target: Descriptor, { now, signal }: { readonly now: number } & CallOptions): Promise<Sweep> {
  return sweepLayout(
    layout,
    async (index) => {
      const after = withoutDigest(index, target.digest);
      if (await layout.needs(after, target.digest, { signal })) throw new StillNeededError(target.digest, layout.place);
      return after;
    },
    { scope: 'forgotten', given: [target], now, signal },
  );
}
