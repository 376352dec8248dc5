import { TokenCache } from '../../auth/token-cache.ts';
import { systemClock, type Clock } from '../../clock.ts';
import type { CredentialSource } from '../../credentials/credential.ts';
import { HostPolicy, type HostRules } from '../../http/hosts.ts';
import { createProxyChooser } from '../../http/proxy.ts';
import { createTransport } from '../../http/transport.ts';
import type { Repository } from '../../oci/reference.ts';
import { createConnection, type Connection } from '../../registry/connection.ts';
import { VERSION } from '../../version.ts';
import { createRegistryPlace, type RegistryPlace } from './registry-place.ts';
import { createRegistryStore, type RegistryStore } from './registry-store.ts';

/** Options of all registries of one client. */
export interface RegistryClientOptions {
  /** Asked after a challenge; without it nobody logs in. */
  readonly credentials?: CredentialSource | undefined;
  /** Which registries may be contacted without proof of who they are, and further authorities. Without it only loopback, as typed. */
  readonly hosts?: HostRules | undefined;
  /** Where `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are looked up; no proxy without it. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** The `User-Agent` of every request; `regi/VERSION` when absent. */
  readonly userAgent?: string | undefined;
  /** How often something that failed for a passing reason is repeated; 5 when absent. */
  readonly retries?: number | undefined;
  /** How long a registry may do nothing; a minute when absent. Milliseconds. */
  readonly idleTimeoutMs?: number | undefined;
  /** Takes what a registry wants a person to know, what is odd about it, and what is left of a limit. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** The clock of retries and tokens; the system's when absent. */
  readonly clock?: Clock | undefined;
}

/** Registries that are used together: they share connections and tokens. */
export interface RegistryClient {
  /**
   * Opens the repository of a reference. Nothing is sent yet.
   *
   * @throws {InvalidHostRuleError} when docker's grammar takes its registry for one, and no URL does.
   */
  open(repository: Repository, options?: OpenRepositoryOptions): RegistryStore;
  /**
   * Opens a whole registry, to list its repositories.
   *
   * @param host as in references: `docker.io`, `registry.example:5000`.
   * @throws as `open`.
   */
  openRegistry(host: string): RegistryPlace;
  /** Closes all connections at once. Requests that still run fail. */
  close(): Promise<void>;
}

/** Options of one repository of a registry. */
export interface OpenRepositoryOptions {
  /** `write` for a destination: its reads ask for the same token as its writes. `read` when absent; it may write, too. */
  readonly access?: 'read' | 'write' | undefined;
}

/** Makes a client of registries. It reads no file and no variable that it is not given. */
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
