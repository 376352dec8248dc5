import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { startServer, type RunningServer } from '../../server/server.ts';
import { flag, value } from '../arguments/arguments.ts';
import { DEFAULT_LISTEN, parseListenAddress } from './listen-address.ts';
import { openServedPlace } from '../../targets/served-place.ts';
import { parseServedPlace } from './place.ts';
import { readServeSecurity } from './security.ts';

/** A registry that accepts requests. */
export interface ServeRow {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The served place: `oci:/folder`, `memory`. */
  readonly place: string;
  readonly readOnly: boolean;
}

/** `regi serve`: runs a registry until a signal arrives, which is a normal end and exits with 0. */
export const serveCommand: CommandBody<ServeRow> = {
  run: runServe,
  text: () => '',
};

/** How long running transfers may take after a signal, and when a note says that they do. */
const GRACE_MS = 30_000;
const NOTICE_MS = 1_000;

async function* runServe(args: ParsedArguments, context: Context): AsyncIterable<ServeRow> {
  const { io, settings, signal } = context;
  const typed = value(args, 'listen');
  const listen = typed === undefined ? DEFAULT_LISTEN : parseListenAddress(typed);
  const flags = { memory: flag(args, 'memory'), readOnly: flag(args, 'read-only') };
  const target = await parseServedPlace(args.positionals, flags, io);
  const readOnly = flags.readOnly || target.kind === 'archives';
  const security = await readServeSecurity(args, { listen, readOnly }, context);
  const { close, ...served } = await openServedPlace(target, readOnly, context);
  try {
    const server = await startServer({
      ...security,
      ...served,
      listen,
      readOnly,
      sparse: flag(args, 'sparse'),
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

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Closes the server and gives running transfers some time to finish. */
async function stop(server: RunningServer, { io: { clock }, note }: Context): Promise<void> {
  const closed = new AbortController();
  const closing = server.close().finally(() => closed.abort());
  const cutting = (async () => {
    await clock.sleep(NOTICE_MS, closed.signal);
    note('stopping when the running transfers have finished; Ctrl-C again aborts them');
    await clock.sleep(GRACE_MS - NOTICE_MS, closed.signal);
    await server.destroy();
  })().catch((error: unknown) => {
    if (!closed.signal.aborted) throw error;
  });
  await Promise.all([closing, cutting]);
}
