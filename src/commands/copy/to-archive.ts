import { dirname, resolve } from 'node:path';

import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import type { Shortage } from '../../disk/free-space.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { formatBytes } from '../../format.ts';
import type { TextOutput } from '../../io.ts';
import {
  isTag,
  parseReference,
  parseTag,
  type Reference,
  withDefaultTag,
} from '../../oci/reference.ts';
import type { ExportJob } from '../../operations/archive/collect-images.ts';
import { exportImages, type ExportOptions } from '../../operations/archive/export-images.ts';
import { archiveAt } from '../../stores/archive/writer.ts';
import type { WriteArchive } from '../../tar/archive-target.ts';
import { type ArchiveLocation, type Location, parseLocation } from '../../targets/location.ts';
import type { OpenedStore, Stores } from '../../targets/open-store.ts';
import { journaledArchive } from '../../targets/unfinished.ts';
import { flag, positional, value } from '../arguments/arguments.ts';
import { copyOptions } from '../arguments/copy-options.ts';
import { type DigestRow, openDigestFile } from '../output/digest-row.ts';

/** What an image is called in an archive: by its full name where anybody knows it. */
export type ArchiveName = Pick<ExportJob, 'name' | 'tag'>;

/** Copies one image into an archive, which is new: an archive that is there is replaced when the new one is whole. */
export async function* copyToArchive(
  args: ParsedArguments,
  to: ArchiveLocation,
  stores: Stores,
  context: Context,
): AsyncIterable<DigestRow> {
  for (const name of ['all-tags', 'no-clobber', 'referrers', 'dry-run'] as const) {
    if (flag(args, name))
      throw new UsageError(`Cannot use --${name} with an archive as the destination`, {
        hint: 'write several images at once: regi export REF… -o FILE',
      });
  }
  const source = parseLocation(positional(args, 0, 'a source'));
  const from = await stores.open(source, 'source');
  const name = `${to.kind}:${to.path}`;
  const named = nameInArchive(from, source, to.reference);
  const job: ExportJob = {
    source: from.store,
    reference: from.reference,
    ...named,
    image: to.reference === undefined ? name : `${name}:${to.reference}`,
  };
  const { signal, onEvent, platforms, lanes } = copyOptions(args, context);
  const record = await openDigestFile(value(args, 'digestfile'), context);
  const options: ExportOptions = { signal, onEvent, platforms, lanes, format: formatOf(to) };
  async function* jobs(): AsyncGenerator<ExportJob> {
    yield job;
  }
  for (const { image, root } of await exportImages(
    jobs(),
    writeArchiveTo(to.path, context),
    options,
  )) {
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
    const onResume = (bytes: number): void =>
      note(`Going on with ${JSON.stringify(`${path}.part`)}: ${formatBytes(bytes)} are there`);
    const file = resolve(io.cwd, path);
    const onShort = ({ wanted, free }: Shortage): void =>
      warn(
        `The archive takes ${formatBytes(wanted)}, and ${JSON.stringify(dirname(file))} has ${formatBytes(free)} left`,
        'make room there while it is written, or press Ctrl-C and name a file on another disk',
      );
    return journaledArchive(
      file,
      archiveAt(file, { clock: io.clock, signal, onWait: note, onResume, onShort, volumeBytes }),
      context,
    );
  }
  if (io.stdout.isTTY)
    throw new UsageError('Cannot write an archive to a terminal', {
      hint: 'name a file, or send it on: … | ssh host regi import -',
    });
  return async (_plan, work) => work({ kind: 'stream', write: archivePipe(io.stdout) });
}

/** @param wanted what was typed behind the file: a tag or a full reference. */
export function nameInArchive(
  from: OpenedStore,
  source: Location,
  wanted: string | undefined,
): ArchiveName {
  const own = from.fullName === undefined ? ownName(source, from) : { name: from.fullName };
  if (wanted === undefined) return own;
  if (!isTag(wanted)) return { name: withDefaultTag(parseReference(wanted)) };
  const tag = parseTag(wanted);
  return own.name === undefined
    ? { tag }
    : { name: { domain: own.name.domain, path: own.name.path, tag } };
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

/** Standard output took only a part of an archive: whoever has that part has nothing. */
export class ArchiveCutError extends RegiError {
  constructor(cause: Error) {
    const isGone =
      'code' in cause && (cause.code === 'EPIPE' || cause.code === 'ERR_STREAM_DESTROYED');
    super(
      'STORAGE_FAILED',
      `Cannot write the archive to standard output: ${isGone ? 'the program that reads it has ended' : cause.message}`,
      {
        hint: isGone
          ? 'the archive is not whole; see what that program says'
          : 'the archive is not whole; free some space where it goes, or send it elsewhere',
        cause,
      },
    );
  }
}

/**
 * Standard output as the place of an archive.
 *
 * @throws {ArchiveCutError} from the function that it gives, when no more can be written.
 */
export function archivePipe(output: TextOutput): (chunk: Uint8Array) => Promise<void> {
  return async (chunk) => {
    try {
      await output.write(chunk);
    } catch (error) {
      throw error instanceof Error ? new ArchiveCutError(error) : error;
    }
  };
}
