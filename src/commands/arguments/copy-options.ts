import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { parsePlatform } from '../../oci/platform.ts';
import type { CopyImagesOptions } from '../../operations/copy/copy-images.ts';
import { DEFAULT_LANES, SLOW_LANES } from '../../concurrency/lanes.ts';
import { flag, values } from './arguments.ts';
import { configuredLanes, isSlow } from '../../targets/host-lanes.ts';

/** What the flags say of a copy; those that a command does not have are not set. */
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

/** `--concurrency` means connections per host, so that it bounds large and small ones together. Without it a host has what config.yaml says. One that answered 429 has few. */
export function lanesOf(context: Context): CopyImagesOptions['lanes'] {
  const { concurrency } = context.settings;
  return (place) => {
    const both = concurrency ?? configuredLanes(context, place);
    if (isSlow(context, place))
      return both === undefined ? SLOW_LANES : { both: Math.min(both, 4) };
    return both === undefined ? DEFAULT_LANES : { both };
  };
}
