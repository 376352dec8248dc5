import { createAuthorizer, type Authorizer } from '../auth/authorizer.ts';
import type { AuthorizedResponse, TriedCredentials } from '../auth/not-authorised.ts';
import type { Scope } from '../auth/scope.ts';
import { settle } from '../auth/settle.ts';
import type { TokenCache } from '../auth/token-cache.ts';
import type { Clock } from '../clock.ts';
import type { CredentialSource } from '../credentials/credential.ts';
import { Admissions } from '../concurrency/admissions.ts';
import { discard } from '../http/body.ts';
import type { Scheme } from '../http/hosts.ts';
import type {
  HttpHeaders,
  HttpRequest,
  HttpResponse,
  Layer,
  Method,
  Transport,
} from '../http/message.ts';
import { followRedirects } from '../http/redirect.ts';
import {
  backoffMs,
  DEFAULT_RETRIES,
  isPassing,
  retryLayer,
  retryOfStatus,
  type RetryEvent,
} from '../http/retry.ts';
import { apiHost } from '../oci/reference.ts';
import { withoutSecrets } from '../redact.ts';
import { KeyedLock } from '../concurrency/keyed-lock.ts';
import { createQuotaReader } from './pull-quota.ts';
import { isTlsComplaint, SchemeDetector, SpokeTlsError } from './scheme-detector.ts';
import { UploadSizes } from './upload/sizes.ts';
import { createWarningReader } from './warnings.ts';

/** What a request carries besides method and place. */
export interface CallDetails {
  /** What the request needs, the most needed first. */
  readonly scopes: readonly Scope[];
  /** Whose credentials are looked up, where they differ by repository. */
  readonly repository?: string | undefined;
  /** Whether it may be tried without credentials after these were refused. GET and HEAD may when absent. */
  readonly canRetryAnonymously?: boolean | undefined;
  readonly accept?: string | undefined;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: HttpRequest['body'];
  readonly reach?: HttpRequest['reach'];
  /** `none`: a redirect is an answer. */
  readonly redirects?: 'follow' | 'none' | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type AnonymousDetails = Pick<CallDetails, 'accept' | 'headers' | 'reach' | 'signal'>;

/** An answer, with what is needed to say what went wrong. */
export interface RegistryResponse extends HttpResponse {
  readonly method: Method;
  /** The registry as written in references. */
  readonly host: string;
  /** When it came. Milliseconds since 1970. */
  readonly receivedAt: number;
  readonly repository: string | undefined;
  /** Whether the registry itself answered, and not a storage or host that it named. */
  readonly isOwn: boolean;
  /** Credentials that did not help against a 401 or 403. */
  readonly tried: TriedCredentials | undefined;
  /** What it was told and must not be shown. */
  readonly secrets: readonly string[];
}

/** A registry, as all endpoint functions see it. */
export interface Connection {
  /** As written in references: `docker.io`, `registry.example:5000`. */
  readonly name: string;
  readonly clock: Clock;
  /** How often something that failed for a passing reason is repeated. */
  readonly retries: number;
  readonly uploadSizes: UploadSizes;
  /** Who was let through, where a registry limits how often it is asked. */
  readonly admissions: Admissions;
  /** Scheme, host and port that answer; undefined before the first answer where several schemes are possible. */
  origin(): string | undefined;
  /**
   * Sends a request. Retries, redirects and challenges are dealt with; whatever status remains is an answer.
   *
   * @param path from `/v2/` on, with its query.
   */
  send(method: Method, path: string, details: CallDetails): Promise<RegistryResponse>;
  /** The same for a URL that the registry gave, such as that of an upload. Credentials go only to the registry's own origin. */
  sendTo(method: Method, url: URL, details: CallDetails): Promise<RegistryResponse>;
  /** Sends to any URL, without credentials and without answering challenges. */
  sendAnonymously(method: Method, url: URL, details: AnonymousDetails): Promise<RegistryResponse>;
  /** Tells a person what is odd about the registry. */
  warn(message: string): void;
  /** Runs one task at a time for each key. */
  exclusively<T>(key: string, task: () => Promise<T>): Promise<T>;
}

export interface ConnectionOptions {
  /** `HOST[:PORT]` as written in references. */
  readonly host: string;
  /** To be tried in this order; of `HostPolicy`. */
  readonly schemes: readonly Scheme[];
  /** The bottom of the stack: connects, and verifies as the policy says. */
  readonly transport: Transport;
  readonly credentials: CredentialSource;
  /** Shared by all registries of a command. */
  readonly tokens: TokenCache;
  readonly clock: Clock;
  readonly retries?: number | undefined;
  /** Upload in chunks of this many bytes. */
  readonly chunkSize?: number | undefined;
  /** Sees each request as it goes out. */
  readonly log?: Layer | undefined;
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
  /** Hears of each answer that says 429, also to a streamed body, which no layer repeats. */
  readonly onTooMany?: (() => void) | undefined;
  /** Takes what the registry wants a person to know, and what is odd about it. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Takes what a person should know of how we prove who we are, and of what is left of a limit. */
  readonly onNotice?: ((message: string, hint?: string) => void) | undefined;
}

/**
 * Makes the connection to a registry: transport, log, retry, authorisation, and redirects outermost, so that each hop is authorised
 * for its own origin. Nothing is sent before the first request.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints
 */
export function createConnection(options: ConnectionOptions): Connection {
  return new HttpConnection(options);
}

class HttpConnection implements Connection {
  readonly name: string;
  readonly clock: Clock;
  readonly retries: number;
  readonly uploadSizes: UploadSizes;
  readonly admissions = new Admissions();
  readonly #options: ConnectionOptions;
  readonly #detector: SchemeDetector;
  readonly #authorizers = new Map<Scheme, Authorizer>();
  readonly #once: Transport;
  readonly #retried: Transport;
  /** Once less: the first attempt was the probe. */
  readonly #retriedAfterProbe: Transport;
  readonly #readWarnings: (header: string | undefined) => void;
  readonly #readQuota: (headers: HttpHeaders) => void;
  readonly #locks = new KeyedLock();

