import type { Context } from '../../context.ts';
import { formatReference } from '../../oci/reference.ts';
import type { CollectOptions, ExportJob } from '../../operations/archive/collect-images.ts';
import { exportImages } from '../../operations/archive/export-images.ts';
import { openArchiveDestination } from '../../targets/archive-file.ts';
import type { ArchiveLocation } from '../../targets/location.ts';
import type { OpenedStore } from '../../targets/opened-store.ts';
import { transferOptions } from '../arguments/copy-options.ts';
import { pullRow, type PlannedPull, type PullRow } from './plan.ts';

/** Writes the pulled images into one new archive, each under its own name. */
export async function* pullToArchive(
  planned: AsyncIterable<PlannedPull>,
  from: OpenedStore,
  to: ArchiveLocation,
  narrowing: Pick<CollectOptions, 'sparse' | 'platforms'>,
  context: Context,
): AsyncIterable<PullRow> {
  const archive = openArchiveDestination(to, context);
  const plans = new Map<string, PlannedPull>();
  async function* jobs(): AsyncGenerator<ExportJob> {
    for await (const plan of planned) {
      const { reference, wanted, gate } = plan;
      const image = formatReference(reference);
      plans.set(image, plan);
      const name = reference.tag === undefined ? undefined : { ...reference, digest: undefined };
      yield { source: from.store, reference: wanted.digest, name, image, gate };
    }
  }
  const options = { ...transferOptions(context), ...narrowing, format: archive.format };
  for (const { image, root } of await exportImages(jobs(), archive.write, options)) {
    const plan = plans.get(image);
    if (plan === undefined) throw new Error(`Exported an image that was not planned: ${image}`);
    yield pullRow(plan, root, `${archive.name}:${image}`, 'downloaded');
  }
}
