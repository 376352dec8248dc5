import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { parseBytes } from '../../option-values.ts';
import { quote } from '../../quote.ts';
import { openArchiveDestination, type ArchiveDestination } from '../../targets/archive-file.ts';
import { isWhole } from '../../targets/location.ts';
import { TAR_NAME } from '../../targets/path.ts';
import { flag, value, values } from '../arguments/arguments.ts';
import { parseOutput } from '../pull/destination.ts';

/** True if the command was typed by docker's name. */
export function isDockerSave({ typed }: ParsedArguments): boolean {
  return typed?.endsWith('save') === true;
}

const FOUR_GIB = 4 * 1024 ** 3;

/**
 * Opens the archive of `--output` and `--split`.
 *
 * @throws {UsageError} when they name no place for an archive, or exclude other flags.
 */
export async function exportDestination(
  args: ParsedArguments,
  context: Context,
): Promise<ArchiveDestination> {
  // `docker save` writes to standard output.
  const output = value(args, 'output') ?? (isDockerSave(args) ? '-' : undefined);
  if (output === undefined) throw noOutput(args);
  if (args.positionals.includes('-'))
    throw new UsageError('Cannot export "-": expected an image', { hint: ROOTFS_HINT });
  const to = await parseOutput(output, context);
  if (to.kind !== 'archive') {
    const folder = output.replace(/^oci:/, '').replace(/\/+$/, '');
    throw new UsageError(`Cannot export to ${quote(output)}: expected a file, found a folder`, {
      hint: `name a file in it: -o ${folder}/images.tar; for an image layout: regi copy REF oci:DIR`,
    });
  }
  if (!isWhole(to.location))
    throw new UsageError(
      `Cannot export to ${quote(output)}: expected a file without the name of an image`,
      { hint: 'in the archive each image has its own name' },
    );
  const split = value(args, 'split');
  const alone = split !== undefined ? '--split' : flag(args, 'checksum') ? '--checksum' : undefined;
  if (to.location.path === '-' && alone !== undefined)
    throw new UsageError(`Cannot use ${alone} with standard output`, {
      hint: 'name a file with -o',
    });
  if (values(args, 'since').length > 0 && to.location.kind === 'docker-archive')
    throw new UsageError(
      "Cannot use --since with docker's old format: it holds whole images only",
      {
        hint: 'drop docker-archive:',
      },
    );
  return openArchiveDestination(
    to.location,
    context,
    split === undefined ? undefined : volumeBytes(split),
  );
}

function volumeBytes(text: string): number {
  const bytes = parseBytes('--split', text);
  // The largest file of FAT has one byte less than 4 GiB, and people type 4G for it.
  return bytes === FOUR_GIB ? FOUR_GIB - 1 : bytes;
}

const ROOTFS_HINT =
  'regi rootfs REF writes the merged file system of an image; for an archive on standard output add -o -';

function noOutput({ positionals }: ParsedArguments): UsageError {
  const last = positionals.at(-1) ?? '';
  if (positionals.length > 1 && TAR_NAME.test(last)) {
    const images = positionals.slice(0, -1).join(' ');
    return new UsageError('Cannot export without a file: expected -o FILE', {
      hint: `type: regi export ${images} -o ${last}, or as crane does: regi rootfs ${images} -o ${last}`,
    });
  }
  if (positionals.includes('-'))
    return new UsageError('Cannot export to "-": expected images and a file', {
      hint: ROOTFS_HINT,
    });
  return new UsageError('Cannot export without a file: expected -o FILE', {
    hint: `type: regi export ${positionals.join(' ') || 'REF…'} -o images.tar, or -o - for standard output`,
  });
}
