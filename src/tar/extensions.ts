import type { RegiError } from '../errors.ts';
import { quote } from '../quote.ts';
import { textOf, type TarHeader } from './header.ts';
import { parsePax, type PaxRecords } from './pax.ts';
import type { TarFile } from './tar-file.ts';

/**
 * Types of headers that describe the next header: PAX records, PAX records for all, a long name, a
 * long link.
 */
export const EXTENSION_TYPES: ReadonlySet<string> = new Set(['x', 'g', 'L', 'K']);

const NO_RECORDS: PaxRecords = new Map();

/** A header with its extensions applied. */
export type ExtendedHeader = TarHeader & Pick<TarFile, 'records'>;

/** Collects extension headers, and applies them to the header that they describe. */
export class TarExtensions {
  readonly #invalid: (problem: string, hint?: string) => RegiError;
  readonly #sparseHint: string;
  #global: PaxRecords = NO_RECORDS;
  #own: PaxRecords | undefined;
  #name: string | undefined;
  #link: string | undefined;
  #isPending = false;

  /** @param invalid makes the error for the header at hand. */
  constructor(invalid: (problem: string, hint?: string) => RegiError, sparseHint: string) {
    this.#invalid = invalid;
    this.#sparseHint = sparseHint;
  }

  /**
   * @throws {RegiError} INVALID_ARCHIVE when the tar ends before the header that an extension
   *   describes.
   */
  end(): void {
    if (this.#isPending)
      throw this.#invalid('expected the entry of the extension header before, found the end');
  }

  /** Takes the content of an extension header. */
  add(typeflag: string, content: Uint8Array): void {
    if (typeflag !== 'g') this.#isPending = true;
    if (typeflag === 'L') this.#name = textOf(content);
    else if (typeflag === 'K') this.#link = textOf(content);
    else {
      const records = parsePax(content);
      if (records === undefined) throw this.#invalid('expected PAX records, found other bytes');
      if (typeflag === 'x') this.#own = records;
      else this.#global = new Map([...this.#global, ...records]);
    }
  }

  /** Applies the extensions since the last header. */
  apply(header: TarHeader): ExtendedHeader {
    const records = this.#records();
    const isSparse =
      header.typeflag === 'S' || [...records.keys()].some((name) => name.startsWith('GNU.sparse.'));
    if (isSparse) throw this.#invalid('expected whole files, found a sparse one', this.#sparseHint);
    const extended = {
      ...header,
      name: records.get('path') ?? this.#name ?? header.name,
      link: records.get('linkpath') ?? this.#link ?? header.link,
      size: this.#number(records, 'size', header.size),
      uid: this.#number(records, 'uid', header.uid),
      gid: this.#number(records, 'gid', header.gid),
      user: records.get('uname') ?? header.user,
      group: records.get('gname') ?? header.group,
      mtime: timeOf(records.get('mtime')) ?? header.mtime,
      records,
    };
    this.#own = this.#name = this.#link = undefined;
    this.#isPending = false;
    return extended;
  }

  /** Most files have none, and a map for each of half a million costs time. */
  #records(): PaxRecords {
    const own = this.#own;
    if (own === undefined && this.#global.size === 0) return NO_RECORDS;
    const records = new Map([...this.#global, ...(own ?? [])]);
    for (const [name, value] of records) if (value === '') records.delete(name);
    return records;
  }

  #number(records: PaxRecords, name: string, otherwise: number): number {
    const text = records.get(name);
    if (text === undefined) return otherwise;
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(number))
      throw this.#invalid(`expected a number as ${name}, found ${quote(text.slice(0, 40))}`);
    return number;
  }
}

function timeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,12}(?:\.\d*)?$/.test(text) ? Number(text) : undefined;
}
