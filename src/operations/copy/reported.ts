import { seekable, type SeekableBytes } from '../../bytes.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Source } from '../../store.ts';
import type { OnEvent } from './events.ts';

export interface ReportOptions {
  /** The repository that the bytes go to. */
  readonly to: string;
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal;
  /** Called each time the last byte has been read. */
  readonly onEnd?: (() => void) | undefined;
}

/**
 * The bytes of a node, not yet verified. Emits an event each time they are opened and for each
 * chunk.
 */
export function reported(
  source: Source,
  target: Descriptor,
  { to, onEvent, signal, onEnd }: ReportOptions,
): SeekableBytes {
  async function* read(offset: number): AsyncGenerator<Uint8Array> {
    onEvent({ kind: 'started', target, from: source.repository, to });
    if (offset > 0) onEvent({ kind: 'resumed', target, bytes: offset, to });
    for await (const chunk of source.fetch(target, { signal, offset, followsUrls: true })) {
      onEvent({ kind: 'progress', target, bytes: chunk.byteLength, to });
      yield chunk;
    }
    onEnd?.();
  }
  return seekable((offset) => ({ [Symbol.asyncIterator]: () => read(offset) }));
}
