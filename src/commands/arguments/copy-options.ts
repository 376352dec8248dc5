import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
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

/** Returns the flags of a copy. Flags that a command lacks are not set. */
export function copyOptions(args: ParsedArguments, context: Context): CopyImagesOptions {
  return {
    ...transferOptions(context),
    platforms: values(args, 'platform').map((text) => parsePlatform(text, context.io.host)),
    sparse: flag(args, 'sparse'),
    force: flag(args, 'force') || flag(args, 'verify-existing'),
    noClobber: flag(args, 'no-clobber'),
    referrers: flag(args, 'referrers'),
    keepGoing: flag(args, 'keep-going'),
    foreignLayers: value(args, 'foreign-layers') === 'copy' ? 'copy' : 'skip',
  };
}
