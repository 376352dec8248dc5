import { TokenCache } from '../../auth/token-cache.ts';
import { systemClock, type Clock } from '../../clock.ts';
import type { CredentialSource } from '../../credentials/credential.ts';
import { HostPolicy, type HostRules } from '../../http/hosts.ts';
import { createProxyChooser } from '../../http/proxy/proxy.ts';
import { createTransport } from '../../http/transport.ts';
import type { Repository } from '../../oci/reference.ts';
import { createConnection, type Connection } from '../../registry/connection.ts';
import { VERSION } from '../../version.ts';
import { createRegistryPlace, type RegistryPlace } from './registry-place.ts';
import { createRegistryStore, type RegistryStore } from './registry-store.ts';

/** Options of all registries of one client. */
export interface RegistryClientOptions {
  /** Called after a challenge; requests are anonymous without it. */
  readonly credentials?: CredentialSource | undefined;
  /**
   * Registries that are contacted without verification, and further authorities; only loopback when
   * absent.
   */
  readonly hosts?: HostRules | undefined;
  /**
   * The environment with `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`; no proxy without
   * it.
   */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** The `User-Agent` of every request; `regi/VERSION` when absent. */
  readonly userAgent?: string | undefined;
  /** Retries after transient failures; 5 when absent. */
  readonly retries?: number | undefined;
  /** Longest silence of a registry; a minute when absent. Milliseconds. */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * Called with warnings of a registry, oddities of its responses, and the rest of a rate limit.
   */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** The clock of retries and tokens; the system's when absent. */
  readonly clock?: Clock | undefined;
}

/** A client of several registries, with shared connections and tokens. */
export interface RegistryClient {
  /**
   * Opens the repository of a reference. No request is sent yet.
   *
   * @throws {RegiError} when its registry is a valid name for docker, but no valid host of a URL.
   */
  open(repository: Repository, options?: OpenRepositoryOptions): RegistryStore;
  /**
   * Opens a whole registry, to list its repositories.
   *
   * @param host as in references, such as `docker.io`, `registry.example:5000`.
   * @throws as `open`.
   */
  openRegistry(host: string): RegistryPlace;
  /** Closes all connections at once. Requests in progress fail. */
  close(): Promise<void>;
}

/** Options of one repository of a registry. */
export interface OpenRepositoryOptions {
  /**
   * `write` for a destination: its reads use the token of its writes. `read` when absent, which
   * allows writes, too.
   */
  readonly access?: 'read' | 'write' | undefined;
}

/**
 * Makes a client of registries. It reads no file and no environment variable but those in `env`.
 */
export function createRegistryClient(options: RegistryClientOptions = {}): RegistryClient {
  const {
    credentials = async () => undefined,
    clock = systemClock,
    userAgent = `regi/${VERSION}`,
    onWarning,
    retries,
  } = options;
  const policy = new HostPolicy(options.hosts);
  const transport = createTransport({
    userAgent,
    tls: (origin) => policy.tls(origin),
    proxy: options.env === undefined ? undefined : createProxyChooser(options.env),
    idleTimeoutMs: options.idleTimeoutMs,
  });
  const tokens = new TokenCache(clock);
  const connections = new Map<string, Connection>();

  function connect(host: string): Connection {
    const known = connections.get(host);
    if (known !== undefined) return known;
    const { schemes } = policy.for(host);
    const made = createConnection({
      host,
      schemes,
      transport: transport.send,
      credentials,
      tokens,
      clock,
      retries,
      onWarning,
      onNotice: onWarning,
    });
    connections.set(host, made);
    return made;
  }

  return {
    open: ({ domain, path }, { access } = {}) =>
      createRegistryStore({ connection: connect(domain), repository: path, access }),
    openRegistry: (host) => createRegistryPlace({ connection: connect(host) }),
    close: () => transport.close(),
  };
}
