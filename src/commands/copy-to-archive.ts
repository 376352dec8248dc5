import { dirname, resolve } from 'node:path';

import type { ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import { formatBytes } from '../format.ts';
import { isTag, parseReference, parseTag, withDefaultTag, type Reference } from '../oci/reference.ts';
import type { ExportJob } from '../operations/collect-images.ts';
import { exportImages, type ExportOptions } from '../operations/export-images.ts';
import { archiveAt } from '../stores/archive-writer.ts';
import type { Shortage } from '../stores/free-space.ts';
import type { WriteArchive } from '../tar/archive-target.ts';
import { UsageError } from '../usage-error.ts';
import { archivePipe } from './archive-pipe.ts';
import { flag, positional, value } from './arguments.ts';
import { copyOptions } from './copy-options.ts';
import { openDigestFile, type DigestRow } from './digest-row.ts';
import { parseLocation, type ArchiveLocation, type Location } from '../locations/location.ts';
import type { OpenedStore, Stores } from '../locations/open-store.ts';
import { journaledArchive } from '../locations/unfinished.ts';

/** What an image is called in an archive: by its full name where anybody knows it. */
export type ArchiveName = Pick<ExportJob, 'name' | 'tag'>;

/** Copies one image into an archive, which is new: an archive that is there is replaced when the new one is whole. */
export async function* copyToArchive(args: ParsedArguments, to: ArchiveLocation, stores: Stores, context: Context): AsyncIterable<DigestRow> {
  for (const name of ['all-tags', 'no-clobber', 'referrers', 'dry-run'] as const) {
    if (flag(args, name))
      throw new UsageError(`Cannot use --${name} with an archive as the destination`, { hint: 'write several images at once: regi export REF… -o FILE' });
  }
  const source = parseLocation(positional(args, 0, 'a source'));
  const from = await stores.open(source, 'source');
  const name = `${to.kind}:${to.path}`;
  const named = nameInArchive(from, source, to.reference);
  const job: ExportJob = { source: from.store, reference: from.reference, ...named, image: to.reference === undefined ? name : `${name}:${to.reference}` };
  const { signal, onEvent, platforms, lanes } = copyOptions(args, context);
  const record = await openDigestFile(value(args, 'digestfile'), context);
  const options: ExportOptions = { signal, onEvent, platforms, lanes, format: formatOf(to) };
  async function* jobs(): AsyncGenerator<ExportJob> {
    yield job;
  }
  for (const { image, root } of await exportImages(jobs(), writeArchiveTo(to.path, context), options)) {
    const row: DigestRow = { name, image, digest: root.digest, mediaType: root.mediaType, size: root.size, outcome: 'copied' };
    await record(row);
    // The archive itself is on standard output then, and a line behind it would be part of it.
    if (to.path === '-') context.note(`${image}@${root.digest}`);
    else yield row;
  }
}

/**
 * Where an archive goes: a file, several files of `volumeBytes`, or standard output for `-`.
 *
 * @throws {UsageError} when that is a terminal.
 */
export function writeArchiveTo(path: string, context: Context, volumeBytes?: number): WriteArchive {
  const { io, signal, note, warn } = context;
  if (path !== '-') {
    const onResume = (bytes: number): void => note(`Going on with ${JSON.stringify(`${path}.part`)}: ${formatBytes(bytes)} are there`);
    const file = resolve(io.cwd, path);
    const onShort = ({ wanted, free }: Shortage): void =>
      warn(
        `The archive takes ${formatBytes(wanted)}, and ${JSON.stringify(dirname(file))} has ${formatBytes(free)} left`,
        'make room there while it is written, or press Ctrl-C and name a file on another disk',
      );
    return journaledArchive(file, archiveAt(file, { clock: io.clock, signal, onWait: note, onResume, onShort, volumeBytes }), context);
  }
  if (io.stdout.isTTY) throw new UsageError('Cannot write an archive to a terminal', { hint: 'name a file, or send it on: … | ssh host regi import -' });
  return async (_plan, work) => work({ kind: 'stream', write: archivePipe(io.stdout) });
}

/** @param wanted what was typed behind the file: a tag or a full reference. */
export function nameInArchive(from: OpenedStore, source: Location, wanted: string | undefined): ArchiveName {
  const own = from.fullName === undefined ? ownName(source, from) : { name: from.fullName };
  if (wanted === undefined) return own;
  if (!isTag(wanted)) return { name: withDefaultTag(parseReference(wanted)) };
  const tag = parseTag(wanted);
  return own.name === undefined ? { tag } : { name: { domain: own.name.domain, path: own.name.path, tag } };
}

function ownName(source: Location, { tag }: OpenedStore): ArchiveName {
  if (!('path' in source)) return { name: withDefaultTag(source.reference) };
  const reference = source.reference ?? tag;
  if (reference === undefined) return {};
  return isTag(reference) ? { tag: reference } : { name: fullName(reference) };
}

function fullName(text: string): Reference {
  return withDefaultTag(parseReference(text));
}

/** The format that the prefix names. */
export function formatOf({ kind }: ArchiveLocation): ExportOptions['format'] {
  if (kind === 'archive') return 'both';
  return kind === 'oci-archive' ? 'oci' : 'docker';
}
