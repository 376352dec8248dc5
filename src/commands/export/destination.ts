import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { parseBytes } from '../../option-values.ts';
import { UsageError } from '../../errors.ts';
import { flag, value, values } from '../arguments/arguments.ts';
import { formatOf } from '../copy/to-archive.ts';
import type { ArchiveLocation } from '../../targets/location.ts';
import { pullDestination } from '../pull/destination.ts';

/** Where `regi export` writes. */
export interface ExportDestination {
  readonly archive: ArchiveLocation;
  /** Bytes of each of several files. */
  readonly volumeBytes: number | undefined;
}

const FOUR_GIB = 4 * 1024 ** 3;

/** Parses `--output` and `--split`. @throws {UsageError} when they are no place for an archive, or of no use with other flags. */
export async function exportDestination(
  args: ParsedArguments,
  context: Context,
): Promise<ExportDestination> {
  const output = value(args, 'output');
  if (output === undefined) throw noOutput(args);
  if (args.positionals.includes('-'))
    throw new UsageError('Cannot export "-": expected an image', { hint: ROOTFS_HINT });
  const destination = await pullDestination(output, context);
  if (destination.kind !== 'archive') {
    throw new UsageError(`Cannot export to "${output}": expected a file, found a folder`, {
      hint: `name a file in it: -o ${output.replace(/^oci:/, '').replace(/\/+$/, '')}/images.tar; for an image layout: regi copy REF oci:DIR`,
    });
  }
  const archive = destination.to;
  if (archive.reference !== undefined || archive.digest !== undefined) {
    throw new UsageError(`Cannot export to "${output}": expected a file without a name behind it`, {
      hint: 'in the archive each image has its own name',
    });
  }
  const split = value(args, 'split');
  const alone = [split !== undefined && '--split', flag(args, 'checksum') && '--checksum'].find(
    (name) => name !== false,
  );
  if (archive.path === '-' && alone !== undefined) {
    throw new UsageError(`Cannot use ${alone} with standard output`, {
      hint: 'name a file with -o',
    });
  }
  if (values(args, 'since').length > 0 && formatOf(archive) === 'docker') {
    throw new UsageError(
      "Cannot use --since with docker's old format: it holds whole images only",
      { hint: 'leave out docker-archive:' },
    );
  }
  return { archive, volumeBytes: split === undefined ? undefined : volumeBytes(split) };
}

function volumeBytes(text: string): number {
  const bytes = parseBytes('--split', text);
  // FAT's largest file has one byte less, and 4G is what everybody types.
  return bytes === FOUR_GIB ? FOUR_GIB - 1 : bytes;
}

const ROOTFS_HINT =
  'regi rootfs REF writes the merged file system of an image; an archive on standard output is -o -';

function noOutput({ positionals }: ParsedArguments): UsageError {
  if (positionals.includes('-'))
    return new UsageError('Cannot export to "-": expected images and a file', {
      hint: ROOTFS_HINT,
    });
  return new UsageError('Cannot export without a file: expected -o FILE', {
    hint: `type: regi export ${positionals.length === 0 ? 'REF…' : positionals.join(' ')} -o images.tar, or -o - for standard output`,
  });
}
