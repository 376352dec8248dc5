import type { Context } from '../../context.ts';
import { familiarReference, formatReference } from '../../oci/reference.ts';
import type { ExportJob } from '../../operations/archive/collect-images.ts';
import { exportImages } from '../../operations/archive/export-images.ts';
import { formatOf, writeArchiveTo } from '../copy/to-archive.ts';
import { lanesOf } from '../arguments/copy-options.ts';
import type { ArchiveLocation } from '../../targets/location.ts';
import type { OpenedStore } from '../../targets/open-store.ts';
import type { PlannedPull } from './plan.ts';
import type { PullRow } from './pull.ts';

/** Writes what is pulled into one new archive, under its own names. */
export async function* pullToArchive(
  planned: AsyncIterable<PlannedPull>,
  from: OpenedStore,
  to: ArchiveLocation,
  context: Context,
): AsyncIterable<PullRow> {
  const { signal, onEvent } = context;
  const plans = new Map<string, PlannedPull>();
  async function* jobs(): AsyncGenerator<ExportJob> {
    for await (const plan of planned) {
      const image = formatReference(plan.reference);
      plans.set(image, plan);
      const name =
        plan.reference.tag === undefined ? undefined : { ...plan.reference, digest: undefined };
      yield {
        source: from.store,
        reference: plan.wanted.digest,
        ...(name !== undefined && { name }),
        image,
      };
    }
  }
  const images = await exportImages(jobs(), writeArchiveTo(to.path, context), {
    signal,
    onEvent,
    lanes: lanesOf(context),
    format: formatOf(to),
  });
  for (const { image, root } of images) {
    const plan = plans.get(image);
    if (plan === undefined) throw new Error(`An image was written that nobody planned: ${image}`);
    const { reference, digest, platform } = plan;
    yield {
      reference: image,
      name: familiarReference(reference),
      digest,
      manifest: root.digest,
      platform,
      status: 'downloaded',
      destination: `${to.kind}:${to.path}:${image}`,
    };
  }
}
