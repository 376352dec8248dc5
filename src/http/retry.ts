import type { Clock } from '../clock.ts';
import { Admissions } from '../concurrency/admissions.ts';
import { discard } from './body.ts';
import { NetworkError, TimeoutError } from './errors.ts';
import type { HttpRequest, HttpResponse, Layer, Method, Transport } from './message.ts';
import { rateLimit, retryAfterMs } from './retry-after.ts';

/** What is done about one failed attempt. */
export type RetryDecision =
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** Trying again does not help, or is not safe. */
  | { readonly kind: 'give-up' }
  /** The server asks for more patience than anybody at a terminal has. */
  | { readonly kind: 'too-long' };

export interface RetryEvent {
  readonly method: Method;
  readonly url: URL;
  /** 1 is the first repetition. */
  readonly attempt: number;
  readonly delayMs: number;
  /** The status, or the error, that made it necessary. */
  readonly cause: unknown;
}

export interface RetryOptions {
  readonly clock: Clock;
  /** Repetitions, the first attempt not counted. */
  readonly retries?: number | undefined;
  /** A server that asks to wait longer is not waited for: its answer is the result. Milliseconds. */
  readonly maxRetryAfterMs?: number | undefined;
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
  /** To count together with other layers. */
  readonly admissions?: Admissions | undefined;
}

export const DEFAULT_RETRIES = 5;
export const MAX_RETRY_AFTER_MS = 60_000;

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;

/**
 * Statuses that mean "not now".
 *
 * @see https://github.com/google/go-containerregistry/blob/3f4ff3c/pkg/v1/remote/options.go
 */
const RETRY_STATUSES: ReadonlySet<number> = new Set([408, 429, 499, 500, 502, 503, 504, 522]);

/** Failures of the network that pass. A name that does not exist, or a server that speaks no HTTP, does not. */
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
 * Repeats requests that failed for a passing reason, after a growing wait or the one that the server asks for. Streamed bodies are
 * never repeated here: who made the stream knows from where to go on, with `backoffMs()` and `retryOfStatus()`. A 429 while other
 * requests get through is not counted among the repetitions.
 */
export function retryLayer(options: RetryOptions): Layer {
  const {
    clock,
    retries = DEFAULT_RETRIES,
    maxRetryAfterMs = MAX_RETRY_AFTER_MS,
    onRetry,
    admissions = new Admissions(),
  } = options;
  return (next) => {
    // Where nothing ever answered, a refused connection is a wrong address; elsewhere it is a server that restarts.
    const answered = new Set<string>();
    return async function send(request) {
      const { origin } = request.url;
      const turn = admissions.wait(origin);
      let failures = 0;
      for (let attempt = 0; ; attempt++) {
        const outcome = await tryOnce(next, request);
        if (outcome.response) {
          answered.add(origin);
          admissions.note(origin, outcome.response.status);
        }
        const decision = decide(request, outcome, {
          attempt: failures,
          clock,
          maxRetryAfterMs,
          answered,
        });
        const isNotOurTurn = retries > 0 && outcome.response?.status === 429 && turn.isMoving();
        if (!isNotOurTurn) failures += 1;
        if (decision.kind !== 'retry' || failures > retries) return finish(outcome);
        if (outcome.response) await discard(outcome.response);
        const cause = outcome.response?.status ?? outcome.error;
        onRetry?.({
          method: request.method,
          url: request.url,
          attempt: attempt + 1,
          delayMs: decision.delayMs,
          cause,
        });
        await clock.sleep(decision.delayMs, request.signal);
      }
    };
  };
}

/**
 * How long to wait before repetition `attempt` (from 0) when the server does not say: doubling from half a second to 30 s, of which up to
 * half is chance, so that many clients do not come back together. Milliseconds.
 */
export function backoffMs(attempt: number, clock: Clock): number {
  const longest = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
  return Math.round(longest / 2 + (clock.random() * longest) / 2);
}

/** Whether an answer's status is worth a repetition, and after how long. Reads only status and headers. */
export function retryOfStatus(
  response: Pick<HttpResponse, 'status' | 'headers'>,
  attempt: number,
  { clock, maxRetryAfterMs = MAX_RETRY_AFTER_MS }: RetryOptions,
): RetryDecision {
  if (!RETRY_STATUSES.has(response.status)) return { kind: 'give-up' };
  const asked = retryAfterMs(response.headers, clock.now());
  if (asked !== undefined)
    return asked > maxRetryAfterMs ? { kind: 'too-long' } : { kind: 'retry', delayMs: asked };
  // Docker Hub's pull limit: it comes back after hours, and a login helps at once.
  if (response.status === 429 && rateLimit(response.headers)?.remaining === 0)
    return { kind: 'too-long' };
  return { kind: 'retry', delayMs: backoffMs(attempt, clock) };
}

/** Whether a failure of the network may pass. It says nothing of whether the request may be repeated. */
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

interface Circumstances {
  readonly attempt: number;
  readonly clock: Clock;
  readonly maxRetryAfterMs: number;
  readonly answered: ReadonlySet<string>;
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

function decide(
  request: HttpRequest,
  { response, error }: Outcome,
  { attempt, clock, maxRetryAfterMs, answered }: Circumstances,
): RetryDecision {
  const { method, body, signal, url } = request;
  if (signal?.aborted === true || isStream(body)) return { kind: 'give-up' };
  if (response !== undefined) {
    // A PATCH that failed may have been written; only a refusal proves that it was not.
    if (method === 'PATCH' && response.status !== 429) return { kind: 'give-up' };
    return retryOfStatus(response, attempt, { clock, maxRetryAfterMs });
  }
  const isRestart =
    error instanceof NetworkError && error.reason === 'ECONNREFUSED' && answered.has(url.origin);
  const mayRepeat = (isPassing(error) || isRestart) && isRepeatable(method, error);
  return mayRepeat ? { kind: 'retry', delayMs: backoffMs(attempt, clock) } : { kind: 'give-up' };
}

/**
 * Whether a request that may have been received can be sent again. POST can: a registry's POST opens an upload session, and one too many is
 * litter, not harm. After a long wait for an answer only what changes nothing is repeated: the others may still be at work.
 */
function isRepeatable(method: Method, error: unknown): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  const phase =
    error instanceof NetworkError || error instanceof TimeoutError ? error.phase : undefined;
  if (phase === 'connect') return true;
  return method !== 'PATCH' && !(error instanceof TimeoutError);
}

function isStream(body: HttpRequest['body']): boolean {
  return body !== undefined && !(body instanceof Uint8Array);
}

export interface AskAgainOptions {
  readonly clock: Clock;
  /** Repetitions, the first attempt not counted. */
  readonly retries: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a request and reads its whole answer; both once more when the connection breaks in the middle of the body. It is for answers that
 * are small enough for memory: there is nothing to go on from. What fails before the body, `retryLayer()` has repeated already.
 *
 * @throws what `ask` throws.
 */
export async function askAgain<T>(
  ask: () => Promise<T>,
  { clock, retries, signal }: AskAgainOptions,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      signal?.throwIfAborted();
      if (attempt >= retries || !isPassing(error) || !isOfBody(error)) throw error;
    }
    await clock.sleep(backoffMs(attempt, clock), signal);
  }
}

function isOfBody(error: unknown): boolean {
  return (error instanceof NetworkError || error instanceof TimeoutError) && error.phase === 'body';
}
