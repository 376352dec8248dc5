import { LimitExceededError } from '../bytes.ts';
import { RegiError, type RegiErrorOptions } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/** Makes the error for compressed bytes that cannot be unpacked. */
export function invalidCompression(message: string, options?: RegiErrorOptions): RegiError {
  return new RegiError('INVALID_ARCHIVE', message, options);
}

const MAGIC = 0xfd2fb528;
/** Sixteen magic numbers begin frames that readers skip. */
const SKIPPABLE_FIRST = 0x184d2a50;
const SKIPPABLE_LAST = 0x184d2a5f;
const CHECKSUM_BYTES = 4;

type Wanted =
  | { readonly kind: 'magic' | 'descriptor' | 'block' | 'skip-size' }
  | { readonly kind: 'header'; readonly descriptor: number }
  /** Content that is skipped. */
  | { readonly kind: 'content'; readonly last: boolean };

/**
 * Follows the frames of a zstd stream, and refuses a frame that needs more memory than
 * `zstdWindowBytes` before it is decoded. A decoder has to hold a window, and a frame of a few
 * bytes may ask for terabytes.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8878#name-frame-header
 */
export class ZstdFrames {
  #wanted: Wanted = { kind: 'magic' };
  #need = 4;
  #gathered: number[] = [];
  #skip = 0;
  #checksum = false;
  readonly #limit: number;

  /** @param limit the largest window. Bytes. */
  constructor(limit: number = LIMITS.zstdWindowBytes) {
    this.#limit = limit;
  }

  /**
   * Looks at the next bytes. Returns the positions in them where a frame ends.
   *
   * @throws {LimitExceededError} on a window over the limit.
   * @throws {RegiError} INVALID_ARCHIVE on other bytes than frames.
   */
  look(chunk: Uint8Array): readonly number[] {
    const ends: number[] = [];
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, chunk.byteLength - at);
        this.#skip -= step;
        at += step;
        if (this.#skip === 0) this.#skipped();
      } else {
        this.#gathered.push(chunk[at] ?? 0);
        at += 1;
        if (this.#gathered.length === this.#need) this.#step(this.#gathered.splice(0));
      }
      if (this.atEnd) ends.push(at);
    }
    return ends;
  }

  /** True if the bytes so far end where a frame ends. */
  get atEnd(): boolean {
    return this.#wanted.kind === 'magic' && this.#gathered.length === 0 && this.#skip === 0;
  }

  #step(bytes: readonly number[]): void {
    const wanted = this.#wanted;
    switch (wanted.kind) {
      case 'magic':
        return this.#onMagic(littleEndian(bytes));
      case 'skip-size':
        return this.#pass(littleEndian(bytes), true);
      case 'descriptor':
        return this.#onDescriptor(bytes[0] ?? 0);
      case 'header':
        return this.#onHeader(bytes, wanted.descriptor);
      case 'block':
        return this.#onBlock(littleEndian(bytes));
      case 'content':
        throw new Error('Content is skipped, not gathered');
      default:
        return wanted satisfies never;
    }
  }

  #onMagic(magic: number): void {
    if (magic === MAGIC) return this.#expect({ kind: 'descriptor' }, 1);
    if (magic >= SKIPPABLE_FIRST && magic <= SKIPPABLE_LAST)
      return this.#expect({ kind: 'skip-size' }, 4);
    throw invalidCompression('Cannot unpack: expected a zstd frame, found other bytes', {
      hint: 'the file is damaged; copy it here again',
    });
  }

  #onDescriptor(descriptor: number): void {
    this.#checksum = bits(descriptor, 2, 1) === 1;
    const length =
      windowBytes(descriptor) + dictionaryBytes(descriptor) + contentSizeBytes(descriptor);
    this.#expect({ kind: 'header', descriptor }, length);
  }

  #onHeader(bytes: readonly number[], descriptor: number): void {
    const window = windowBytes(descriptor);
    const size =
      window === 1
        ? windowSize(bytes[0] ?? 0)
        : littleEndian(bytes.slice(dictionaryBytes(descriptor)));
    if (size > this.#limit) {
      throw new LimitExceededError(
        `Cannot unpack: expected a zstd window of at most ${this.#limit} bytes, found ${size}`,
        {
          hint:
            size > LIMITS.zstdWindowBytes
              ? 'compress it again without --long and --ultra'
              : 'run regi with Node 22.15 or later, or compress it again without --long and --ultra',
        },
      );
    }
    this.#expect({ kind: 'block' }, 3);
  }

  #onBlock(header: number): void {
    const last = header % 2 === 1;
    const type = bits(header, 1, 2);
    const size = Math.floor(header / 8);
    if (type === 3)
      throw invalidCompression('Cannot unpack: expected a zstd block, found other bytes', {
        hint: 'the file is damaged; copy it here again',
      });
    // A block of one repeated byte.
    this.#pass((type === 1 ? 1 : size) + (last && this.#checksum ? CHECKSUM_BYTES : 0), last);
  }

  #pass(size: number, last: boolean): void {
    this.#wanted = { kind: 'content', last };
    this.#skip = size;
    if (size === 0) this.#skipped();
  }

  #skipped(): void {
    const last = this.#wanted.kind === 'content' && this.#wanted.last;
    if (last) this.#expect({ kind: 'magic' }, 4);
    else this.#expect({ kind: 'block' }, 3);
  }

  #expect(wanted: Wanted, bytes: number): void {
    this.#wanted = wanted;
    this.#need = bytes;
  }
}

/** Arithmetic, not shifts: the numbers pass 32 bits. */
function littleEndian(bytes: readonly number[]): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

function bits(value: number, from: number, count: number): number {
  return Math.floor(value / 2 ** from) % 2 ** count;
}

function isSingleSegment(descriptor: number): boolean {
  return bits(descriptor, 5, 1) === 1;
}

function windowBytes(descriptor: number): 0 | 1 {
  return isSingleSegment(descriptor) ? 0 : 1;
}

function dictionaryBytes(descriptor: number): number {
  return [0, 1, 2, 4][bits(descriptor, 0, 2)] ?? 0;
}

function contentSizeBytes(descriptor: number): number {
  return [isSingleSegment(descriptor) ? 1 : 0, 2, 4, 8][bits(descriptor, 6, 2)] ?? 0;
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + Math.floor(descriptor / 8));
  return base + (base / 8) * (descriptor % 8);
}
