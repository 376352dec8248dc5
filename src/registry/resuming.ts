import type { Clock } from '../clock.ts';
import { RegiError, type ErrorCode } from '../errors.ts';
import { backoffMs } from '../http/retry.ts';
import type { Bytes } from '../store.ts';

export interface Resumable {
  /** Opens the content at a position; called again after each cut. It retries on its own what fails before the first byte. */
  readonly open: (position: number) => Promise<Bytes>;
  /** Of the whole content. Bytes. */
  readonly size: number;
  /** First byte wanted, from 0. */
  readonly offset: number;
  readonly clock: Clock;
  /** Cuts in a row that are survived. */
  readonly retries: number;
  readonly signal?: AbortSignal | undefined;
}

/** Failures of a connection, which say nothing of the content. */
const CUTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['NETWORK', 'TIMEOUT', 'SERVER_FAILED']);

/**
 * Content that goes on after a cut from the byte where it stopped. Real progress refills the retries, so that a long download
 * over a bad line comes to its end; a trickle does not, or a peer could hold us for ever.
 */
export function resuming({ open, size, offset, clock, retries, signal }: Resumable): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      let position = offset;
      let failures = 0;
      let refillAt = position + refillBytes(size);
      // Nothing is left to ask for; servers would answer 416.
      if (offset > 0 && offset >= size) return;
      for (;;) {
        const content = await open(position);
        let cut: RegiError;
        try {
          for await (const chunk of content) {
            position += chunk.byteLength;
            yield chunk;
          }
          return;
        } catch (error) {
          signal?.throwIfAborted();
          if (!(error instanceof RegiError) || !CUTS.has(error.code) || position >= size)
            throw error;
          cut = error;
        }
        if (position >= refillAt) {
          failures = 0;
          refillAt = position + refillBytes(size);
        }
        if (failures >= retries) throw cut;
        await clock.sleep(backoffMs(failures, clock), signal);
        failures += 1;
      }
    },
  };
}

/**
 * What has to arrive before earlier failures are forgotten. Bytes.
 *
 * A sixteenth of small content and at most 64 KiB: the number of requests for one content stays bounded either way.
 */
export function refillBytes(size: number): number {
  return Math.min(64 * 1024, Math.max(1, Math.ceil(size / 16)));
}
