import type { Context } from '../context.ts';

type Concurrency = (host: string) => number | undefined;

/** By command. How a copy is bounded is said before any host is opened, and asked after that: config.yaml is read in between. */
const CONFIGURED = new WeakMap<Context, Concurrency>();

/** Keeps what config.yaml says of connections at once. */
export function configureLanes(context: Context, concurrency: Concurrency): void {
  CONFIGURED.set(context, concurrency);
}

/** Connections at once to what holds a repository; undefined where no file says. */
export function configuredLanes(context: Context, place: string): number | undefined {
  return CONFIGURED.get(context)?.(place.replace(/^registry:/, ''));
}
