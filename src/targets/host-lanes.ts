import { DEFAULT_LANES, SLOW_LANES } from '../concurrency/lanes.ts';
import type { Context } from '../context.ts';
import type { CopyImagesOptions } from '../operations/copy/copy-images.ts';

type Concurrency = (host: string) => number | undefined;

/**
 * The numbers of config.yaml, by command: a copy gets its lanes before the first host is opened,
 * and asks later.
 */
const CONFIGURED = new WeakMap<Context, Concurrency>();

/** Hosts that answered 429, by command. */
const SLOW = new WeakMap<Context, Set<string>>();

/** Stores the connections per host that config.yaml allows. */
export function configureLanes(context: Context, concurrency: Concurrency): void {
  CONFIGURED.set(context, concurrency);
}

/**
 * Sends a host fewer requests at once for the rest of the command, because it answered 429.
 *
 * @returns true the first time.
 */
export function slowDown(context: Context, host: string): boolean {
  const hosts = SLOW.get(context) ?? new Set<string>();
  SLOW.set(context, hosts);
  const isNew = !hosts.has(host);
  hosts.add(host);
  return isNew;
}

/**
 * Returns the number of connections to a place. `--concurrency` bounds all requests to a host
 * together; without it config.yaml may give a number. A host that answered 429 gets few.
 */
export function lanesOf(context: Context): CopyImagesOptions['lanes'] {
  return (place) => {
    const host = place.replace(/^registry:/, '');
    const both = context.settings.concurrency ?? CONFIGURED.get(context)?.(host);
    if (SLOW.get(context)?.has(host) === true)
      return both === undefined ? SLOW_LANES : { both: Math.min(both, 4) };
    return both === undefined ? DEFAULT_LANES : { both };
  };
}