  constructor(options: ConnectionOptions) {
    const { host, clock, retries = DEFAULT_RETRIES, chunkSize, transport, log, onRetry } = options;
    this.name = host;
    this.clock = clock;
    this.retries = retries;
    this.#options = options;
    this.#detector = new SchemeDetector(options.schemes);
    this.uploadSizes = new UploadSizes(this.#originOf('https').hostname, chunkSize);
    this.#once = noticing(log === undefined ? transport : log(transport), options.onTooMany);
    const { admissions } = this;
    this.#retried = retryLayer({ clock, retries, onRetry, admissions })(this.#once);
    this.#retriedAfterProbe = retryLayer({ clock, retries: retries - 1, onRetry, admissions })(
      this.#once,
    );
    this.#readWarnings = createWarningReader((text) => this.warn(`"${host}" says: ${text}`));
    this.#readQuota = createQuotaReader(host, (message, hint) => options.onNotice?.(message, hint));
  }

  origin(): string | undefined {
    const scheme = this.#detector.settled;
    return scheme === undefined ? undefined : this.#originOf(scheme).origin;
  }

  async send(method: Method, path: string, details: CallDetails): Promise<RegistryResponse> {
    return this.#detected(method, details, (scheme) =>
      this.#ask(scheme, requestOf(method, new URL(path, this.#originOf(scheme)), details), details),
    );
  }

