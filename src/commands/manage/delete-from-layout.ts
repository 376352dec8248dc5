import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { deleteImage } from '../../stores/layout/garbage.ts';
import { OciLayout } from '../../stores/layout/oci-layout.ts';
import type { LayoutLocation } from '../../targets/location.ts';

/** Deletes an image of a layout with the content that nothing else there needs. Returns the bytes that became free. */
export async function deleteFromLayout(
  { path }: LayoutLocation,
  target: Descriptor,
  { io, signal, note }: Context,
): Promise<number> {
  const layout = new OciLayout(resolve(io.cwd, path), {
    create: false,
    clock: io.clock,
    signal,
    onWait: note,
  });
  await layout.open();
  try {
    const { removed } = await deleteImage(layout, target, { now: io.clock.now(), signal });
    return removed.reduce((sum, { size }) => sum + size, 0);
  } finally {
    await layout.close();
  }
}
