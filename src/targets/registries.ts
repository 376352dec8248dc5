import { TokenCache } from '../auth/token-cache.ts';
import { takes, type PullSource } from '../configuration/pull-sources.ts';
import type { Context, Settings } from '../context.ts';
import { createCredentialChain } from '../credentials/chain.ts';
import type { CredentialSource } from '../credentials/credential.ts';
import type { PasswordPointer } from '../credentials/pointer.ts';
import { RegiError } from '../errors.ts';
import { logLayer } from '../http/log.ts';
import { repositoryName, type Reference } from '../oci/reference.ts';
import { quote } from '../quote.ts';
import { createConnection, type Connection } from '../registry/connection.ts';
import type { Place, Store } from '../store.ts';
import { mirrored, type Alternative } from '../stores/registry/mirrored.ts';
import { createRegistryPlace } from '../stores/registry/registry-place.ts';
import { createRegistryStore } from '../stores/registry/registry-store.ts';
import { credentialPlaces } from './credentials.ts';
import { slowDown } from './host-lanes.ts';
import { createHosts, type Hosts } from './hosts.ts';
import { journaledUploads } from './journal.ts';

type Side = 'source' | 'destination';

/** The registries of one command, which share connections and tokens. */
export interface Registries {
  open(reference: Reference, side: Side): Store;
  /** Opens a whole registry for reading. */
  openPlace(host: string): Place;
  connect(host: string, side: Side): Connection;
  /** Returns a connection that sends `credentials` and no stored ones. */
  connectAs(host: string, credentials: CredentialSource, options?: ConnectAsOptions): Connection;
  /** The rules for hosts from flags, variables and files. */
  readonly hosts: Hosts;
  close(): Promise<void>;
}

export interface ConnectAsOptions {
  /** The rule of registries.conf for the repository; the rule for the host when absent. */
  readonly insecure?: boolean | undefined;
  /** The retries of the flags when absent. */
  readonly retries?: number | undefined;
  /** The registry that the user named, where `host` is its mirror. */
  readonly asked?: string | undefined;
}

/** A mirror gets fewer retries than a registry, because there is another one to ask. */
const MIRROR_RETRIES = 1;

/** Creates the registries of one command. Nothing is sent before the first request. */
export async function createRegistries(context: Context): Promise<Registries> {
  const { io, settings } = context;
  const hosts = await createHosts(context);
  const tokens = new TokenCache(io.clock);
  const log = logLayer({ clock: io.clock, log: context.log, verbosity: settings.verbosity });
  const connections = new Map<string, Connection>();
  const places = credentialPlaces(context);
  const closers: (() => void)[] = [];

  /**
   * @param asked the registry that the user named: credentials of a flag are never sent to its
   *   mirrors.
   */
  function connect(
    host: string,
    side: Side,
    { asked = host, isMirror = false, insecure = hosts.isInsecure(host), name = host } = {},
  ): Connection {
    const given = side === 'source' ? settings.sourceCredentials : settings.destinationCredentials;
    const own = credentialsOf(settings.registryCredentials, name);
    const pointer = asked === host ? (given ?? own?.pointer) : undefined;
    // A side without credentials of its own shares connection and tokens with the other side.
    const from = given === undefined ? (own?.name ?? '') : side;
    const key = `${pointer === undefined ? '' : from} ${insecure ? 'insecure' : ''} ${isMirror ? 'mirror' : ''} ${host}`;
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
      keptPulls: settings.keptPulls?.get(asked.toLowerCase()),
      log,
      onRetry: ({ method, url, attempt, delayMs }) =>
        context.log(`${method} ${url.host} failed; attempt ${attempt + 1} in ${delayMs} ms`),
      onTooMany() {
        if (slowDown(context, asked))
          context.log(`${asked} answered 429: fewer requests at once from now on`);
      },
      onWarning: context.warn,
      onNotice: context.warn,
    });
  }

  function open(reference: Reference, side: Side): Store {
    const { domain, path } = reference;
    const connection = connect(domain, side, {
      insecure: hosts.isInsecure(reference),
      name: repositoryName(reference),
    });
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
    return withMirrors(reference, hosts.sources(reference), upstream, (source) =>
      createRegistryStore({
        connection: connect(source.reference.domain, side, {
          asked: domain,
          isMirror: source.isMirror,
          insecure: source.insecure,
        }),
        repository: source.reference.path,
      }),
    );
  }

  /**
   * Returns the store that an image is read from: `upstream` alone, or its mirrors and then its
   * registry.
   */
  function withMirrors(
    asked: Reference,
    sources: readonly PullSource[],
    upstream: Store,
    openSource: (source: PullSource) => Store,
  ): Store {
    const { log: verbose, warn } = context;
    const name = repositoryName(asked);
    const [only] = sources;
    if (sources.length === 1 && only !== undefined && repositoryName(only.reference) === name)
      return upstream;
    const mirrors = new Set<Alternative>();
    const alternatives = sources.map((source): Alternative => {
      const sourceName = repositoryName(source.reference);
      const alternative = {
        name: sourceName,
        store: sourceName === name && !source.isMirror ? upstream : openSource(source),
        takes: takes.bind(undefined, source),
      };
      if (source.isMirror) mirrors.add(alternative);
      return alternative;
    });
    return mirrored(upstream, {
      alternatives,
      onUse: (found) =>
        verbose(`"${name}" is read from ${mirrors.has(found) ? 'its mirror ' : ''}"${found.name}"`),
      onFailure: (failed, { code, message, hint }) => {
        if (code === 'NOT_FOUND') verbose(`"${failed.name}" does not have it: ${message}`);
        else warn(`Skipping "${failed.name}", a mirror of "${name}": ${message}`, hint);
      },
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

/** Finds the credentials for a repository: those of the longest name that begins it. */
function credentialsOf(
  table: Settings['registryCredentials'],
  name: string,
): { readonly name: string; readonly pointer: PasswordPointer } | undefined {
  const found = [...(table ?? [])]
    .filter(([key]) => name === key || name.startsWith(`${key}/`))
    .toSorted(([one], [other]) => other.length - one.length)[0];
  return found && { name: found[0], pointer: found[1] };
}

/**
 * Docker's grammar accepts hosts that no URL does: ports over 65535, four numbers that are no
 * address.
 */
function checkHost(host: string): void {
  if (URL.canParse(`https://${host}`)) return;
  throw new RegiError(
    'INVALID_REFERENCE',
    `Cannot contact ${quote(host)}: expected a host name or address, and a port up to 65535`,
    { hint: 'check the part before the first "/"' },
  );
}
