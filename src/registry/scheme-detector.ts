import type { Clock } from '../clock.ts';
import { Patience } from '../concurrency/patience.ts';
import { readStart, settle } from '../http/body.ts';
import { NetworkError, TlsError } from '../http/errors.ts';
import type { Scheme } from '../http/hosts.ts';
import type { HttpRequest, HttpResponse, Layer, Transport } from '../http/message.ts';
import { isPassing } from '../http/retry.ts';

/** The 400 that TLS servers of Go, nginx and Apache send to plain http. */
const TLS_COMPLAINT = /HTTP request to an HTTPS server|plain HTTP/i;

export interface SchemeDetectorOptions {
  /** `HOST[:PORT]` that is contacted. */
  readonly host: string;
  /** To be tried in this order. */
  readonly schemes: readonly Scheme[];
  readonly clock: Clock;
  /** Further rounds over the schemes while the registry is away. */
  readonly retries: number;
}

/**
 * Finds the scheme of a registry with the first real request, so that no ping is spent on it. The
 * scheme is kept for the process. Later requests wait for the first one.
 */
export class SchemeDetector {
  readonly #options: SchemeDetectorOptions;
  readonly #origins: readonly URL[];
  #settled: URL | undefined;
  #first: Promise<unknown> | undefined;

  constructor(options: SchemeDetectorOptions) {
    this.#options = options;
    this.#origins = options.schemes.map((scheme) => new URL(`${scheme}://${options.host}`));
    this.#settled = this.#origins.length === 1 ? this.#origins[0] : undefined;
  }

  /** Scheme, host and port of the registry; undefined before the first response. */
  get settled(): URL | undefined {
    return this.#settled;
  }

  /** The settled origin, else the one to be tried first. */
  readonly origin = (): URL => {
    const origin = this.#settled ?? this.#origins[0];
    if (origin === undefined) throw new Error('A registry has no scheme to try');
    return origin;
  };

  /** True if the URL is one of the registry's own, by any of its schemes. */
  isOwn(url: URL): boolean {
    return this.#origins.some(({ origin }) => origin === url.origin);
  }

  /** True for a request that may meet a server of the other scheme, which closes the connection. */
  readonly isProbe = ({ url }: HttpRequest): boolean =>
    this.#settled === undefined && this.isOwn(url);

  /**
   * Takes a response: from here on, failures have other causes than the scheme. A 400 may be a
   * complaint.
   */
  note({ status, url }: HttpResponse): void {
    if (this.#settled === undefined && status !== 400)
      this.#settled = this.#origins.find(({ origin }) => origin === url.origin);
  }

  /**
   * Runs the first task alone, so that the others know the scheme and the challenge that it meets.
   */
  async firstAlone<T>(task: () => Promise<T>): Promise<T> {
    while (this.#settled === undefined && this.#first !== undefined) await this.#first;
    if (this.#settled !== undefined) return task();
    const running = task();
    const ended = (): void => {
      this.#first = undefined;
    };
    this.#first = running.then(ended, ended);
    return running;
  }

  /** Tries one scheme after the other, above the retries. Its response has the URL that worked. */
  readonly layer: Layer = (next) => async (request) => {
    if (!this.isProbe(request)) return next(request);
    const { clock, retries } = this.#options;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    // The retry layer does not repeat probes; this does, while the registry is away.
    return new Patience({ clock, retries, signal: request.signal }).run(
      () => this.#detect(request, next),
      (error) => this.#settled === undefined && isRead && isPassing(error),
    );
  };

  async #detect(request: HttpRequest, next: Transport): Promise<HttpResponse> {
    const sendTo = (origin: URL): Promise<HttpResponse> =>
      next({ ...request, url: new URL(request.url.pathname + request.url.search, origin) });
    let failure: unknown;
    for (const origin of this.#origins.slice(0, -1)) {
      try {
        const response = await complaintOf(await sendTo(origin), request, next);
        if (response === 'speaks TLS') continue;
        this.#settled = origin;
        return response;
      } catch (error) {
        if (this.#settled !== undefined || !mayBeOtherScheme(error)) throw error;
        failure = error;
      }
    }
    const response = await this.#tryLast(sendTo);
    if (!(failure instanceof TlsError)) return response;
    // The server does speak TLS, and its own failure says more than a complaint about http.
    const checked = await complaintOf(response, request, next);
    if (checked !== 'speaks TLS') return checked;
    this.#settled = undefined;
    throw failure;
  }

  async #tryLast(sendTo: (origin: URL) => Promise<HttpResponse>): Promise<HttpResponse> {
    const last = this.#origins.at(-1) ?? this.origin();
    try {
      const response = await sendTo(last);
      this.#settled = last;
      return response;
    } catch (error) {
      const http = this.#origins.find(({ protocol }) => protocol === 'http:');
      if (this.#settled !== undefined || http === undefined) throw error;
      if (!(error instanceof TlsError && error.plainHttp)) throw error;
      // Plain http was cut by chance, and the server does not speak TLS at all.
      this.#settled = http;
      return sendTo(http);
    }
  }
}

/**
 * Returns the response with its body in memory, unless it is that of a TLS server to plain http.
 */
async function complaintOf(
  response: HttpResponse,
  { method, signal }: HttpRequest,
  next: Transport,
): Promise<HttpResponse | 'speaks TLS'> {
  if (response.status !== 400 || response.url.protocol !== 'http:') return response;
  const settled = await settle(response, signal);
  // The response to a HEAD has no body with the reason, so a GET asks for it.
  const explained =
    method === 'HEAD'
      ? await next({ method: 'GET', url: new URL('/v2/', response.url), signal })
      : settled;
  const text = Buffer.from(await readStart(explained, signal)).toString('latin1');
  return explained.status === 400 && TLS_COMPLAINT.test(text) ? 'speaks TLS' : settled;
}

/** `PROXY_REFUSED`: a proxy could not connect there, or allows tunnels only to port 443. */
const OTHER_SCHEME_REASONS: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'UND_ERR_SOCKET',
  'PROXY_REFUSED',
]);

/**
 * True for failures that a server of the other scheme causes: a closed connection, TLS for HTTP, no
 * TLS.
 */
function mayBeOtherScheme(error: unknown): boolean {
  if (error instanceof TlsError) return true;
  if (!(error instanceof NetworkError) || error.phase === 'body') return false;
  const { reason = '' } = error;
  return reason.startsWith('HPE_') || OTHER_SCHEME_REASONS.has(reason);
}
