import { posix } from 'node:path';

import { LimitExceededError } from '../bytes.ts';
import type { RandomAccess } from '../disk/random-access.ts';
import type { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { quote } from '../quote.ts';
import type { CallOptions } from '../store.ts';
import { EXTENSION_TYPES, type ExtendedHeader, TarExtensions } from './extensions.ts';
import { BLOCK_BYTES, invalidTar, paddingOf, parseHeader, type TarHeader } from './header.ts';
import { nameText } from './tar-file.ts';

/** `special` are pipes, devices and others that must not be opened. */
export type TarEntryType = 'file' | 'folder' | 'symlink' | 'hardlink' | 'special';

export interface TarEntry {
  readonly type: TarEntryType;
  /** As written, without "./" before it and "/" after it. */
  readonly name: string;
  /** Position of the content in the tar. */
  readonly offset: number;
  /** Bytes of content; 0 unless it is a file. */
  readonly size: number;
  /** The target of a link; empty otherwise. */
  readonly link: string;
}

export interface TarIndex {
  /**
   * By name. Of several entries with one name it has the last, which GNU tar leaves on disk too.
   */
  readonly entries: ReadonlyMap<string, TarEntry>;
  /**
   * Finds the file of a name, and follows links inside the tar. Undefined when there is none, or a
   * link leads out of the tar or in a circle: no name is ever looked up elsewhere.
   */
  find(name: string): TarEntry | undefined;
}

export interface IndexTarOptions extends CallOptions {
  /** Names the tar in messages; `the tar` when absent. */
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
/**
 * Links, devices, folders and pipes: their size says nothing of content (POSIX, and the readers of
 * Go and Python).
 */
const WITHOUT_CONTENT: ReadonlySet<string> = new Set(['1', '2', '3', '4', '5', '6']);

/**
 * Lists the entries of a tar. Only headers are read, 512 bytes each, by seeking over the content.
 *
 * It ends at the first block of zeros, or, without one, at the end of the file. Bytes after the
 * zeros are ignored.
 *
 * @throws {RegiError} INVALID_ARCHIVE with the offset, when the tar is cut, damaged, or has sparse
 *   entries.
 * @throws {LimitExceededError} when there are more entries, or larger names, than any image archive
 *   has.
 */
export async function indexTar(
  file: RandomAccess,
  { signal, what = 'the tar' }: IndexTarOptions = {},
): Promise<TarIndex> {
  const entries = new Map<string, TarEntry>();
  for await (const entry of new TarScan(file, what).entries(signal)) entries.set(entry.name, entry);
  return { entries, find: (name) => follow(entries, plainName(name)) };
}

/**
 * Normalizes a name for look-ups: no "./" before it, no "/" after it, no empty or "." part. ".."
 * stays, and so finds nothing.
 */
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
    // A hard link starts at the top, a symbolic one in its own folder.
    name =
      entry.type === 'hardlink'
        ? plainName(entry.link)
        : posix.join(posix.dirname(name), entry.link);
    if (name.startsWith('/') || name === '..' || name.startsWith('../')) return undefined;
  }
  return undefined;
}

/** First bytes of files that people take for archives of images. */
const OTHER_FILES: readonly (readonly [name: string, start: string])[] = [
  ['a zip file', 'PK'],
  ['a 7z file', '7z\u00bc\u00af'],
  ['a program', '\u007fELF'],
  ['a squashfs image', 'hsqs'],
  ['a disk image', 'QFI\u00fb'],
  ['a PDF', '%PDF'],
  ['a PNG picture', '\u0089PNG'],
  ['a page of HTML', '<'],
  ['JSON', '{'],
  ['JSON', '['],
  ['a script', '#!'],
  ['bytes packed by lz4', '\u0004"M\u0018'],
];

/** Says what the first bytes of a file that is no tar look like. */
function describeStart(block: Uint8Array): string {
  const start = Buffer.from(block.subarray(0, 16)).toString('latin1');
  const known = OTHER_FILES.find(([, magic]) => start.startsWith(magic));
  if (known !== undefined) return known[0];
  return /^[\t\n\r\x20-\x7e]+$/.test(start)
    ? `a text that begins with ${quote(start.trim())}`
    : `other bytes, which begin with ${Buffer.from(block.subarray(0, 4)).toString('hex')}`;
}

