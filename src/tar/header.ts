import { RegiError } from '../errors.ts';
import { formatPax } from './pax.ts';

/** A tar is made of blocks of this many bytes: one per header, and content padded to whole ones. */
export const BLOCK_BYTES = 512;

/** One header as it is written, extensions not yet applied. */
export interface RawHeader {
  readonly name: string;
  readonly link: string;
  /** Bytes of content behind the header. */
  readonly size: number;
  /** One character: `0` a file, `5` a folder, `x` PAX records for the next header. */
  readonly typeflag: string;
}

/** A header read, or why it is none. */
export type HeaderOutcome =
  | { readonly kind: 'header'; readonly header: RawHeader }
  /** A block of zeros: the end. */
  | { readonly kind: 'end' }
  | { readonly kind: 'invalid'; readonly problem: string };

/** What an entry that is written says of itself. Owner, group and time are always 0, so that the same input gives the same bytes. */
export interface NewEntry {
  /** Relative, with "/". */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

const FIELD = {
  name: [0, 100],
  size: [124, 136],
  checksum: [148, 156],
  link: [157, 257],
  magic: [257, 263],
  prefix: [345, 500],
} as const satisfies Record<string, readonly [number, number]>;

const TYPEFLAG = 156;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** What 11 octal digits can say: 8 GiB less one byte. */
const OCTAL_SIZE = 8 ** 11 - 1;
/** Readable for everybody, and for changing by nobody: names are digests. */
const FILE_MODE = 0o444;

/**
 * Reads one block as a header: ustar, GNU, or the form before both.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html
 */
export function parseHeader(block: Uint8Array): HeaderOutcome {
  if (block.every((byte) => byte === 0)) return { kind: 'end' };
  const stored = parseNumber(fieldOf(block, FIELD.checksum));
  if (stored === undefined || !checksumsOf(block).includes(stored))
    return { kind: 'invalid', problem: 'expected a header, found other bytes' };
  const size = parseNumber(fieldOf(block, FIELD.size));
  if (size === undefined)
    return { kind: 'invalid', problem: 'expected a size in the header, found other characters' };
  const name = textOf(fieldOf(block, FIELD.name));
  // GNU's form ("ustar  ") keeps times where ustar keeps the beginning of a long name.
  const isUstar = latin1Of(fieldOf(block, FIELD.magic)) === 'ustar\0';
  const prefix = isUstar ? textOf(fieldOf(block, FIELD.prefix)) : '';
  return {
    kind: 'header',
    header: {
      name: prefix === '' ? name : `${prefix}/${name}`,
      link: textOf(fieldOf(block, FIELD.link)),
      size,
      typeflag: String.fromCharCode(block[TYPEFLAG] ?? 0),
    },
  };
}

/**
 * The header of a file as ustar, with PAX records before it where the name or the size has no room there. Always whole blocks.
 *
 * @throws {RangeError} on a size that is no safe integer: the caller has not checked it.
 */
export function encodeHeader({ name, size }: NewEntry): Uint8Array {
  if (!Number.isSafeInteger(size) || size < 0)
    throw new RangeError(`Cannot write a header: expected a size in whole bytes, found ${size}`);
  const split = splitName(name);
  const records = {
    ...(split === undefined && { path: name }),
    ...(size > OCTAL_SIZE && { size: String(size) }),
  };
  const own = block({
    ...(split ?? { name: asciiTail(name), prefix: '' }),
    size: size > OCTAL_SIZE ? 0 : size,
    typeflag: '0',
    mode: FILE_MODE,
  });
  if (Object.keys(records).length === 0) return own;
  const pax = formatPax(records);
  const before = block({
    name: `PaxHeaders/${asciiTail(name)}`.slice(0, NAME_BYTES),
    prefix: '',
    size: pax.byteLength,
    typeflag: 'x',
    mode: FILE_MODE,
  });
  return Buffer.concat([before, pax, new Uint8Array(paddingOf(pax.byteLength)), own]);
}

/** Bytes from the end of a content to the next block. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

interface Fields {
  readonly name: string;
  readonly prefix: string;
  readonly size: number;
  readonly typeflag: string;
  readonly mode: number;
}

function block({ name, prefix, size, typeflag, mode }: Fields): Uint8Array {
  const made = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, width: number): string => formatOctal(value, width) ?? '';
  made.write(name, FIELD.name[0], 'latin1');
  made.write(
    octal(mode, 8) + octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(0, 12),
    100,
    'latin1',
  );
  made.write(`        ${typeflag}`, FIELD.checksum[0], 'latin1');
  made.write('ustar\u000000', FIELD.magic[0], 'latin1');
  made.write(octal(0, 8) + octal(0, 8), 329, 'latin1');
  made.write(prefix, FIELD.prefix[0], 'latin1');
  const sum = made.reduce((total, byte) => total + byte, 0);
  made.write(`${sum.toString(8).padStart(6, '0')}\0 `, FIELD.checksum[0], 'latin1');
  return made;
}

/** The name in the fields of ustar; undefined when it has no room there, or other characters than ASCII. */
function splitName(name: string): { readonly name: string; readonly prefix: string } | undefined {
  if (!/^[\x20-\x7e]+$/.test(name)) return undefined;
  if (name.length <= NAME_BYTES) return { name, prefix: '' };
  const slash = name.lastIndexOf('/', PREFIX_BYTES);
  const tail = name.slice(slash + 1);
  return slash > 0 && tail.length > 0 && tail.length <= NAME_BYTES
    ? { name: tail, prefix: name.slice(0, slash) }
    : undefined;
}

/** Something for readers that know no PAX records. */
function asciiTail(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, '_').slice(-80);
}

