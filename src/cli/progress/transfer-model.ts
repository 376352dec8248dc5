import { assertNever } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isManifestType } from '../../oci/media-types.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';
import { transferKey } from './progress.ts';

/** Window of the speed. A shorter one jumps about, a longer one is slow to show a stall. */
const SPEED_WINDOW_MS = 4000;
const SAMPLE_MS = 250;
/** Estimates from less than this would start at hours. */
const STEADY_MS = 1000;

/** A blob in transfer. */
export interface ActiveTransfer {
  readonly target: Descriptor;
  readonly bytes: number;
  /** Bytes per second over the last few seconds. */
  readonly speed: number;
}

/** State of the live view. */
export interface TransferView {
  readonly active: readonly ActiveTransfer[];
  /** Images of the command; undefined if unknown or one. */
  readonly images: number | undefined;
  readonly finishedImages: number;
  /** Known blobs. */
  readonly nodes: number;
  readonly finished: number;
  /** Bytes of known blobs that are transferred or may need to be. */
  readonly bytes: number;
  readonly moved: number;
  /** Bytes per second over the last few seconds. */
  readonly speed: number;
  /** Whether the speed has been measured long enough for an estimate. */
  readonly steady: boolean;
}

/** Derives the state of the live view from events. */
export class TransferModel {
  readonly #active = new Map<string, { target: Descriptor; bytes: number; meter: SpeedMeter }>();
  /** Sizes of unfinished blobs. */
  readonly #open = new Map<string, number>();
  #openBytes = 0;
  #meter: SpeedMeter | undefined;
  #finished = 0;
  #images: number | undefined;
  #finishedImages = 0;
  #movedBefore = 0;

  /** @param now milliseconds. */
  add(event: CopyEvent, now: number): void {
    switch (event.kind) {
      case 'found':
        this.#find(event);
        return;
      case 'started':
        if (isManifestType(event.target.mediaType)) return;
        this.#find(event);
        this.#meter ??= new SpeedMeter(now);
        this.#active.set(transferKey(event), {
          target: event.target,
          bytes: 0,
          meter: new SpeedMeter(now),
        });
        return;
      case 'resumed': {
        const transfer = this.#active.get(transferKey(event));
        // Bytes of an earlier attempt do not count for the speed.
        if (transfer !== undefined) transfer.bytes += event.bytes;
        return;
      }
      case 'progress': {
        const transfer = this.#active.get(transferKey(event));
        if (transfer === undefined) return;
        transfer.bytes += event.bytes;
        transfer.meter.add(event.bytes, now);
        this.#meter?.add(event.bytes, now);
        return;
      }
      case 'copied':
      case 'mounted':
      case 'skipped':
      case 'foreign': {
        if (isManifestType(event.target.mediaType)) return;
        this.#finish(event);
        if (event.kind === 'copied') this.#movedBefore += event.target.size;
        return;
      }
      case 'read': {
        const read = this.#active.get(transferKey(event))?.bytes ?? 0;
        this.#finish(event);
        this.#movedBefore += read;
        return;
      }
      case 'listed':
        this.#images = event.images;
        return;
      case 'unchanged':
      case 'kept':
      case 'passed':
      case 'tagged':
      case 'failed':
        this.#finishedImages += 1;
        return;
      case 'resolved':
      case 'warning':
      case 'note':
        return;
      default:
        assertNever(event);
    }
  }

  view(now: number): TransferView {
    const active = [...this.#active.values()].map(({ target, bytes, meter }) => ({
      target,
      bytes,
      speed: meter.speed(now),
    }));
    return {
      active,
      images: this.#images === 1 ? undefined : this.#images,
      finishedImages: this.#finishedImages,
      nodes: this.#finished + this.#open.size,
      finished: this.#finished,
      bytes: this.#movedBefore + this.#openBytes,
      moved: active.reduce((moved, { bytes }) => moved + bytes, this.#movedBefore),
      speed: this.#meter?.speed(now) ?? 0,
      steady: this.#meter !== undefined && now - this.#meter.begun >= STEADY_MS,
    };
  }

  #finish(event: { readonly target: Descriptor; readonly to: string }): void {
    const key = transferKey(event);
    this.#active.delete(key);
    this.#openBytes -= this.#open.get(key) ?? 0;
    this.#open.delete(key);
    this.#finished += 1;
  }

  #find({ target, to }: { readonly target: Descriptor; readonly to: string }): void {
    const key = transferKey({ target, to });
    if (isManifestType(target.mediaType) || this.#open.has(key)) return;
    this.#open.set(key, target.size);
    this.#openBytes += target.size;
  }
}

/** Measures bytes per second over the last few seconds, with four samples a second. */
class SpeedMeter {
  readonly #samples: { at: number; bytes: number }[] = [];
  readonly begun: number;

  constructor(begun: number) {
    this.begun = begun;
  }

  add(bytes: number, now: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && now - last.at < SAMPLE_MS) last.bytes += bytes;
    else this.#samples.push({ at: now, bytes });
    this.#forget(now);
  }

  speed(now: number): number {
    this.#forget(now);
    const begin = Math.max(this.begun, now - SPEED_WINDOW_MS);
    const bytes = this.#samples.reduce((total, sample) => total + sample.bytes, 0);
    // The first milliseconds would show an absurd speed.
    return bytes / (Math.max(now - begin, SAMPLE_MS) / 1000);
  }

  #forget(now: number): void {
    while ((this.#samples[0]?.at ?? now) < now - SPEED_WINDOW_MS) this.#samples.shift();
  }
}