class TarScan {
  readonly #file: RandomAccess;
  readonly #what: string;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  readonly #extensions: TarExtensions;
  #extensionBytes = 0;
  /** Of the header at hand. */
  #position = 0;

  constructor(file: RandomAccess, what: string) {
    this.#file = file;
    this.#what = what;
    this.#extensions = new TarExtensions(
      (problem, hint) => this.#invalid(problem, hint),
      'pack it again without --sparse (-S)',
    );
  }

  async *entries(signal: AbortSignal | undefined): AsyncIterable<TarEntry> {
    for (let count = 0; ;) {
      signal?.throwIfAborted();
      const header = await this.#header();
      if (header === undefined) return this.#extensions.end();
      let { size } = header;
      if (EXTENSION_TYPES.has(header.typeflag))
        this.#extensions.add(header.typeflag, await this.#extension(header));
      else {
        const entry = this.#entry(this.#extensions.apply(header));
        ({ size } = entry);
        if (entry.offset + size > this.#file.size) throw this.#cut(quote(entry.name), size);
        count += 1;
        if (count > LIMITS.tarEntries)
          throw new LimitExceededError(
            `Cannot read ${this.#what}: expected at most ${LIMITS.tarEntries} entries`,
          );
        yield entry.type === 'special' ? { ...entry, size: 0 } : entry;
      }
      this.#position += BLOCK_BYTES + size + paddingOf(size);
    }
  }

  async #header(): Promise<TarHeader | undefined> {
    const position = this.#position;
    if (position >= this.#file.size) return undefined;
    const read = await this.#file.read(this.#block, position);
    if (read < BLOCK_BYTES && position === 0)
      throw this.#invalid(`expected a tar, found ${read} bytes`, GIVE_ARCHIVE);
    if (read < BLOCK_BYTES)
      throw this.#invalid(
        `expected a header of ${BLOCK_BYTES} bytes, found ${read} bytes and the end of the file`,
      );
    const outcome = parseHeader(this.#block);
    if (outcome.kind === 'invalid')
      throw position === 0
        ? this.#invalid(`expected a tar, found ${describeStart(this.#block)}`, GIVE_ARCHIVE)
        : this.#invalid(outcome.problem);
    return outcome.kind === 'end' ? undefined : outcome.header;
  }

  async #extension({ size, typeflag }: TarHeader): Promise<Uint8Array> {
    const offset = this.#position + BLOCK_BYTES;
    this.#extensionBytes += size;
    if (size > LIMITS.tarExtensionBytes || this.#extensionBytes > LIMITS.tarExtensionsBytes) {
      throw new LimitExceededError(
        `Cannot read ${this.#what} at byte ${offset}: expected an extension header of at most ${LIMITS.tarExtensionBytes} bytes, found ${size}`,
      );
    }
    const content = new Uint8Array(size);
    if (offset + size > this.#file.size || (await this.#file.read(content, offset)) < size)
      throw this.#cut(`extension "${typeflag}"`, size);
    return content;
  }

  #entry({ typeflag, name, link, size }: ExtendedHeader): TarEntry {
    // Before ustar a folder was a file whose name ends with "/".
    const type =
      typeflag === '\0' && name.endsWith('/') ? 'folder' : (TYPES[typeflag] ?? 'special');
    const isLink = type === 'hardlink' || type === 'symlink';
    return {
      type,
      name: plainName(nameText(name)),
      offset: this.#position + BLOCK_BYTES,
      size: WITHOUT_CONTENT.has(typeflag) ? 0 : size,
      link: isLink ? nameText(link) : '',
    };
  }

  #invalid(problem: string, hint?: string): RegiError {
    return invalidTar(this.#what, this.#position, problem, hint);
  }

  #cut(name: string, size: number): RegiError {
    const left = Math.max(this.#file.size - this.#position - BLOCK_BYTES, 0);
    return this.#invalid(
      `expected ${size} bytes of ${name}, found ${left} and the end of the file`,
    );
  }
}
