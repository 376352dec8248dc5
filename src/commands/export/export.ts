import { resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { replaceFile } from '../../disk/atomic-write.ts';
import { formatBytes, formatCount } from '../../format.ts';
import { digestOf } from '../../oci/digest.ts';
import { imageName } from '../../oci/reference.ts';
import { layersOf } from '../../operations/archive/carried-layers.ts';
import type { ImageSet } from '../../operations/archive/collect-images.ts';
import { exportImages, type ExportedImage } from '../../operations/archive/export-images.ts';
import { TRUSTED_ROOT } from '../../operations/archive/trusted-roots.ts';
import { checkNoneLeftOut } from '../../operations/referrers/left-out.ts';
import { quote } from '../../quote.ts';
import type { ArchivePlan } from '../../tar/archive-target.ts';
import { formatBlobList, mergeCarried } from '../../tar/carried-blobs.ts';
import { withStores } from '../../targets/open-store.ts';
import { flag, platformOption, value, values } from '../arguments/arguments.ts';
import { Unusable } from '../arguments/matching-tags.ts';
import { copyOptions } from '../arguments/copy-options.ts';
import { digestRow, digestText, openDigestFile, type DigestRow } from '../output/digest-row.ts';
import { exportDestination } from './destination.ts';
import { readEarlierLayers } from '../../targets/earlier-layers.ts';
import { exportJobs } from './jobs.ts';

/** `regi export`: writes many images into one archive. */
export const exportCommand: CommandBody<DigestRow> = { run: runExport, text: digestText };

/** The images of an archive and its layout. */
interface Planned {
  readonly plan: ArchivePlan;
  readonly set: ImageSet;
}

async function* runExport(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const archive = await exportDestination(args, context);
  const { name, format } = archive;
  const isDryRun = flag(args, 'dry-run');
  const record = await openDigestFile(value(args, 'digestfile'), context);
  const { signal, onEvent, platforms, sparse, referrers, lanes, foreignLayers } = copyOptions(
    args,
    context,
  );
  const dockerPlatform = platformOption(args, context, 'docker-platform');
  const unusable = new Unusable();
  let planned: Planned | undefined;
  let exported: readonly ExportedImage[] = [];
  yield* withStores(context, {}, async function* (stores) {
    const earlier = await readEarlierLayers(values(args, 'since'), stores, context);
    const images = await exportImages(
      exportJobs(args, stores, context, unusable),
      isDryRun ? async () => undefined : archive.write,
      {
        signal,
        onEvent,
        platforms,
        sparse,
        referrers,
        lanes,
        foreignLayers,
        dockerPlatform,
        format,
        earlier,
        planOnly: isDryRun,
        onPlan(plan, set) {
          planned = { plan, set };
          noteTrustedRoot(plan, context);
          if (earlier !== undefined) notePlanOfDelta(planned, context);
          if (isDryRun) notePlan(planned, context);
        },
      },
    );
    exported = images;
    const list = isDryRun ? undefined : value(args, 'write-list');
    if (list !== undefined) {
      const own = planned === undefined ? [] : layersOf(planned.set);
      const carried = mergeCarried([earlier?.values() ?? [], own]).values();
      await replaceFile(resolve(context.io.cwd, list), formatBlobList('carried', carried), {
        signal,
      });
    }
    if (!isDryRun && flag(args, 'checksum'))
      context.note(`Checksums are in ${quote(await archive.writeChecksums())}`);
    for (const { name: tag, root } of images) {
      const image = imageName(name, { tag });
      const copied = digestRow({ image, root, outcome: 'copied' }, name);
      const row: DigestRow = isDryRun ? { ...copied, outcome: 'would-copy' } : copied;
      await record(row);
      // A row on standard output would become part of the archive.
      if (archive.isOutput) context.note(`${image}@${root.digest}`);
      else yield row;
    }
  });
  unusable.check();
  checkNoneLeftOut(exported);
}

function notePlanOfDelta({ plan, set }: Planned, { note }: Context): void {
  const written = new Set(plan.files.map(({ file }) => file.target?.digest));
  const omitted = [...set.blobs.values()].filter(
    ({ descriptor }) => !written.has(descriptor.digest),
  );
  const bytes = omitted.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  note(
    omitted.length === 0
      ? 'Nothing is left out: the earlier archive carried no layer of these images'
      : `${formatCount(omitted.length, 'layer')} (${formatBytes(bytes)}) left out: the earlier archive carried them`,
  );
}

function noteTrustedRoot({ files }: ArchivePlan, { note }: Context): void {
  const found = files.find(({ file }) => file.name === TRUSTED_ROOT)?.file;
  if (found?.kind !== 'made') return;
  note(
    `The archive has the trusted root as ${quote(TRUSTED_ROOT)}, ${digestOf(found.bytes)}: tell its reader that digest by another way`,
  );
}

function notePlan({ plan }: Planned, { note, onEvent }: Context): void {
  for (const { file } of plan.files)
    if (file.target !== undefined) onEvent({ kind: 'copied', target: file.target, to: '' });
  note(`The archive would have ${formatBytes(plan.size)} (${plan.size} bytes)`);
}
