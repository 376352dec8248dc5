import { posix } from 'node:path';

import { LimitExceededError } from '../bytes.ts';
import type { RandomAccess } from '../disk/random-access.ts';
import { LIMITS } from '../limits.ts';
import type { CallOptions } from '../store.ts';
import {
  BLOCK_BYTES,
  paddingOf,
  parseHeader,
  textOf,
  type RawHeader,
  InvalidTarError,
} from './header.ts';
import { parsePax, type PaxRecords } from './pax.ts';

/** `special` are pipes, devices and whatever else nobody should open. */
export type TarEntryType = 'file' | 'folder' | 'symlink' | 'hardlink' | 'special';

export interface TarEntry {
  readonly type: TarEntryType;
  /** As written, without "./" before it and "/" behind. */
  readonly name: string;
  /** Where the content begins in the tar. */
  readonly offset: number;
  /** Bytes of content; 0 for whatever is no file. */
  readonly size: number;
  /** What a link names; empty otherwise. */
  readonly link: string;
}

export interface TarIndex {
  /** By name. Of several entries with one name it is the last, which is also what GNU tar leaves on disk. */
  readonly entries: ReadonlyMap<string, TarEntry>;
  /**
   * The file of that name, links inside the tar followed. Undefined when there is none, when a link leads out of the tar, or in
   * a circle: no name is ever looked up elsewhere.
   */
  find(name: string): TarEntry | undefined;
}

export interface IndexTarOptions extends CallOptions {
  /** What messages call it; `the tar` when absent. */
  readonly what?: string | undefined;
}

const TYPES: Readonly<Record<string, TarEntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'folder',
};
const GIVE_ARCHIVE = 'give an image archive: a tar, plain or packed by gzip or zstd';
/** Links, devices, folders and pipes: what their size says is not content (POSIX, and what Go's and Python's readers do). */
const WITHOUT_CONTENT: ReadonlySet<string> = new Set(['1', '2', '3', '4', '5', '6']);

/**
 * Lists the entries of a tar. Only headers are read, 512 bytes each, by seeking over the content.
 *
 * It ends at the first block of zeros, or, without one, at the end of the file; what is behind the zeros is not looked at.
 *
 * @throws {InvalidTarError} with the offset, when the tar is cut, damaged, or has sparse entries, whose content is a puzzle.
 * @throws {LimitExceededError} when there are more entries, or larger names, than any image archive has.
 */
export async function indexTar(
  file: RandomAccess,
  { signal, what = 'the tar' }: IndexTarOptions = {},
): Promise<TarIndex> {
  const entries = new Map<string, TarEntry>();
  for await (const entry of new TarScan(file, what).entries(signal)) entries.set(entry.name, entry);
  return { entries, find: (name) => follow(entries, plainName(name)) };
}

/** A name as it is looked up: no "./" before it, no "/" behind, no empty or "." part. ".." stays, and so finds nothing by itself. */
export function plainName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  return `${name.startsWith('/') ? '/' : ''}${parts.join('/')}`;
}

function follow(entries: ReadonlyMap<string, TarEntry>, start: string): TarEntry | undefined {
  let name = start;
  for (let hops = 0; hops <= LIMITS.tarLinks; hops += 1) {
    const entry = entries.get(name);
    if (entry === undefined || entry.type === 'folder' || entry.type === 'special')
      return undefined;
    if (entry.type === 'file') return entry;
    // A hard link names from the top, a symbolic one from its own folder.
    name =
      entry.type === 'hardlink'
        ? plainName(entry.link)
        : posix.join(posix.dirname(name), entry.link);
    if (name.startsWith('/') || name === '..' || name.startsWith('../')) return undefined;
  }
  return undefined;
}

/** What extension headers say of the next entry. */
interface Extensions {
  readonly name?: string | undefined;
  readonly link?: string | undefined;
  readonly size?: number | undefined;
}

class TarScan {
  readonly #file: RandomAccess;
  readonly #what: string;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #extensionBytes = 0;
  #global: PaxRecords = new Map();

  constructor(file: RandomAccess, what: string) {
    this.#file = file;
    this.#what = what;
  }

  async *entries(signal: AbortSignal | undefined): AsyncIterable<TarEntry> {
    let position = 0;
    let count = 0;
    let next: Extensions = {};
    let extended = false;
    for (;;) {
      signal?.throwIfAborted();
      const header = await this.#header(position);
      if (header === undefined) {
        if (extended)
          throw this.#invalid(
            position,
            'expected the entry of the extension header before, found the end',
          );
        return;
      }
      const { typeflag } = header;
      const content = position + BLOCK_BYTES;
      if (typeflag === 'x' || typeflag === 'g' || typeflag === 'L' || typeflag === 'K') {
        next = this.#extended(typeflag, await this.#extension(header, content), next, position);
        extended = typeflag !== 'g';
        position = content + header.size + paddingOf(header.size);
        continue;
      }
      const entry = this.#entry(header, next, position);
      if (entry.offset + entry.size > this.#file.size)
        throw this.#cut(position, entry.name, entry.size, content);
      count += 1;
      if (count > LIMITS.tarEntries)
        throw new LimitExceededError(
          `Cannot read ${this.#what}: expected at most ${LIMITS.tarEntries} entries`,
        );
      yield entry.type === 'special' ? { ...entry, size: 0 } : entry;
      position = entry.offset + entry.size + paddingOf(entry.size);
      next = {};
      extended = false;
    }
  }

