import { resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { formatBytes, formatCount } from '../../format.ts';
import { parsePlatform } from '../../oci/platform.ts';
import { layersOf } from '../../operations/archive/carried-layers.ts';
import type { ImageSet } from '../../operations/archive/collect-images.ts';
import { exportImages, type ExportOptions } from '../../operations/archive/export-images.ts';
import { replaceFile } from '../../disk/atomic-write.ts';
import type { ArchivePlan, WriteArchive } from '../../tar/archive-target.ts';
import { formatBlobList, mergeCarried } from '../../tar/carried-blobs.ts';
import { flag, value, values } from '../arguments/arguments.ts';
import { copyOptions } from '../arguments/copy-options.ts';
import { formatOf, writeArchiveTo } from '../copy/to-archive.ts';
import { digestText, openDigestFile, type DigestRow } from '../output/digest-row.ts';
import { readEarlierLayers } from './earlier-layers.ts';
import { exportDestination, type ExportDestination } from './destination.ts';
import { exportJobs } from './jobs.ts';
import { withStores } from '../../targets/open-store.ts';

/** `regi export`: many images into one archive. */
export const exportCommand: CommandBody<DigestRow> = {
  run: runExport,
  text: digestText,
};

/** What an archive was made of. */
interface Planned {
  readonly plan: ArchivePlan;
  readonly set: ImageSet;
}

async function* runExport(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const to = await exportDestination(args, context);
  const record = await openDigestFile(value(args, 'digestfile'), context);
  const earlier = await readEarlierLayers(values(args, 'since'), context);
  let planned: Planned | undefined;
  const options: ExportOptions = {
    ...exportOptions(args, to, context),
    earlier,
    onPlan(plan, set) {
      planned = { plan, set };
      tellPlan(planned, flag(args, 'dry-run'), earlier !== undefined, context);
    },
  };
  const name = `${to.archive.kind}:${to.archive.path}`;
  yield* withStores(context, {}, async function* (stores) {
    const images = await exportImages(
      exportJobs(args, stores, context),
      writerOf(to, flag(args, 'dry-run'), context),
      options,
    );
    if (flag(args, 'dry-run')) return;
    await writeBeside(
      args,
      to,
      mergeCarried([earlier?.values() ?? [], planned === undefined ? [] : layersOf(planned.set)]),
      context,
    );
    for (const { name: imageName, root } of images) {
      const image = imageName === undefined ? name : `${name}:${imageName}`;
      const row: DigestRow = {
        name,
        image,
        digest: root.digest,
        mediaType: root.mediaType,
        size: root.size,
        outcome: 'copied',
      };
      await record(row);
      // The archive itself is on standard output then, and a line behind it would be part of it.
      if (to.archive.path === '-') context.note(`${image}@${root.digest}`);
      else yield row;
    }
  });
}

function exportOptions(
  args: ParsedArguments,
  { archive }: ExportDestination,
  context: Context,
): ExportOptions {
  const { signal, onEvent, platforms, referrers, lanes } = copyOptions(args, context);
  const typed = value(args, 'docker-platform');
  const dockerPlatform = typed === undefined ? undefined : parsePlatform(typed, context.io.host);
  return {
    signal,
    onEvent,
    platforms,
    referrers,
    lanes,
    dockerPlatform,
    format: formatOf(archive),
  };
}

function writerOf(
  { archive, volumeBytes }: ExportDestination,
  isDryRun: boolean,
  context: Context,
): WriteArchive {
  return isDryRun ? async () => undefined : writeArchiveTo(archive.path, context, volumeBytes);
}

function tellPlan(
  { plan, set }: Planned,
  isDryRun: boolean,
  isDelta: boolean,
  { note, onEvent }: Context,
): void {
  const written = new Set(
    plan.files.flatMap(({ file }) => (file.target === undefined ? [] : [file.target.digest])),
  );
  const omitted = [...set.blobs.values()].filter(
    ({ descriptor }) => !written.has(descriptor.digest),
  );
  if (isDelta) {
    const bytes = omitted.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    note(
      omitted.length === 0
        ? 'Nothing is left out: the earlier archive carried no layer of these images'
        : `${formatCount(omitted.length, 'layer')} (${formatBytes(bytes)}) left out: the earlier archive carried them`,
    );
  }
  if (!isDryRun) return;
  for (const { file } of plan.files)
    if (file.target !== undefined) onEvent({ kind: 'copied', target: file.target, to: '' });
  note(`The archive would have ${formatBytes(plan.size)} (${plan.size} bytes)`);
}

/** What goes with an archive that is whole: sums to check it by, and the list that later exports leave out. */
async function writeBeside(
  args: ParsedArguments,
  to: ExportDestination,
  carried: ReturnType<typeof mergeCarried>,
  { io, signal, note }: Context,
): Promise<void> {
  const list = value(args, 'write-list');
  if (list !== undefined)
    await replaceFile(resolve(io.cwd, list), formatBlobList('carried', carried.values()), {
      signal,
    });
  if (!flag(args, 'checksum')) return;
  const { writeChecksums } = await import('../../stores/archive/checksum.ts');
  note(
    `Checksums are in ${JSON.stringify(await writeChecksums(resolve(io.cwd, to.archive.path), { isSplit: to.volumeBytes !== undefined, signal }))}`,
  );
}
