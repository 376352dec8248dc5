import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { startServer, type RunningServer } from '../../server/server.ts';
import { flag, value } from '../arguments/arguments.ts';
import { DEFAULT_LISTEN, parseListenAddress } from './listen-address.ts';
import { archivePaths, openServedArchives } from './archives.ts';
import { openServedPlace, type ServedPlace } from './place.ts';
import { readServeSecurity } from './security.ts';

/** A registry that is ready. */
export interface ServeRow {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** What it serves: `oci:/folder`, `memory`. */
  readonly place: string;
  readonly readOnly: boolean;
}

/** `regi serve`: a registry until a signal comes. That is how it is meant to end, so it is no failure. */
export const serveCommand: CommandBody<ServeRow> = {
  run: runServe,
  text: () => '',
};

/** How long transfers may go on once a signal has come, and when it is said that they do. */
const GRACE_MS = 30_000;
const NOTICE_MS = 1_000;

async function* runServe(args: ParsedArguments, context: Context): AsyncIterable<ServeRow> {
  const { io, settings, signal } = context;
  const typed = value(args, 'listen');
  const listen = typed === undefined ? DEFAULT_LISTEN : parseListenAddress(typed);
  const archives = await archivePaths(args.positionals, context);
  const readOnly = flag(args, 'read-only') || archives !== undefined;
  const security = await readServeSecurity(args, { listen, readOnly }, context);
  const { close, ...served } = await openPlace(archives, args, context);
  try {
    const server = await startServer({
      ...security,
      ...served,
      listen,
      readOnly,
      clock: io.clock,
      idleTimeoutMs: settings.timeoutMs,
      log: context.log,
      warn: (line) => context.warn(line),
    });
    try {
      const url = server.url.origin;
      if (!settings.json) context.note(`listening on ${url}`);
      yield { url, host: listen.host, port: server.port, place: served.place.name, readOnly };
      await abortOf(signal);
      await stop(server, context);
    } finally {
      await server.destroy();
    }
  } finally {
    await close?.();
  }
}

async function openPlace(
  archives: readonly string[] | undefined,
  args: ParsedArguments,
  context: Context,
): Promise<ServedPlace> {
  const memory = flag(args, 'memory');
  const [location] = args.positionals;
  if (archives !== undefined && !memory) {
    const place = await openServedArchives(archives, context);
    return {
      place,
      repositoryFor: (name, namespace) => place.repositoryFor(name, namespace),
      close: () => place.close(),
    };
  }
  return openServedPlace({ location, memory, readOnly: flag(args, 'read-only') }, context);
}

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Lets transfers finish, for a while. */
async function stop(server: RunningServer, { io: { clock }, note }: Context): Promise<void> {
  const closed = new AbortController();
  const closing = server.close().finally(() => closed.abort());
  const cutting = (async () => {
    await clock.sleep(NOTICE_MS, closed.signal);
    note('stopping when the running transfers have finished; Ctrl-C again cuts them');
    await clock.sleep(GRACE_MS - NOTICE_MS, closed.signal);
    await server.destroy();
  })().catch((error: unknown) => {
    if (!closed.signal.aborted) throw error;
  });
  await Promise.all([closing, cutting]);
}
