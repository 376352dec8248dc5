import { isManifestType } from '../../oci/media-types.ts';
import type { CopyEvent, OnEvent } from './events.ts';

/**
 * How far copying has come. Manifests do not count; a blob that several images share counts once.
 */
export interface CopyProgress {
  /**
   * Bytes at the destination: moved, mounted, or there before. It falls when a transfer starts
   * over.
   */
  readonly doneBytes: number;
  /** Bytes of all blobs found so far. It grows while manifests are read. */
  readonly totalBytes: number;
}

/**
 * Makes an event handler that adds up the progress of everything that is copied with it.
 *
 * @param report called when one of the two numbers has changed.
 */
export function totalProgress(report: (progress: CopyProgress) => void): OnEvent {
  const blobs = new Map<string, { readonly size: number; done: number }>();
  let [doneBytes, totalBytes] = [0, 0];

  function set(event: NodeEvent, next: (blob: { size: number; done: number }) => number): void {
    const key = `${event.to} ${event.target.digest}`;
    const blob = blobs.get(key);
    if (blob === undefined) return;
    const done = Math.min(next(blob), blob.size);
    if (done === blob.done) return;
    doneBytes += done - blob.done;
    blob.done = done;
    report({ doneBytes, totalBytes });
  }

  return (event) => {
    switch (event.kind) {
      case 'found': {
        const key = `${event.to} ${event.target.digest}`;
        const { mediaType, size } = event.target;
        if (blobs.has(key) || isManifestType(mediaType)) return;
        blobs.set(key, { size, done: 0 });
        totalBytes += size;
        report({ doneBytes, totalBytes });
        return;
      }
      case 'started':
        set(event, () => 0);
        return;
      case 'resumed':
      case 'progress':
        set(event, ({ done }) => done + event.bytes);
        return;
      case 'copied':
      case 'mounted':
      case 'skipped':
      case 'foreign':
        set(event, ({ size }) => size);
        return;
      default:
      // Events of whole images and messages change no byte.
    }
  };
}

type NodeEvent = Extract<CopyEvent, { readonly to: string }>;
