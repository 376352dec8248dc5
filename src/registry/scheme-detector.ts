import { NetworkError, TlsError } from '../http/errors.ts';
import type { Scheme } from '../http/hosts.ts';
import type { HttpResponse } from '../http/message.ts';
import { LIMITS } from '../limits.ts';

/** A TLS server was spoken to in plain http, and said so. Not for callers: https is tried instead. */
export class SpokeTlsError extends Error {}

/** How Go's, nginx' and Apache's servers say it, with status 400. */
const TLS_COMPLAINT = /HTTP request to an HTTPS server|plain HTTP/i;

/** Whether an answer, its body in memory, is that of a TLS server to plain http. */
export async function isTlsComplaint(response: HttpResponse): Promise<boolean> {
  if (response.status !== 400 || response.url.protocol !== 'http:') return false;
  let text = '';
  for await (const chunk of response.body) {
    text += Buffer.from(chunk).toString('latin1');
    if (text.length > LIMITS.complaintBytes) break;
  }
  return TLS_COMPLAINT.test(text);
}

/**
 * Finds out by which scheme a registry speaks, with the first real request: no ping is spent on it. What was found is kept for
 * the process, and requests that come meanwhile wait for it.
 */
export class SchemeDetector {
  readonly #schemes: readonly Scheme[];
  #settled: Scheme | undefined;
  #probe: Promise<void> | undefined;

  /** @param schemes to be tried in this order. */
  constructor(schemes: readonly Scheme[]) {
    this.#schemes = schemes;
    this.#settled = schemes.length === 1 ? schemes[0] : undefined;
  }

  /** Undefined before the first answer. */
  get settled(): Scheme | undefined {
    return this.#settled;
  }

  /** The registry has answered by `scheme`: what fails from here on is not for want of another one. */
  found(scheme: Scheme): void {
    this.#settled = scheme;
  }

  /** Runs `attempt` with the scheme, or with one after the other until one is answered. */
  async run<T>(attempt: (scheme: Scheme) => Promise<T>): Promise<T> {
    while (this.#settled === undefined && this.#probe !== undefined) await this.#probe;
    if (this.#settled !== undefined) return attempt(this.#settled);
    let finish = (): void => {};
    this.#probe = new Promise((resolve) => {
      finish = resolve;
    });
    try {
      return await this.#detect(attempt);
    } finally {
      this.#probe = undefined;
      finish();
    }
  }

  async #detect<T>(attempt: (scheme: Scheme) => Promise<T>): Promise<T> {
    const last = this.#schemes.at(-1);
    for (const scheme of this.#schemes) {
      try {
        const answer = await attempt(scheme);
        this.#settled = scheme;
        return answer;
      } catch (error) {
        if (this.#settled !== undefined) throw error;
        // Plain http was cut by chance, and TLS is not spoken at all: so it is plain http.
        if (
          scheme === last &&
          error instanceof TlsError &&
          error.plainHttp &&
          this.#schemes.includes('http')
        )
          return this.#settle('http', attempt);
        if (scheme === last || !mayBeOtherScheme(error)) throw error;
      }
    }
    throw new Error('A registry has no scheme to try');
  }

  async #settle<T>(scheme: Scheme, attempt: (scheme: Scheme) => Promise<T>): Promise<T> {
    this.#settled = scheme;
    return attempt(scheme);
  }
}

/** `PROXY_REFUSED`: a proxy could not connect there, or allows tunnels only to port 443. */
const OTHER_SCHEME_REASONS: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'UND_ERR_SOCKET',
  'PROXY_REFUSED',
]);

/** Failures that a server of the other scheme gives: closed unanswered, TLS bytes for HTTP, no TLS, or nothing on the default port. */
function mayBeOtherScheme(error: unknown): boolean {
  if (error instanceof SpokeTlsError || error instanceof TlsError) return true;
  if (!(error instanceof NetworkError) || error.phase === 'body') return false;
  const { reason = '' } = error;
  return reason.startsWith('HPE_') || OTHER_SCHEME_REASONS.has(reason);
}
