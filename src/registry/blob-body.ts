import { withoutFirst } from '../bytes.ts';
import { Patience, type PatienceOptions } from '../concurrency/patience.ts';
import { RegiError, type ErrorCode } from '../errors.ts';
import { discard } from '../http/body.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Bytes } from '../store.ts';
import type { Connection, RegistryResponse } from './connection.ts';
import { invalidResponse, isWebPage, responseError } from './errors.ts';
import { statedSize } from './response-headers.ts';

/**
 * Headers for the bytes from `position` on; none for the whole, because `bytes=0-` confuses some
 * caches.
 */
export function rangeFrom(position: number): Readonly<Record<string, string>> | undefined {
  return position > 0 ? { range: `bytes=${position}-` } : undefined;
}

/** True if a range cannot be resumed with: some caches refuse ranges, or send a wrong one. */
export function isRangeUnusable(
  response: RegistryResponse,
  target: Descriptor,
  position: number,
): boolean {
  const { status } = response;
  return status === 416 || (status === 206 && !isRange(response, target, position));
}

/**
 * Returns the bytes of a response from `position` on, whether the server honoured the range or sent
 * the whole. Not verified.
 *
 * @throws {RegistryResponseError} with code INVALID_RESPONSE when it sent something else.
 */
export async function bodyFrom(
  action: string,
  response: RegistryResponse,
  target: Descriptor,
  position: number,
): Promise<Bytes> {
  if (response.status !== 200 && response.status !== 206)
    throw await responseError(action, response);
  if (isWebPage(response) && statedSize(response.headers) !== target.size) {
    await discard(response);
    throw invalidResponse(action, response, 'expected a blob');
  }
  // The server ignored the range and sends the whole again.
  if (response.status === 200) return withoutFirst(response.body, position);
  if (isRange(response, target, position)) return response.body;
  await discard(response);
  const problem = `expected the range from byte ${position} of ${target.size}`;
  throw invalidResponse(action, response, problem);
}

function isRange(response: RegistryResponse, target: Descriptor, position: number): boolean {
  const range = parseContentRange(response.headers.get('content-range'));
  return range?.start === position && (range.total ?? target.size) === target.size;
}

/** The bytes in a 206. */
export interface ContentRange {
  /** First byte, from 0. */
  readonly start: number;
  /** Size of the whole; undefined when the server does not know. Bytes. */
  readonly total: number | undefined;
}

/**
 * Parses the `Content-Range` of a 206; undefined when it is malformed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.4
 */
export function parseContentRange(text: string | undefined): ContentRange | undefined {
  const match = /^\s*bytes\s+(\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)\s*$/i.exec(text ?? '');
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  const total = match[3] === '*' ? undefined : Number(match[3]);
  const isSound = Number.isSafeInteger(end) && start <= end && (total === undefined || end < total);
  return isSound ? { start, total } : undefined;
}

export interface Resumable extends Pick<PatienceOptions, 'clock' | 'retries' | 'signal'> {
  /**
   * Opens the content at a position, again after each cut. It retries failures before the first
   * byte itself.
   */
  readonly open: (position: number) => Promise<Bytes>;
  /** Size of the whole content. Bytes. */
  readonly size: number;
  /** First byte wanted, from 0. */
  readonly offset: number;
}

/** Failures of the connection, not of the content. */
const CUTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['NETWORK', 'TIMEOUT', 'SERVER_FAILED']);

/** Returns content that resumes after a cut at the byte where it stopped. */
export function resuming({ open, size, offset, ...options }: Resumable): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      let position = offset;
      const patience = new Patience({ ...options, transfer: { size, offset } });
      // No byte is left; servers would respond 416.
      if (offset > 0 && offset >= size) return;
      for (;;) {
        const content = await open(position);
        try {
          for await (const chunk of content) {
            position += chunk.byteLength;
            yield chunk;
          }
          return;
        } catch (error) {
          options.signal?.throwIfAborted();
          const isCut = error instanceof RegiError && CUTS.has(error.code) && position < size;
          patience.reached(position);
          if (!isCut || !(await patience.again())) throw error;
        }
      }
    },
  };
}

export interface ForeignOptions {
  readonly action: string;
  /** The registry's own error, thrown when no URL can be used. */
  readonly notFound: RegiError;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a foreign layer at the first of its https URLs that has it. Anyone may have written the
 * URLs, because they come from a manifest: they get no credentials, their challenges are not
 * answered (CVE-2020-15157), and they may not lead into a private network, whatever network the
 * registry is in.
 */
export async function openForeign(
  connection: Connection,
  target: Descriptor,
  position: number,
  { action, notFound, signal }: ForeignOptions,
): Promise<Bytes> {
  let failure = notFound;
  for (const text of target.urls ?? []) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol !== 'https:') continue;
    try {
      const headers = rangeFrom(position);
      const response = await connection.sendAnonymously('GET', url, {
        headers,
        reach: 'public',
        signal,
      });
      return await bodyFrom(action, response, target, position);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof RegiError)) throw error;
      failure = error;
    }
  }
  throw failure;
}
