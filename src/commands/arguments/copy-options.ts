import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { DEFAULT_LANES, SLOW_LANES } from '../../concurrency/lanes.ts';
import { parsePlatform } from '../../oci/platform.ts';
import type { CopyImagesOptions } from '../../operations/copy/copy-images.ts';
import { configuredLanes, isSlow } from '../../targets/host-lanes.ts';
import { flag, values } from './arguments.ts';

/** Returns the flags of a copy. Flags that a command lacks are not set. */
export function copyOptions(args: ParsedArguments, context: Context): CopyImagesOptions {
  const { signal, onEvent } = context;
  return {
    signal,
    onEvent,
    platforms: values(args, 'platform').map((text) => parsePlatform(text, context.io.host)),
    force: flag(args, 'force'),
    noClobber: flag(args, 'no-clobber'),
    referrers: flag(args, 'referrers'),
    keepGoing: flag(args, 'keep-going'),
    lanes: lanesOf(context),
  };
}

/**
 * Returns the number of connections to a place. `--concurrency` bounds all requests to a host together; without it
 * config.yaml may give a number. A host that answered 429 gets few.
 */
export function lanesOf(context: Context): CopyImagesOptions['lanes'] {
  const { concurrency } = context.settings;
  return (place) => {
    const both = concurrency ?? configuredLanes(context, place);
    if (isSlow(context, place))
      return both === undefined ? SLOW_LANES : { both: Math.min(both, 4) };
    return both === undefined ? DEFAULT_LANES : { both };
  };
}
