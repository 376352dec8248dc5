import type { Context } from '../context.ts';

type Concurrency = (host: string) => number | undefined;

/** By command. How a copy is bounded is said before any host is opened, and asked after that: config.yaml is read in between. */
const CONFIGURED = new WeakMap<Context, Concurrency>();

/** By command: hosts that said they are asked too often. */
const SLOW = new WeakMap<Context, Set<string>>();

/** Keeps what config.yaml says of connections at once. */
export function configureLanes(context: Context, concurrency: Concurrency): void {
  CONFIGURED.set(context, concurrency);
}

/** Connections at once to what holds a repository; undefined where no file says. */
export function configuredLanes(context: Context, place: string): number | undefined {
  return CONFIGURED.get(context)?.(hostOf(place));
}

/**
 * Asks a host less at once for the rest of the command, because it said 429.
 *
 * @returns whether that is new.
 */
export function slowDown(context: Context, host: string): boolean {
  const hosts = SLOW.get(context) ?? new Set<string>();
  SLOW.set(context, hosts);
  const isNew = !hosts.has(host);
  hosts.add(host);
  return isNew;
}

/** Whether what holds a repository is on a host that was slowed down. */
export function isSlow(context: Context, place: string): boolean {
  return SLOW.get(context)?.has(hostOf(place)) === true;
}

function hostOf(place: string): string {
  return place.replace(/^registry:/, '');
}
