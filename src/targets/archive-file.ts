import { dirname, resolve } from 'node:path';

import type { Context } from '../context.ts';
import type { Shortage } from '../disk/free-space.ts';
import { RegiError, UsageError } from '../errors.ts';
import { formatBytes } from '../format.ts';
import type { TextOutput } from '../io.ts';
import type { ExportOptions } from '../operations/archive/export-images.ts';
import { quote } from '../quote.ts';
import { writeChecksums } from '../stores/archive/checksum.ts';
import { packedArchiveAt, packingOf } from '../stores/archive/packed.ts';
import { archiveAt } from '../stores/archive/writer.ts';
import type { WriteArchive } from '../tar/archive-target.ts';
import type { ArchiveLocation } from './location.ts';
import { journaledArchive } from './unfinished.ts';

/** An archive that can be written. */
export interface ArchiveDestination {
  /** The archive, for people: `archive:images.tar`. */
  readonly name: string;
  readonly format: ExportOptions['format'];
  readonly write: WriteArchive;
  /** True for standard output, which then carries the archive and no rows. */
  readonly isOutput: boolean;
  /** Writes the checksum file beside the archive and returns its path. */
  readonly writeChecksums: () => Promise<string>;
}

/**
 * Opens a new archive: a file, several files of `volumeBytes`, or standard output for `-`. An
 * existing file is replaced when the new one is complete.
 *
 * @throws {UsageError} for standard output that is a terminal.
 */
export function openArchiveDestination(
  { kind, path }: ArchiveLocation,
  context: Context,
  volumeBytes?: number,
): ArchiveDestination {
  const { io, signal } = context;
  const file = resolve(io.cwd, path);
  const isOutput = path === '-';
  if (isOutput && io.stdout.isTTY)
    throw new UsageError('Cannot write an archive to a terminal', {
      hint: 'name a file, or pipe it: … | ssh host regi import -',
    });
  return {
    name: `${kind}:${path}`,
    format: kind === 'archive' ? 'both' : kind === 'oci-archive' ? 'oci' : 'docker',
    isOutput,
    write: isOutput
      ? async (_plan, work) => work({ kind: 'stream', write: archivePipe(io.stdout) })
      : fileWriter(path, context, volumeBytes),
    writeChecksums: () => writeChecksums(file, { isSplit: volumeBytes !== undefined, signal }),
  };
}

function fileWriter(path: string, context: Context, volumeBytes: number | undefined): WriteArchive {
  const { io, signal, note, warn } = context;
  const file = resolve(io.cwd, path);
  const packing = packingOf(path);
  if (packing !== undefined && volumeBytes !== undefined)
    throw new UsageError('Cannot use --split with a packed archive: expected a plain tar', {
      hint: `name it ${path.replace(/(?:\.tar)?\.\w+$/, '.tar')}`,
    });
  if (packing !== undefined) return packedArchiveAt(file, packing, { signal });
  const onResume = (bytes: number): void =>
    note(`Resuming ${quote(`${path}.part`)}: ${formatBytes(bytes)} are already written`);
  const onShort = ({ wanted, free }: Shortage): void =>
    warn(
      `The archive needs ${formatBytes(wanted)}, and ${quote(dirname(file))} has ${formatBytes(free)} left`,
      'free some space there while it is written, or press Ctrl-C and name a file on another disk',
    );
  const options = { clock: io.clock, signal, onWait: note, onResume, onShort, volumeBytes };
  return journaledArchive(file, archiveAt(file, options), context);
}

/**
 * Returns a function that writes the chunks of an archive to standard output.
 *
 * @throws {RegiError} STORAGE_FAILED from that function when the output breaks off.
 */
function archivePipe(output: TextOutput): (chunk: Uint8Array) => Promise<void> {
  return async (chunk) => {
    try {
      await output.write(chunk);
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      const isGone =
        'code' in cause && (cause.code === 'EPIPE' || cause.code === 'ERR_STREAM_DESTROYED');
      throw new RegiError(
        'STORAGE_FAILED',
        `Cannot write the archive to standard output: ${isGone ? 'the program that reads it has ended' : cause.message}`,
        {
          hint: isGone
            ? 'the archive is incomplete; look at the messages of that program'
            : 'the archive is incomplete; free some space at its destination, or send it elsewhere',
          cause,
        },
      );
    }
  };
}