  async sendTo(method: Method, url: URL, details: CallDetails): Promise<RegistryResponse> {
    return this.#detector.run((scheme) =>
      this.#ask(scheme, requestOf(method, url, details), details),
    );
  }

  /** Looks for the scheme again when the registry was away while it was looked for; one that is known, the retry layer asks again. */
  async #detected<T>(
    method: Method,
    { signal }: CallDetails,
    attempt: (scheme: Scheme) => Promise<T>,
  ): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await this.#detector.run(attempt);
      } catch (error) {
        signal?.throwIfAborted();
        const isKnown = this.#detector.settled !== undefined;
        if (
          isKnown ||
          (method !== 'GET' && method !== 'HEAD') ||
          !isPassing(error) ||
          failures >= this.retries
        )
          throw error;
      }
      await this.clock.sleep(backoffMs(failures, this.clock), signal);
    }
  }

  async sendAnonymously(
    method: Method,
    url: URL,
    details: AnonymousDetails,
  ): Promise<RegistryResponse> {
    const response = await followRedirects(requestOf(method, url, details), this.#retried);
    return this.#respond(method, response);
  }

  warn(message: string): void {
    this.#options.onWarning?.(message);
  }

  async exclusively<T>(key: string, task: () => Promise<T>): Promise<T> {
    return this.#locks.run(key, task);
  }

  async #ask(
    scheme: Scheme,
    request: HttpRequest,
    details: CallDetails,
  ): Promise<RegistryResponse> {
    const { scopes, repository, canRetryAnonymously, redirects = 'follow' } = details;
    const authorizer = this.#authorizer(scheme);
    let tried: TriedCredentials | undefined;
    let secrets: readonly string[] = [];
    const send = async (hop: HttpRequest): Promise<HttpResponse> => {
      const response = await authorizer.send(hop, { scopes, repository, canRetryAnonymously });
      ({ tried } = response);
      secrets = [...secrets, ...(response.secrets ?? [])];
      if (hop.url.origin !== this.#originOf(scheme).origin) return response;
      this.#readWarnings(withoutSecrets(response.headers.get('warning') ?? '', secrets));
      // A refusal says it itself.
      if (response.status < 400) this.#readQuota(response.headers);
      return response;
    };
    const response = await (redirects === 'follow'
      ? followRedirects(request, send)
      : send(request));
    return this.#respond(request.method, { ...response, tried, secrets }, repository);
  }

  #respond(method: Method, response: AuthorizedResponse, repository?: string): RegistryResponse {
    const { status, headers, url, remoteAddress, body, tried, secrets = [] } = response;
    const isOwn = this.#options.schemes.some(
      (scheme) => this.#originOf(scheme).origin === url.origin,
    );
    return {
      status,
      headers,
      url,
      remoteAddress,
      body,
      tried,
      secrets,
      isOwn,
      method,
      host: this.name,
      repository,
      receivedAt: this.clock.now(),
    };
  }

  #authorizer(scheme: Scheme): Authorizer {
    const known = this.#authorizers.get(scheme);
    if (known !== undefined) return known;
    const { host, credentials, tokens, clock, onNotice } = this.#options;
    const origin = this.#originOf(scheme);
    const send: Transport = (request) =>
      this.#detector.settled === undefined && request.url.origin === origin.origin
        ? this.#sendProbe(request, scheme)
        : this.#retried(request);
    const made = createAuthorizer({
      send,
      origin,
      host,
      credentials,
      tokens,
      clock,
      retries: this.retries,
      onNotice,
    });
    this.#authorizers.set(scheme, made);
    return made;
  }

  /** Sends once: a server of the other scheme closes the connection, and would be asked again and again. */
  async #sendProbe(request: HttpRequest, scheme: Scheme): Promise<HttpResponse> {
    const response = await this.#once(request);
    if (response.status !== 400) this.#detector.found(scheme);
    const decision = retryOfStatus(response, 0, { clock: this.clock });
    if (decision.kind === 'retry' && this.retries > 0) {
      await discard(response);
      const { method, url, signal } = request;
      this.#options.onRetry?.({
        method,
        url,
        attempt: 1,
        delayMs: decision.delayMs,
        cause: response.status,
      });
      await this.clock.sleep(decision.delayMs, signal);
      return this.#retriedAfterProbe(request);
    }
    if (response.status !== 400) return response;
    const settled = await settle(response, request.signal);
    if (await isTlsComplaint(await this.#withReason(settled, request)))
      throw new SpokeTlsError(`"${this.name}" speaks TLS`);
    return settled;
  }

  /** The answer to a HEAD has no body to say why: the same is asked with one. */
  async #withReason(
    response: HttpResponse,
    { method, url, signal }: HttpRequest,
  ): Promise<HttpResponse> {
    if (method !== 'HEAD' || url.protocol !== 'http:') return response;
    return settle(await this.#once({ method: 'GET', url: new URL('/v2/', url), signal }), signal);
  }

  #originOf(scheme: Scheme): URL {
    return new URL(`${scheme}://${apiHost(this.name)}`);
  }
}

function requestOf(
  method: Method,
  url: URL,
  { accept, headers, ...rest }: AnonymousDetails & { readonly body?: HttpRequest['body'] },
): HttpRequest {
  return {
    method,
    url,
    headers: { ...(accept !== undefined && { accept }), ...headers },
    body: rest.body,
    reach: rest.reach,
    signal: rest.signal,
  };
}

function noticing(send: Transport, onTooMany: (() => void) | undefined): Transport {
  return async (request) => {
    const response = await send(request);
    if (response.status === 429) onTooMany?.();
    return response;
  };
}
