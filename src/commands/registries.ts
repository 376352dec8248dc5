import { readFile } from 'node:fs/promises';

import { TokenCache } from '../auth/token-cache.ts';
import type { Context } from '../context.ts';
import { createCredentialChain } from '../credentials/chain.ts';
import { RegiError } from '../errors.ts';
import { HostPolicy } from '../http/hosts.ts';
import { logLayer } from '../http/log.ts';
import { createTransport } from '../http/transport.ts';
import type { Reference } from '../oci/reference.ts';
import { createConnection, type Connection } from '../registry/connection.ts';
import { createRegistryStore } from '../stores/registry-store.ts';
import type { Store } from '../store.ts';
import { VERSION } from '../version.ts';
import type { Side } from './open-store.ts';

/** The registries of one command: they share connections and tokens. */
export interface Registries {
  open(reference: Reference, side: Side): Store;
  connect(host: string, side: Side): Connection;
  close(): Promise<void>;
}

/** A file of certificate authorities that cannot be read. */
export class UnreadableCaFileError extends RegiError {
  readonly code = 'INVALID_CONFIG';
}

/** A registry whose name is none. */
export class InvalidHostError extends RegiError {
  readonly code = 'INVALID_REFERENCE';
}

/** Makes what all registries of a command share. Nothing is sent before the first request. */
export async function createRegistries(context: Context): Promise<Registries> {
  const { io, settings, signal } = context;
  const policy = new HostPolicy({
    insecureRegistries: settings.insecureRegistries,
    plainHttp: settings.plainHttp,
    tlsSkipVerify: settings.tlsSkipVerify,
    ca: settings.caFile === undefined ? undefined : await readCaFile(settings.caFile, signal),
  });
  const transport = createTransport({
    userAgent: `regi/${VERSION}`,
    tls: (origin) => policy.tls(origin),
    lookup: io.lookup,
    idleTimeoutMs: settings.idleTimeoutMs,
  });
  const tokens = new TokenCache(io.clock);
  const log = logLayer({ clock: io.clock, log: context.log, verbosity: settings.verbosity });
  const connections = new Map<string, Connection>();

  function connect(host: string, side: Side): Connection {
    const pointer = side === 'source' ? settings.sourceCredentials : settings.destinationCredentials;
    // Without credentials of its own, a side shares connection and tokens with the other.
    const key = pointer === undefined ? host : `${side} ${host}`;
    const known = connections.get(key);
    if (known !== undefined) return known;
    checkHost(host);
    const made = createConnection({
      host,
      schemes: policy.for(host).schemes,
      transport: transport.send,
      credentials: createCredentialChain({
        env: io.env,
        home: io.home,
        cwd: io.cwd,
        warn: context.warn,
        pointer: pointer === undefined ? undefined : { password: pointer, registry: host },
      }),
      tokens,
      clock: io.clock,
      retries: settings.retries,
      chunkSize: settings.chunkSize,
      log,
      onRetry: ({ method, url, attempt, delayMs }) => context.log(`${method} ${url.host} failed; attempt ${attempt + 1} in ${delayMs} ms`),
      onWarning: context.warn,
      onNotice: context.warn,
    });
    connections.set(key, made);
    return made;
  }

  return {
    connect,
    open: ({ domain, path }, side) =>
      createRegistryStore({ connection: connect(domain, side), repository: path, access: side === 'source' ? 'read' : 'write' }),
    close: () => transport.close(),
  };
}

/** Docker's grammar takes hosts that no URL does: ports over 65535, four numbers that are no address. */
function checkHost(host: string): void {
  if (URL.canParse(`https://${host}`)) return;
  throw new InvalidHostError(`Cannot contact "${host}": expected a host name or address, and a port up to 65535`, {
    hint: 'check the part before the first "/"',
  });
}

async function readCaFile(path: string, signal: AbortSignal): Promise<string> {
  try {
    return await readFile(path, { encoding: 'utf8', signal });
  } catch (cause) {
    signal.throwIfAborted();
    const reason = cause instanceof Error ? cause.message : 'unknown reason';
    throw new UnreadableCaFileError(`Cannot read the certificate authorities in "${path}": ${reason}`, {
      hint: 'give --ca-file a file of PEM certificates',
      cause,
    });
  }
}
