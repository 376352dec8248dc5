import { LimitExceededError } from '../bytes.ts';
import { LIMITS } from '../limits.ts';
import type { Bytes, CallOptions } from '../store.ts';
import { BLOCK_BYTES, InvalidTarError, paddingOf } from './header.ts';
import { parsePax, type PaxRecords } from './pax.ts';
import { parseFileHeader, type TarFile, type TarFileHeader, type TarFileType } from './tar-file.ts';

/** A file of a tar that streams by. */
export interface StreamedFile {
  readonly file: TarFile;
  /** Its content, once, and only until the next file is asked for. What is not read is skipped. */
  readonly content: Bytes;
}

export interface ReadTarOptions extends CallOptions {
  /** What messages call it; `the tar` when absent. */
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
 * Reads a tar as a stream: one file after the other, in the order of the tar, until its end. The content is read to its last byte,
 * also behind the tar's end, so that whoever proves the stream can.
 *
 * @throws {InvalidTarError} while iterating, with the offset, when the tar is cut, damaged, or has sparse files.
 * @throws {LimitExceededError} while iterating, on extension headers that are larger than any real ones.
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

const NO_RECORDS: PaxRecords = new Map();

/** What extension headers say of the next file. */
interface Extensions {
  readonly name?: string | undefined;
  readonly link?: string | undefined;
  readonly records?: PaxRecords | undefined;
}

class TarStream {
  readonly #reader: ChunkReader;
  readonly #what: string;
  #global: PaxRecords = new Map();

  constructor(content: Bytes, what: string) {
    this.#reader = new ChunkReader(content);
    this.#what = what;
  }

  async *files(signal: AbortSignal | undefined): AsyncGenerator<StreamedFile> {
    const reader = this.#reader;
    let next: Extensions | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const start = reader.position;
      const header = await this.#header(start);
      if (header === undefined) {
        if (next !== undefined)
          throw this.#invalid(
            start,
            'expected the entry of the extension header before, found the end',
          );
        await reader.skip(Number.POSITIVE_INFINITY);
        return;
      }
      const { typeflag } = header;
      if (typeflag === 'x' || typeflag === 'g' || typeflag === 'L' || typeflag === 'K') {
        next = this.#extended(typeflag, await this.#extension(header, start), next, start);
        continue;
      }
      const file = this.#file(header, next ?? {}, start);
      const end = reader.position + file.size;
      // Only what the header says that follows: links and devices have a size in some tars, and no content.
      yield { file, content: this.#content(file, start) };
      if (
        reader.position < end &&
        (await reader.skip(end - reader.position), reader.position < end)
      )
        throw this.#cut(start, file);
      await this.#padding(file.size, start);
      next = undefined;
    }
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }

