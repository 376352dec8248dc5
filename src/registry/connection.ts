import { authorizeLayer, type AuthorizedRequest } from '../auth/authorizer.ts';
import type { Access } from '../auth/authorization.ts';
import type { AuthorizedResponse, TriedCredentials } from '../auth/not-authorised.ts';
import type { TokenCache } from '../auth/token-cache.ts';
import type { Clock } from '../clock.ts';
import { Admissions } from '../concurrency/admissions.ts';
import { KeyedLock } from '../concurrency/keyed-lock.ts';
import type { CredentialSource } from '../credentials/credential.ts';
import type { Scheme } from '../http/hosts.ts';
import {
  compose,
  observe,
  type HttpRequest,
  type HttpResponse,
  type Layer,
  type Method,
  type Transport,
} from '../http/message.ts';
import { redirectLayer } from '../http/redirect.ts';
import { DEFAULT_RETRIES, retryLayer, type RetryEvent } from '../http/retry.ts';
import { apiHost } from '../oci/reference.ts';
import { keepPullsLayer } from './pull-quota.ts';
import { SchemeDetector } from './scheme-detector.ts';
import { UploadSizes } from './upload/sizes.ts';
import { noticeLayer } from './warnings.ts';

/** A request without method and URL. */
export interface CallDetails
  extends
    Omit<Access, 'secrets'>,
    Pick<HttpRequest, 'body' | 'headers' | 'reach' | 'redirects' | 'signal'> {
  readonly accept?: string | undefined;
}

export type AnonymousDetails = Pick<CallDetails, 'accept' | 'headers' | 'reach' | 'signal'>;

/** A response with the facts that error messages need. */
export interface RegistryResponse extends HttpResponse {
  readonly method: Method;
  /** The registry as written in references. */
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  readonly repository: string | undefined;
  /** True if the registry itself responded, not a storage or host that it named. */
  readonly isOwn: boolean;
  /** Credentials that did not help against a 401 or 403. */
  readonly tried: TriedCredentials | undefined;
  /** Secrets that were sent, and must not be shown. */
  readonly secrets: readonly string[];
}

/** A registry, as all endpoint functions see it. */
export interface Connection {
  /** As written in references: `docker.io`, `registry.example:5000`. */
  readonly name: string;
  readonly clock: Clock;
  /** Retries after temporary failures. */
  readonly retries: number;
  readonly uploadSizes: UploadSizes;
  readonly admissions: Admissions;
  /**
   * Scheme, host and port; undefined before the first response where several schemes are possible.
   */
  origin(): string | undefined;
  /**
   * Sends a request. It handles retries, redirects and challenges, and returns any remaining
   * status.
   *
   * @param target the path from `/v2/` on, with its query; or a URL that the registry gave. Only
   *   the registry's own origin gets credentials.
   */
  send(method: Method, target: string | URL, details: CallDetails): Promise<RegistryResponse>;
  /** Sends to any URL, without credentials and without answering challenges. */
  sendAnonymously(method: Method, url: URL, details: AnonymousDetails): Promise<RegistryResponse>;
  /** Reports odd behaviour of the registry. */
  warn(message: string): void;
  /** Runs one task at a time for each key. */
  exclusively<T>(key: string, task: () => Promise<T>): Promise<T>;
}

export interface ConnectionOptions {
  /** `HOST[:PORT]` as written in references. */
  readonly host: string;
  /** To be tried in this order; from `HostPolicy`. */
  readonly schemes: readonly Scheme[];
  readonly transport: Transport;
  readonly credentials: CredentialSource;
  /** Shared by all registries of a command. */
  readonly tokens: TokenCache;
  readonly clock: Clock;
  readonly retries?: number | undefined;
  /** Size of upload chunks in bytes; uploads are whole when absent. */
  readonly chunkSize?: number | undefined;
  /** Pulls that stay unused, where the registry counts them. */
  readonly keptPulls?: number | undefined;
  readonly log?: Layer | undefined;
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
  /** Called on each 429, also for streamed bodies, which no layer repeats. */
  readonly onTooMany?: (() => void) | undefined;
  /** Receives the registry's warnings, and its odd behaviour. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Receives notices about credentials, and about a pull limit that is nearly used up. */
  readonly onNotice?: ((message: string, hint?: string) => void) | undefined;
}

/**
 * Makes the connection to a registry, a stack of layers. Nothing is sent before the first request.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints
 */
export function createConnection(options: ConnectionOptions): Connection {
  const { clock, transport, log = (next) => next, retries = DEFAULT_RETRIES } = options;
  const admissions = new Admissions();
  const locks = new KeyedLock();
  const host = apiHost(options.host);
  const detector = new SchemeDetector({ ...options, host, retries });
  const { origin, isProbe } = detector;
  const warn = (message: string): void => options.onWarning?.(message);

  const wire = compose(
    transport,
    log,
    observe((response) => {
      detector.note(response);
      if (response.status === 429) options.onTooMany?.();
    }),
    retryLayer({ ...options, retries, admissions, isProbe }),
  );
  const registry = compose(
    wire,
    detector.layer,
    authorizeLayer({ ...options, origin, retries }),
    noticeLayer(options, (url) => detector.isOwn(url)),
    options.keptPulls === undefined
      ? (next) => next
      : keepPullsLayer(options.host, options.keptPulls),
    // Outermost, so that each hop is authorised for its own origin.
    redirectLayer,
  );
  const anywhere = compose(wire, redirectLayer);

  async function send(
    method: Method,
    target: string | URL,
    { scopes, repository, canRetryAnonymously, ...details }: CallDetails,
  ): Promise<RegistryResponse> {
    const secrets = new Set<string>();
    const access = { scopes, repository, canRetryAnonymously, secrets };
    return detector.firstAlone(async () => {
      const request = requestOf(method, new URL(target, origin()), details);
      const authorized: AuthorizedRequest = { ...request, access };
      return respond(method, await registry(authorized), access);
    });
  }

  function respond(
    method: Method,
    response: AuthorizedResponse,
    { repository, secrets }: Partial<Access>,
  ): RegistryResponse {
    return {
      ...response,
      method,
      host: options.host,
      receivedAt: clock.now(),
      repository,
      isOwn: detector.isOwn(response.url),
      tried: response.tried,
      secrets: [...(secrets ?? [])],
    };
  }

  return {
    name: options.host,
    clock,
    retries,
    uploadSizes: new UploadSizes(new URL(`https://${host}`).hostname, options.chunkSize),
    admissions,
    origin: () => detector.settled?.origin,
    send,
    async sendAnonymously(method, url, details) {
      return respond(method, await anywhere(requestOf(method, url, details)), {});
    },
    warn,
    exclusively: (key, task) => locks.run(key, task),
  };
}

function requestOf(
  method: Method,
  url: URL,
  { accept, headers, ...rest }: Omit<CallDetails, keyof Access>,
): HttpRequest {
  return { ...rest, method, url, headers: { ...(accept !== undefined && { accept }), ...headers } };
}