  async #header(position: number): Promise<RawHeader | undefined> {
    if (position >= this.#file.size) return undefined;
    const read = await this.#file.read(this.#block, position);
    if (read < BLOCK_BYTES && position === 0)
      throw this.#invalid(0, `expected a tar, found ${read} bytes`, GIVE_ARCHIVE);
    if (read < BLOCK_BYTES)
      throw this.#invalid(
        position,
        `expected a header of ${BLOCK_BYTES} bytes, found ${read} bytes and the end of the file`,
      );
    const outcome = parseHeader(this.#block);
    if (outcome.kind === 'invalid') {
      if (position === 0) throw this.#invalid(0, 'expected a tar, found other bytes', GIVE_ARCHIVE);
      throw this.#invalid(position, outcome.problem);
    }
    return outcome.kind === 'end' ? undefined : outcome.header;
  }

  async #extension({ size, typeflag }: RawHeader, offset: number): Promise<Uint8Array> {
    this.#extensionBytes += size;
    if (size > LIMITS.tarExtensionBytes || this.#extensionBytes > LIMITS.tarExtensionsBytes) {
      throw new LimitExceededError(
        `Cannot read ${this.#what} at byte ${offset}: expected an extension header of at most ${LIMITS.tarExtensionBytes} bytes, found ${size}`,
      );
    }
    const content = new Uint8Array(size);
    if (offset + size > this.#file.size || (await this.#file.read(content, offset)) < size)
      throw this.#cut(offset - BLOCK_BYTES, `extension "${typeflag}"`, size, offset);
    return content;
  }

  #extended(
    typeflag: 'x' | 'g' | 'L' | 'K',
    content: Uint8Array,
    before: Extensions,
    position: number,
  ): Extensions {
    if (typeflag === 'L') return { ...before, name: textOf(content) };
    if (typeflag === 'K') return { ...before, link: textOf(content) };
    const records = parsePax(content);
    if (records === undefined)
      throw this.#invalid(position, 'expected PAX records, found other bytes');
    if (typeflag === 'g') {
      this.#global = new Map([...this.#global, ...records]);
      return before;
    }
    return { ...before, ...this.#paxExtensions(records, position) };
  }

  #paxExtensions(records: PaxRecords, position: number): Extensions {
    for (const key of records.keys())
      if (key.startsWith('GNU.sparse.')) throw this.#sparse(position);
    const [name, link, size] = [records.get('path'), records.get('linkpath'), records.get('size')];
    return {
      ...(name !== undefined && name !== '' && { name }),
      ...(link !== undefined && link !== '' && { link }),
      ...(size !== undefined && size !== '' && { size: this.#paxSize(size, position) }),
    };
  }

  #entry(header: RawHeader, own: Extensions, position: number): TarEntry {
    const { typeflag } = header;
    if (typeflag === 'S') throw this.#sparse(position);
    const {
      name = header.name,
      link = header.link,
      size = header.size,
    } = { ...this.#paxExtensions(this.#global, position), ...own };
    // Before ustar a folder was a file whose name ends with "/".
    const known =
      typeflag === '\0' && name.endsWith('/') ? 'folder' : (TYPES[typeflag] ?? 'special');
    const isLink = known === 'hardlink' || known === 'symlink';
    return {
      type: known,
      name: plainName(name),
      offset: position + BLOCK_BYTES,
      size: WITHOUT_CONTENT.has(typeflag) ? 0 : size,
      link: isLink ? link : '',
    };
  }

  #invalid(position: number, problem: string, hint?: string): InvalidTarError {
    return new InvalidTarError(this.#what, position, problem, hint);
  }

  #sparse(position: number): InvalidTarError {
    return this.#invalid(
      position,
      'expected whole files, found a sparse entry',
      'pack it again without --sparse (-S)',
    );
  }

  #paxSize(text: string, position: number): number {
    const size = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(size))
      throw this.#invalid(
        position,
        `expected a size in whole bytes, found ${JSON.stringify(text.slice(0, 40))}`,
      );
    return size;
  }

  #cut(position: number, name: string, size: number, content: number): InvalidTarError {
    return this.#invalid(
      position,
      `expected ${size} bytes of ${JSON.stringify(name)}, found ${Math.max(this.#file.size - content, 0)} and the end of the file`,
    );
  }
}
