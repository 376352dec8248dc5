import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { referenceIn } from '../../oci/reference.ts';
import { startServer, type RunningServer } from '../../server/server.ts';
import { createVerifier, type Admits } from '../../server/verified-manifests.ts';
import { withStores } from '../../targets/open-store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import type { TrustPolicy } from '../../trust/policy.ts';
import { flag, value } from '../arguments/arguments.ts';
import { gateFor } from '../trust/gates.ts';
import { readPolicy } from '../trust/policy.ts';
import { DEFAULT_LISTEN, parseListenAddress, type ListenAddress } from './listen-address.ts';
import { openServedPlace, type PlaceToServe } from '../../targets/served-place.ts';
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
  const { io } = context;
  const typed = value(args, 'listen');
  const listen = typed === undefined ? DEFAULT_LISTEN : parseListenAddress(typed);
  const flags = { memory: flag(args, 'memory'), readOnly: flag(args, 'read-only') };
  const target = await parseServedPlace(args.positionals, flags, io);
  const readOnly = flags.readOnly || target.kind === 'archives';
  const security = await readServeSecurity(args, { listen, readOnly }, context);
  const policy = await readPolicy(args, context);
  if (policy !== undefined && !readOnly)
    throw new UsageError('Cannot use a policy while images are pushed: expected --read-only', {
      hint: 'add --read-only, and fill the place with another command',
    });
  yield* withStores(context, {}, (stores) =>
    serveUntilSignal(args, { target, security, listen, readOnly, policy }, stores, context),
  );
}

interface ServeSettings {
  readonly target: PlaceToServe;
  readonly security: Awaited<ReturnType<typeof readServeSecurity>>;
  readonly listen: ListenAddress;
  readonly readOnly: boolean;
  readonly policy: TrustPolicy | undefined;
}

async function* serveUntilSignal(
  args: ParsedArguments,
  { target, security, listen, readOnly, policy }: ServeSettings,
  stores: Stores,
  context: Context,
): AsyncGenerator<ServeRow> {
  const { io, settings, signal } = context;
  const { close, ...served } = await openServedPlace(target, readOnly, context);
  try {
    const server = await startServer({
      ...security,
      ...served,
      admits: policy && verifierOf(policy, stores, context),
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

/** Names of the place decide, so no rule accepts them unsigned. */
function verifierOf(policy: TrustPolicy, stores: Stores, { warn }: Context): Admits {
  return createVerifier({
    gateOf: async (repository) => {
      const name = referenceIn(repository);
      return gateFor(policy, { name, text: repository }, stores);
    },
    onRefused: (line) => warn(line),
  });
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