/** Signed too: some writers of old added up signed characters. */
function checksumsOf(block: Uint8Array): readonly [unsigned: number, signed: number] {
  let unsigned = 0;
  let signed = 0;
  for (const [at, byte] of block.entries()) {
    const value = at >= FIELD.checksum[0] && at < FIELD.checksum[1] ? 0x20 : byte;
    unsigned += value;
    signed += value > 127 ? value - 256 : value;
  }
  return [unsigned, signed];
}

function fieldOf(block: Uint8Array, [start, end]: readonly [number, number]): Uint8Array {
  return block.subarray(start, end);
}

/** Up to the first NUL. */
export function textOf(field: Uint8Array): string {
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

function latin1Of(field: Uint8Array): string {
  return Buffer.from(field).toString('latin1');
}

/**
 * Reads a number of a header: octal digits between blanks and NULs, or, behind a first byte of 0x80 and more, base 256 as GNU tar
 * writes what octal has no room for. An empty field is 0; undefined when it is neither, negative, or over 2^53.
 *
 * @see https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */
export function parseNumber(field: Uint8Array): number | undefined {
  const first = field[0] ?? 0;
  return first >= 0x80 ? parseBase256(field, first) : parseOctal(field);
}

/** Octal digits, zeros before them and NUL behind; undefined when the field is too narrow. @param width of the field in bytes. */
export function formatOctal(value: number, width: number): string | undefined {
  const digits = value.toString(8);
  return digits.length < width ? `${digits.padStart(width - 1, '0')}\0` : undefined;
}

function parseOctal(field: Uint8Array): number | undefined {
  let value = 0;
  let state: 'before' | 'digits' | 'after' = 'before';
  for (const byte of field) {
    const isBlank = byte === 0x20 || byte === 0;
    if (isBlank) {
      // GNU tar and Python read on over blanks before the digits, and stop at the first behind them.
      if (state === 'digits') state = 'after';
    } else if (byte < 0x30 || byte > 0x37 || state === 'after') return undefined;
    else {
      state = 'digits';
      // Not a shift: bitwise operators truncate to 32 bits.
      value = value * 8 + (byte - 0x30);
    }
  }
  return Number.isSafeInteger(value) ? value : undefined;
}

function parseBase256(field: Uint8Array, first: number): number | undefined {
  // The second highest bit is the sign.
  if (first >= 0xc0) return undefined;
  let value = first - 0x80;
  for (const byte of field.subarray(1)) {
    value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) return undefined;
  }
  return value;
}

/** Bytes that are no tar, or one that was cut or damaged. */
export class InvalidTarError extends RegiError {
  /** Where in the tar, in bytes. */
  readonly offset: number;

  /**
   * @param what is read, such as `the tar`.
   * @param problem what was expected and found, such as `expected a header, found other bytes`.
   */
  constructor(
    what: string,
    offset: number,
    problem: string,
    hint = 'the file is damaged or was not copied whole; copy it here again',
  ) {
    super('INVALID_ARCHIVE', `Cannot read ${what} at byte ${offset}: ${problem}`, { hint });
    this.offset = offset;
  }
}
