import { LimitExceededError } from '../bytes.ts';
import type { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { quote } from '../quote.ts';
import type { Bytes, CallOptions } from '../store.ts';
import { EXTENSION_TYPES, type ExtendedHeader, TarExtensions } from './extensions.ts';
import { BLOCK_BYTES, invalidTar, paddingOf, parseHeader, type TarHeader } from './header.ts';
import type { TarFile, TarFileType } from './tar-file.ts';

/** A file of a streamed tar. */
export interface StreamedFile {
  readonly file: TarFile;
  /**
   * Its content, to be read once, before the next file is requested. The unread rest is skipped.
   */
  readonly content: Bytes;
}

export interface ReadTarOptions extends CallOptions {
  /** Names the tar in messages; `the tar` when absent. */
  readonly what?: string | undefined;
}

const TYPES: Readonly<Record<string, TarFileType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'folder',
  '6': 'fifo',
};

/**
 * Reads a tar as a stream: one file after the other, in the order of the tar. The content is read
 * to its last byte, also after the end of the tar, so that its digest can be verified.
 *
 * @throws {RegiError} INVALID_ARCHIVE while iterating, with the offset, when the tar is cut,
 *   damaged, or has sparse files.
 * @throws {LimitExceededError} while iterating, on extension headers that are larger than any real
 *   ones.
 */
export async function* readTar(
  content: Bytes,
  options: ReadTarOptions = {},
): AsyncGenerator<StreamedFile> {
  const scan = new TarStream(content, options.what ?? 'the tar');
  try {
    yield* scan.files(options.signal);
  } finally {
    await scan.close();
  }
}

const PACKED_WRONGLY = 'the layer was packed wrongly; build or pull the image again';

class TarStream {
  readonly #reader: ChunkReader;
  readonly #what: string;
  readonly #extensions: TarExtensions;
  /** Position of the header at hand. */
  #start = 0;

  constructor(content: Bytes, what: string) {
    this.#reader = new ChunkReader(content);
    this.#what = what;
    this.#extensions = new TarExtensions(
      (problem, hint) => this.#invalid(problem, hint),
      'build the image again with a tool that packs files whole',
    );
  }

  async *files(signal: AbortSignal | undefined): AsyncGenerator<StreamedFile> {
    const reader = this.#reader;
    for (;;) {
      signal?.throwIfAborted();
      this.#start = reader.position;
      const header = await this.#header();
      if (header === undefined) {
        this.#extensions.end();
        await reader.skip(Number.POSITIVE_INFINITY);
        return;
      }
      if (EXTENSION_TYPES.has(header.typeflag)) {
        this.#extensions.add(header.typeflag, await this.#extension(header));
        continue;
      }
      const file = this.#file(this.#extensions.apply(header));
      const end = reader.position + file.size;
      yield { file, content: this.#content(file) };
      await reader.skip(Math.max(0, end - reader.position));
      if (reader.position < end) throw this.#cut(file);
      await this.#padding(file.size);
    }
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }

  async #header(): Promise<TarHeader | undefined> {
    const block = await this.#reader.take(BLOCK_BYTES);
    // Without blocks of zeros the tar ends where the content ends; an empty one is a tar without
    // files.
    if (block.byteLength === 0) return undefined;
    if (block.byteLength < BLOCK_BYTES)
      throw this.#invalid(
        `expected a header of ${BLOCK_BYTES} bytes, found ${block.byteLength} bytes and the end`,
      );
    const outcome = parseHeader(block);
    if (outcome.kind === 'invalid')
      throw this.#invalid(
        this.#start === 0 ? 'expected a tar, found other bytes' : outcome.problem,
      );
    return outcome.kind === 'end' ? undefined : outcome.header;
  }

  async #extension({ size }: TarHeader): Promise<Uint8Array> {
    if (size > LIMITS.tarExtensionBytes) {
      throw new LimitExceededError(
        `Cannot read ${this.#what} at byte ${this.#start}: expected an extension header of at most ${LIMITS.tarExtensionBytes} bytes, found ${size}`,
      );
    }
    const content = await this.#reader.take(size);
    if (content.byteLength < size)
      throw this.#invalid(
        `expected ${size} bytes of extension, found ${content.byteLength} and the end`,
      );
    await this.#padding(size);
    return content;
  }

  #file(header: ExtendedHeader): TarFile {
    const { typeflag, name, mode, uid, gid, user, group, mtime, major, minor, records } = header;
    // Before ustar a folder was a file whose name ends with "/".
    const type = typeflag === '\0' && name.endsWith('/') ? 'folder' : TYPES[typeflag];
    if (type === undefined)
      throw this.#invalid(`expected a file, folder, link or device, found type ${quote(typeflag)}`);
    const isLink = type === 'hardlink' || type === 'symlink';
    // Links and devices have a size in some tars, and no content.
    const size = type === 'file' ? header.size : 0;
    const link = isLink ? header.link : '';
    // A spread of the rest would take a fifth of the time of reading a tar.
    return { type, name, link, size, mode, uid, gid, user, group, mtime, major, minor, records };
  }

  async *#content(file: TarFile): AsyncGenerator<Uint8Array> {
    let size = 0;
    for await (const piece of this.#reader.pieces(file.size)) {
      size += piece.byteLength;
      yield piece;
    }
    if (size < file.size) throw this.#cut(file);
  }

  async #padding(size: number): Promise<void> {
    const padding = paddingOf(size);
    if ((await this.#reader.skip(padding)) < padding)
      throw this.#invalid('expected whole blocks, found the end');
  }

  #cut({ name, size }: TarFile): RegiError {
    return this.#invalid(`expected ${size} bytes of ${quote(name.slice(0, 200))}, found the end`);
  }

  #invalid(problem: string, hint = PACKED_WRONGLY): RegiError {
    return invalidTar(this.#what, this.#start, problem, hint);
  }
}

/** Reads a stream in pieces of any size. */
class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array();
  #position = 0;

  constructor(content: Bytes) {
    this.#chunks = content[Symbol.asyncIterator]();
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position;
  }

  /** Returns a copy of the next `size` bytes; fewer at the end. */
  async take(size: number): Promise<Uint8Array> {
    const taken = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const piece = await this.#next(size - filled);
      if (piece === undefined) break;
      taken.set(piece, filled);
      filled += piece.byteLength;
    }
    return taken.subarray(0, filled);
  }

  /** Yields the next `size` bytes as they arrive, borrowed; fewer at the end. */
  async *pieces(size: number): AsyncGenerator<Uint8Array> {
    let left = size;
    while (left > 0) {
      const piece = await this.#next(left);
      if (piece === undefined) return;
      left -= piece.byteLength;
      yield piece;
    }
  }

  /** Skips the next `size` bytes, and returns how many there were. */
  async skip(size: number): Promise<number> {
    const start = this.#position;
    while (this.#position - start < size)
      if ((await this.#next(size - (this.#position - start))) === undefined) break;
    return this.#position - start;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #next(most: number): Promise<Uint8Array | undefined> {
    while (this.#chunk.byteLength === 0) {
      const { value, done } = await this.#chunks.next();
      if (done === true) return undefined;
      this.#chunk = value;
    }
    const piece = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(piece.byteLength);
    this.#position += piece.byteLength;
    return piece;
  }
}
