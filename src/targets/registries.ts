import { TokenCache } from '../auth/token-cache.ts';
import type { Context } from '../context.ts';
import { createCredentialChain } from '../credentials/chain.ts';
import type { CredentialSource } from '../credentials/credential.ts';
import { RegiError } from '../errors.ts';
import { logLayer } from '../http/log.ts';
import type { Reference } from '../oci/reference.ts';
import { createConnection, type Connection } from '../registry/connection.ts';
import { createRegistryPlace } from '../stores/registry/registry-place.ts';
import { createRegistryStore } from '../stores/registry/registry-store.ts';
import type { Place, Store } from '../store.ts';
import { credentialPlaces } from './credentials.ts';
import { slowDown } from './host-lanes.ts';
import { createHosts, type Hosts } from './hosts.ts';
import { openMirrored } from './open-mirrored.ts';
import type { Side } from './open-store.ts';
import { journaledUploads } from './unfinished.ts';

/** The registries of one command: they share connections and tokens. */
export interface Registries {
  open(reference: Reference, side: Side): Store;
  /** All of a registry, to read. */
  openPlace(host: string): Place;
  connect(host: string, side: Side): Connection;
  /** A connection that shows `credentials` and nothing that is stored. */
  connectAs(host: string, credentials: CredentialSource, options?: ConnectAsOptions): Connection;
  /** What flags, variables and files say of hosts. */
  readonly hosts: Hosts;
  close(): Promise<void>;
}

export interface ConnectAsOptions {
  /** What registries.conf says of what is read or written there; of the host itself when absent. */
  readonly insecure?: boolean | undefined;
  /** Those of the flags when absent. */
  readonly retries?: number | undefined;
  /** The registry that the user named, where this is a mirror of it. */
  readonly asked?: string | undefined;
}

/** There is somebody else to ask: a mirror is not waited for as long as a registry. */
const MIRROR_RETRIES = 1;

/** Makes what all registries of a command share. Nothing is sent before the first request. */
export async function createRegistries(context: Context): Promise<Registries> {
  const { io, settings } = context;
  const hosts = await createHosts(context);
  const tokens = new TokenCache(io.clock);
  const log = logLayer({ clock: io.clock, log: context.log, verbosity: settings.verbosity });
  const connections = new Map<string, Connection>();
  const places = credentialPlaces(context);
  const closers: (() => void)[] = [];

  /** @param asked the registry that the user named: credentials of a flag are for that one, and not for its mirrors. */
  function connect(
    host: string,
    side: Side,
    { asked = host, isMirror = false, insecure = hosts.isInsecure(host) } = {},
  ): Connection {
    const given = side === 'source' ? settings.sourceCredentials : settings.destinationCredentials;
    const pointer = asked === host ? given : undefined;
    // Without credentials of its own, a side shares connection and tokens with the other.
    const key = `${pointer === undefined ? '' : side} ${insecure ? 'insecure' : ''} ${isMirror ? 'mirror' : ''} ${host}`;
    const known = connections.get(key);
    if (known !== undefined) return known;
    const chain = createCredentialChain({
      ...places,
      pointer: pointer === undefined ? undefined : { password: pointer, registry: host },
    });
    const made = connectAs(host, chain, {
      asked,
      insecure,
      retries: isMirror ? Math.min(settings.retries, MIRROR_RETRIES) : settings.retries,
    });
    connections.set(key, made);
    return made;
  }

  function connectAs(
    host: string,
    credentials: CredentialSource,
    options: ConnectAsOptions = {},
  ): Connection {
    const { insecure = hosts.isInsecure(host), retries = settings.retries, asked = host } = options;
    checkHost(host);
    return createConnection({
      ...hosts.way(host, insecure),
      host,
      credentials,
      tokens,
      clock: io.clock,
      retries,
      log,
      onRetry: ({ method, url, attempt, delayMs }) =>
        context.log(`${method} ${url.host} failed; attempt ${attempt + 1} in ${delayMs} ms`),
      onTooMany() {
        if (slowDown(context, asked))
          context.log(`${asked} is asked too often: few requests at once from now on`);
      },
      onWarning: context.warn,
      onNotice: context.warn,
    });
  }

  function open(reference: Reference, side: Side): Store {
    const { domain, path } = reference;
    const connection = connect(domain, side, { insecure: hosts.isInsecure(reference) });
    if (side === 'destination') {
      const uploads = journaledUploads(connection, path, context);
      closers.push(uploads.close);
      return createRegistryStore({
        connection,
        repository: path,
        access: 'write',
        uploads: uploads.journal,
      });
    }
    const upstream = createRegistryStore({ connection, repository: path, access: 'read' });
    return openMirrored(reference, hosts.sources(reference), upstream, {
      open: (source) =>
        createRegistryStore({
          connection: connect(source.reference.domain, side, {
            asked: domain,
            isMirror: source.isMirror,
            insecure: source.insecure,
          }),
          repository: source.reference.path,
        }),
      log: context.log,
      warn: context.warn,
    });
  }

  return {
    hosts,
    connect,
    connectAs,
    open,
    openPlace: (host) => createRegistryPlace({ connection: connect(host, 'source') }),
    close: async () => {
      for (const close of closers) close();
      await hosts.close();
    },
  };
}

/** Docker's grammar takes hosts that no URL does: ports over 65535, four numbers that are no address. */
function checkHost(host: string): void {
  if (URL.canParse(`https://${host}`)) return;
  throw new RegiError(
    'INVALID_REFERENCE',
    `Cannot contact "${host}": expected a host name or address, and a port up to 65535`,
    {
      hint: 'check the part before the first "/"',
    },
  );
}
