import type { Clock } from '../clock.ts';
import { Admissions } from '../concurrency/admissions.ts';
import { Patience, type Failure, type PatienceOptions } from '../concurrency/patience.ts';
import { discard } from './body.ts';
import { NetworkError, TimeoutError } from './errors.ts';
import type { HttpRequest, HttpResponse, Layer, Method, Transport } from './message.ts';
import { rateLimit, retryAfterMs } from './retry-after.ts';

export interface RetryEvent {
  readonly method: Method;
  readonly url: URL;
  /** 1 is the first retry. */
  readonly attempt: number;
  readonly delayMs: number;
  /** The status or the error that caused it. */
  readonly cause: unknown;
}

export interface RetryOptions {
  readonly clock: Clock;
  /** Retries of a request, besides the first attempt. */
  readonly retries?: number | undefined;
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
  /** Shares the counts with other layers. */
  readonly admissions?: Admissions | undefined;
  /** True for a request whose network failure is an answer in itself: it is not retried. */
  readonly isProbe?: ((request: HttpRequest) => boolean) | undefined;
}

export const DEFAULT_RETRIES = 5;
/** A server that asks for a longer wait is not waited for: its response is the result. */
export const MAX_RETRY_AFTER_MS = 60_000;

/**
 * Statuses that mean "not now".
 *
 * @see https://github.com/google/go-containerregistry/blob/3f4ff3c/pkg/v1/remote/options.go
 */
const RETRY_STATUSES: ReadonlySet<number> = new Set([408, 429, 499, 500, 502, 503, 504, 522]);

/** Temporary network failures. A name that does not exist, or a server without HTTP, is not one. */
const PASSING_REASONS: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_SOCKET',
]);

/**
 * Retries requests after temporary failures, with a growing wait or the one that the server asks
 * for.
 *
 * Streamed bodies are never retried here: the owner of the stream knows where to resume, with a
 * `Patience` of its own. A 429 while other requests get through is not counted as a retry.
 */
export function retryLayer(options: RetryOptions): Layer {
  const { clock, retries = DEFAULT_RETRIES, onRetry, admissions = new Admissions() } = options;
  return (next) => {
    // A refused connection is a restarting server where one has responded, else a wrong address.
    const responded = new Set<string>();
    return async function send(request) {
      const { method, url, signal } = request;
      const turn = admissions.wait(url.origin);
      const patience = new Patience({ clock, retries, signal, turn });
      for (let attempt = 1; ; attempt += 1) {
        const outcome = await tryOnce(next, request);
        if (outcome.response) {
          responded.add(url.origin);
          admissions.note(url.origin, outcome.response.status);
        }
        const canRestart = responded.has(url.origin);
        const failure =
          outcome.response === undefined && options.isProbe?.(request) === true
            ? undefined
            : passingFailure(request, outcome, { canRestart, now: clock.now() });
        const delayMs = failure && patience.failed(failure);
        if (delayMs === undefined) return finish(outcome);
        if (outcome.response) await discard(outcome.response);
        const cause = outcome.response?.status ?? outcome.error;
        onRetry?.({ method, url, attempt, delayMs, cause });
        await patience.wait(delayMs);
      }
    };
  };
}

/**
 * Judges a status; undefined when a retry does not help, or the server asks for too long a wait.
 * Reads only status and headers.
 */
export function failureOfStatus(
  { status, headers }: Pick<HttpResponse, 'status' | 'headers'>,
  now: number,
): Failure | undefined {
  if (!RETRY_STATUSES.has(status)) return undefined;
  const isRateLimit = status === 429;
  const askedMs = retryAfterMs(headers, now);
  if (askedMs !== undefined)
    return askedMs > MAX_RETRY_AFTER_MS ? undefined : { askedMs, isRateLimit };
  // Docker Hub's pull limit: it is restored after hours, and a login helps at once.
  return isRateLimit && rateLimit(headers)?.remaining === 0 ? undefined : { isRateLimit };
}

/**
 * True for a temporary network failure. Whether the request may be repeated is another question.
 */
export function isPassing(error: unknown): boolean {
  if (error instanceof TimeoutError) return true;
  return (
    error instanceof NetworkError && error.reason !== undefined && PASSING_REASONS.has(error.reason)
  );
}

interface Outcome {
  readonly response?: HttpResponse;
  readonly error?: unknown;
}

async function tryOnce(next: Transport, request: HttpRequest): Promise<Outcome> {
  try {
    return { response: await next(request) };
  } catch (error) {
    return { error };
  }
}

function finish({ response, error }: Outcome): HttpResponse {
  if (response !== undefined) return response;
  throw error;
}

/** The failure of an attempt, if the request may be sent again after it. */
function passingFailure(
  { method, body, signal }: HttpRequest,
  { response, error }: Outcome,
  { canRestart, now }: { readonly canRestart: boolean; readonly now: number },
): Failure | undefined {
  if (signal?.aborted === true || isStream(body)) return undefined;
  if (response !== undefined) {
    // A PATCH that failed may have been written; only a refusal proves that it was not.
    return method === 'PATCH' && response.status !== 429
      ? undefined
      : failureOfStatus(response, now);
  }
  const isRestart = canRestart && error instanceof NetworkError && error.reason === 'ECONNREFUSED';
  return (isPassing(error) || isRestart) && isRepeatable(method, error) ? {} : undefined;
}

/**
 * True if a request that may have been received can be sent again. POST can: it opens an upload
 * session, and one too many is litter, not harm. After a long wait for the response only reads are
 * repeated, because a write may still be in progress.
 */
function isRepeatable(method: Method, error: unknown): boolean {
  if (method === 'GET' || method === 'HEAD' || phaseOf(error) === 'connect') return true;
  return method !== 'PATCH' && !(error instanceof TimeoutError);
}

function phaseOf(error: unknown): NetworkError['phase'] | undefined {
  return error instanceof NetworkError || error instanceof TimeoutError ? error.phase : undefined;
}

function isStream(body: HttpRequest['body']): boolean {
  return body !== undefined && !(body instanceof Uint8Array);
}

/**
 * Sends a request and reads its whole response; repeats both when the connection breaks in the
 * body. For responses small enough for memory, which cannot be resumed. `retryLayer()` has already
 * retried failures before the body.
 *
 * @throws the error of `read`.
 */
export function retryRead<T>(read: () => Promise<T>, options: PatienceOptions): Promise<T> {
  return new Patience(options).run(read, (error) => isPassing(error) && phaseOf(error) === 'body');
}
