import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import type { Platform } from '../../oci/descriptor.ts';
import { UsageError } from '../../errors.ts';
import { parsePlatform } from '../../oci/platform.ts';
import type { CopyImagesOptions } from '../../operations/copy/copy-images.ts';
import { lanesOf } from '../../targets/host-lanes.ts';
import { flag, value, values } from './arguments.ts';

/** Returns the options of every transfer of a command. */
export function transferOptions(
  context: Context,
): Pick<CopyImagesOptions, 'signal' | 'onEvent' | 'lanes'> {
  const { signal, onEvent } = context;
  return { signal, onEvent, lanes: lanesOf(context) };
}

/**
 * Parses the values of a repeatable `--platform`. One may list several: `linux/amd64,linux/arm64`.
 * `all` is the default.
 */
function platformsOption(args: ParsedArguments, { io }: Context): readonly Platform[] {
  const typed = values(args, 'platform').flatMap((text) => text.split(','));
  return typed.length === 1 && typed[0] === 'all'
    ? []
    : typed.map((text) => parsePlatform(text, io.host));
}

function formatOption(args: ParsedArguments): CopyImagesOptions['format'] {
  const typed = value(args, 'format');
  const other = ['referrers', 'sparse'].find((name) => flag(args, name));
  if (typed !== undefined && other !== undefined)
    throw new UsageError(`Cannot use --format together with --${other}: the digests change`, {
      hint: 'signatures belong to the original digest; drop one of the two',
    });
  return typed === 'oci' || typed === 'docker' ? typed : undefined;
}

/** Returns the flags of a copy. Flags that a command lacks are not set. */
export function copyOptions(args: ParsedArguments, context: Context): CopyImagesOptions {
  return {
    ...transferOptions(context),
    platforms: platformsOption(args, context),
    sparse: flag(args, 'sparse'),
    format: formatOption(args),
    force: flag(args, 'force') || flag(args, 'verify-existing'),
    noClobber: flag(args, 'no-clobber'),
    referrers: flag(args, 'referrers'),
    keepGoing: flag(args, 'keep-going'),
    foreignLayers: value(args, 'foreign-layers') === 'copy' ? 'copy' : 'skip',
  };
}