  async #header(start: number): Promise<TarFileHeader | undefined> {
    const block = await this.#reader.take(BLOCK_BYTES);
    // Without blocks of zeros the tar ends where the content ends; an empty one is a tar of nothing.
    if (block.byteLength === 0) return undefined;
    if (block.byteLength < BLOCK_BYTES)
      throw this.#invalid(
        start,
        `expected a header of ${BLOCK_BYTES} bytes, found ${block.byteLength} bytes and the end`,
      );
    const outcome = parseFileHeader(block);
    if (outcome.kind === 'invalid')
      throw this.#invalid(
        start,
        start === 0 ? 'expected a tar, found other bytes' : outcome.problem,
      );
    return outcome.kind === 'end' ? undefined : outcome.header;
  }

  async #extension({ size }: TarFileHeader, start: number): Promise<Uint8Array> {
    if (size > LIMITS.tarExtensionBytes) {
      throw new LimitExceededError(
        `Cannot read ${this.#what} at byte ${start}: expected an extension header of at most ${LIMITS.tarExtensionBytes} bytes, found ${size}`,
      );
    }
    const content = await this.#reader.take(size);
    if (content.byteLength < size)
      throw this.#invalid(
        start,
        `expected ${size} bytes of extension, found ${content.byteLength} and the end`,
      );
    await this.#padding(size, start);
    return content;
  }

  #extended(
    typeflag: 'x' | 'g' | 'L' | 'K',
    content: Uint8Array,
    before: Extensions | undefined,
    start: number,
  ): Extensions | undefined {
    if (typeflag === 'L') return { ...before, name: untilNul(content) };
    if (typeflag === 'K') return { ...before, link: untilNul(content) };
    const records = parsePax(content, 'latin1');
    if (records === undefined)
      throw this.#invalid(start, 'expected PAX records, found other bytes');
    if (typeflag === 'x') return { ...before, records };
    this.#global = new Map([...this.#global, ...records]);
    return before;
  }

  #file(header: TarFileHeader, own: Extensions, start: number): TarFile {
    const { typeflag, ...fields } = header;
    const records = this.#records(own);
    const isSparse =
      typeflag === 'S' || [...records.keys()].some((name) => name.startsWith('GNU.sparse.'));
    if (isSparse)
      throw this.#invalid(
        start,
        'expected whole files, found a sparse one',
        'build the image again with a tool that packs files whole',
      );
    const name = records.get('path') ?? own.name ?? fields.name;
    // Before ustar a folder was a file whose name ends with "/".
    const type = typeflag === '\0' && name.endsWith('/') ? 'folder' : TYPES[typeflag];
    if (type === undefined)
      throw this.#invalid(
        start,
        `expected a file, folder, link or device, found type ${JSON.stringify(typeflag)}`,
      );
    const isLink = type === 'hardlink' || type === 'symlink';
    return {
      ...fields,
      type,
      name,
      link: isLink ? (records.get('linkpath') ?? own.link ?? fields.link) : '',
      size: type === 'file' ? this.#number(records, 'size', fields.size, start) : 0,
      uid: this.#number(records, 'uid', fields.uid, start),
      gid: this.#number(records, 'gid', fields.gid, start),
      user: records.get('uname') ?? fields.user,
      group: records.get('gname') ?? fields.group,
      mtime: timeOf(records.get('mtime')) ?? fields.mtime,
      records,
    };
  }

  /** Most files have none, and a map for each of half a million is felt. */
  #records({ records: own }: Extensions): PaxRecords {
    if (own === undefined && this.#global.size === 0) return NO_RECORDS;
    const records = new Map([...this.#global, ...(own ?? [])]);
    for (const [name, value] of records) if (value === '') records.delete(name);
    return records;
  }

  async *#content(file: TarFile, start: number): AsyncGenerator<Uint8Array> {
    let size = 0;
    for await (const piece of this.#reader.pieces(file.size)) {
      size += piece.byteLength;
      yield piece;
    }
    if (size < file.size) throw this.#cut(start, file);
  }

  async #padding(size: number, start: number): Promise<void> {
    const padding = paddingOf(size);
    if ((await this.#reader.skip(padding)) < padding)
      throw this.#invalid(start, 'expected whole blocks, found the end');
  }

  #number(records: PaxRecords, name: string, otherwise: number, start: number): number {
    const text = records.get(name);
    if (text === undefined) return otherwise;
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(number))
      throw this.#invalid(
        start,
        `expected a number as ${name}, found ${JSON.stringify(text.slice(0, 40))}`,
      );
    return number;
  }

  #cut(start: number, { name, size }: TarFile): InvalidTarError {
    return this.#invalid(
      start,
      `expected ${size} bytes of ${JSON.stringify(name.slice(0, 200))}, found the end`,
    );
  }

  #invalid(
    start: number,
    problem: string,
    hint = 'the layer was packed wrongly; build or pull the image again',
  ): InvalidTarError {
    return new InvalidTarError(this.#what, start, problem, hint);
  }
}

function timeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,12}(?:\.\d*)?$/.test(text) ? Number(text) : undefined;
}

function untilNul(content: Uint8Array): string {
  const end = content.indexOf(0);
  return Buffer.from(end < 0 ? content : content.subarray(0, end)).toString('latin1');
}

/** Takes a stream in pieces of the reader's own sizes. */
class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array();
  #position = 0;

  constructor(content: Bytes) {
    this.#chunks = content[Symbol.asyncIterator]();
  }

  /** Bytes that were taken. */
  get position(): number {
    return this.#position;
  }

  /** A copy of the next `size` bytes; fewer at the end. */
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

  /** The next `size` bytes as they come, borrowed; fewer at the end. */
  async *pieces(size: number): AsyncGenerator<Uint8Array> {
    let left = size;
    while (left > 0) {
      const piece = await this.#next(left);
      if (piece === undefined) return;
      left -= piece.byteLength;
      yield piece;
    }
  }

  /** Drops the next `size` bytes, and says how many there were. */
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
