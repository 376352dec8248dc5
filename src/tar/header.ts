import { RegiError } from '../errors.ts';
import { formatPax } from './pax.ts';
import { isAscii, nameOf, UNDESCRIBED, type TarFile, type TarFileType } from './tar-file.ts';

/** A tar is made of blocks of this many bytes: one per header, and content padded to whole ones. */
export const BLOCK_BYTES = 512;

/** The fixed fields of a header, before extensions are applied. */
export interface TarHeader extends Omit<TarFile, 'type' | 'records'> {
  /** One character: `0` a file, `5` a folder, `x` PAX records for the next header. */
  readonly typeflag: string;
}

/** A parsed header, the end of the tar (a block of zeros), or the reason why it is neither. */
export type HeaderOutcome =
  | { readonly kind: 'header'; readonly header: TarHeader }
  | { readonly kind: 'end' }
  | { readonly kind: 'invalid'; readonly problem: string };

/**
 * A file to be written. Owner, group and time are always 0, so that the same input gives the same
 * bytes.
 */
export interface NewEntry {
  /** Relative, with "/". */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** Position and end of each field. */
const FIELD = {
  name: [0, 100],
  mode: [100, 108],
  uid: [108, 116],
  gid: [116, 124],
  size: [124, 136],
  mtime: [136, 148],
  checksum: [148, 156],
  typeflag: [156, 157],
  link: [157, 257],
  magic: [257, 263],
  user: [265, 297],
  group: [297, 329],
  major: [329, 337],
  minor: [337, 345],
  prefix: [345, 500],
} as const satisfies Record<string, readonly [number, number]>;

type Field = keyof typeof FIELD;

const TYPEFLAGS = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  folder: '5',
  fifo: '6',
} as const satisfies Record<TarFileType, string>;

const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** The largest number of 7 octal digits. */
const OCTAL_ID = 8 ** 7 - 1;
/** The largest number of 11 octal digits: 8 GiB less one byte. */
const OCTAL_SIZE = 8 ** 11 - 1;
/** Readable for all and writable for none, because names are digests. */
const FILE_MODE = 0o444;
/** Records that repeat fields. */
const OWN_RECORDS: ReadonlySet<string> = new Set(['path', 'linkpath', 'size']);

/**
 * Parses one block as a header: ustar, GNU, or the form before both.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html
 */
export function parseHeader(block: Uint8Array): HeaderOutcome {
  if (block[0] === 0 && block.every((byte) => byte === 0)) return { kind: 'end' };
  const field = (name: Field): Uint8Array => block.subarray(...FIELD[name]);
  const number = (name: Field): number => parseNumber(field(name)) ?? 0;
  const stored = parseNumber(field('checksum'));
  if (stored === undefined || !checksumsOf(block).includes(stored))
    return { kind: 'invalid', problem: 'expected a header, found other bytes' };
  const size = parseNumber(field('size'));
  if (size === undefined)
    return { kind: 'invalid', problem: 'expected a size in the header, found other characters' };
  const magic = Buffer.from(field('magic')).toString('latin1');
  const hasOwners = magic.startsWith('ustar');
  // GNU's form ("ustar  ") has times in the place of ustar's prefix of a long name.
  const prefix = magic === 'ustar\0' ? textOf(field('prefix')) : '';
  const name = textOf(field('name'));
  return {
    kind: 'header',
    header: {
      typeflag: String.fromCharCode(field('typeflag')[0] ?? 0),
      name: prefix === '' ? name : `${prefix}/${name}`,
      link: textOf(field('link')),
      size,
      mode: number('mode') % 0o10000,
      uid: number('uid'),
      gid: number('gid'),
      mtime: number('mtime'),
      user: hasOwners ? textOf(field('user')) : '',
      group: hasOwners ? textOf(field('group')) : '',
      major: hasOwners ? number('major') : 0,
      minor: hasOwners ? number('minor') : 0,
    },
  };
}

/**
 * Makes the header of a new file. Always whole blocks.
 *
 * @throws {RangeError} on a size that is no safe integer: the caller has not checked it.
 */
export function encodeHeader({ name, size }: NewEntry): Uint8Array {
  if (!Number.isSafeInteger(size) || size < 0)
    throw new RangeError(`Cannot write a header: expected a size in whole bytes, found ${size}`);
  return encodeFileHeader({
    ...UNDESCRIBED,
    type: 'file',
    name: nameOf(name),
    size,
    mode: FILE_MODE,
  });
}

/**
 * Makes the header of a file as ustar, with PAX records before it for values that its fields cannot
 * hold. Always whole blocks.
 */
export function encodeFileHeader(file: TarFile): Uint8Array {
  const records = new Map([...file.records].filter(([name]) => !OWN_RECORDS.has(name)));
  const split = splitName(file.name);
  if (split === undefined) records.set('path', file.name);
  if (file.link.length > NAME_BYTES || !isAscii(file.link)) records.set('linkpath', file.link);
  if (file.size > OCTAL_SIZE) records.set('size', String(file.size));
  if (file.uid > OCTAL_ID) records.set('uid', String(file.uid));
  if (file.gid > OCTAL_ID) records.set('gid', String(file.gid));
  const tail = asciiTail(file.name);
  const own = encodeBlock(file, split ?? { name: tail, prefix: '' }, TYPEFLAGS[file.type]);
  if (records.size === 0) return own;
  const pax = formatPax(records);
  const extension = { ...file, link: '', size: pax.byteLength };
  const before = encodeBlock(extension, { name: `PaxHeaders/${tail}`, prefix: '' }, 'x');
  return Buffer.concat([before, pax, new Uint8Array(paddingOf(pax.byteLength)), own]);
}

/** Bytes from the end of a content to the next block. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

interface SplitName {
  readonly name: string;
  readonly prefix: string;
}

function encodeBlock(file: TarFile, { name, prefix }: SplitName, typeflag: string): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES);
  const write = (field: Field, text: string): void => {
    const [start, end] = FIELD[field];
    block.write(text, start, end - start, 'latin1');
  };
  const octal = (field: Field, value: number): void => {
    const [start, end] = FIELD[field];
    const digits = value.toString(8);
    // Octal digits, zeros before them and NUL behind; PAX records have a number that is too large.
    write(field, (digits.length < end - start ? digits : '').padStart(end - start - 1, '0'));
  };
  write('name', name);
  octal('mode', file.mode);
  octal('uid', file.uid);
  octal('gid', file.gid);
  octal('size', file.size);
  octal('mtime', Math.min(Math.max(Math.floor(file.mtime), 0), OCTAL_SIZE));
  write('checksum', ' '.repeat(8));
  write('typeflag', typeflag);
  write('link', file.link);
  write('magic', 'ustar\0');
  block.write('00', 263, 'latin1');
  // The last byte of a name stays NUL.
  write('user', file.user.slice(0, 31));
  write('group', file.group.slice(0, 31));
  octal('major', file.major);
  octal('minor', file.minor);
  write('prefix', prefix);
  const sum = block.reduce((total, byte) => total + byte, 0);
  write('checksum', `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** Splits a name into the fields of ustar; undefined when they cannot hold it. */
function splitName(name: string): SplitName | undefined {
  if (!isAscii(name)) return undefined;
  if (name.length <= NAME_BYTES) return { name, prefix: '' };
  const slash = name.lastIndexOf('/', PREFIX_BYTES);
  const tail = name.slice(slash + 1);
  return slash > 0 && tail.length > 0 && tail.length <= NAME_BYTES
    ? { name: tail, prefix: name.slice(0, slash) }
    : undefined;
}

/** Makes a short name for readers without PAX records. */
function asciiTail(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, '_').slice(-80);
}

/**
 * Old writers add up signed characters. An iterator of the bytes would take half of the time of
 * reading a tar.
 */
function checksumsOf(block: Uint8Array): readonly [unsigned: number, signed: number] {
  const [start, end] = FIELD.checksum;
  let unsigned = 0;
  let large = 0;
  for (let at = 0; at < block.length; at += 1) {
    const byte = at >= start && at < end ? 0x20 : (block[at] ?? 0);
    unsigned += byte;
    if (byte > 127) large += 1;
  }
  return [unsigned, unsigned - 256 * large];
}

/** The bytes before the first NUL, as latin1. */
export function textOf(field: Uint8Array): string {
  const end = field.indexOf(0);
  if (end === 0) return '';
  const { buffer, byteOffset, byteLength } = field;
  return Buffer.from(buffer, byteOffset, end < 0 ? byteLength : end).toString('latin1');
}

/**
 * Parses a number of a header: octal digits between blanks and NULs, or, after a first byte of 0x80
 * and more, base 256, which GNU tar writes for large numbers. An empty field is 0; undefined when
 * it is neither, negative, or over 2^53.
 *
 * @see https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */
function parseNumber(field: Uint8Array): number | undefined {
  const first = field[0] ?? 0;
  return first >= 0x80 ? parseBase256(field, first) : parseOctal(field);
}

function parseOctal(field: Uint8Array): number | undefined {
  let value = 0;
  let state: 'before' | 'digits' | 'after' = 'before';
  for (const byte of field) {
    const isBlank = byte === 0x20 || byte === 0;
    if (isBlank) {
      // GNU tar and Python skip blanks before the digits, and stop at the first after them.
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

/**
 * Makes the error for bytes that are no tar, or a tar that was cut or damaged.
 *
 * @param what names the tar: `the tar`.
 * @param offset position in the tar, in bytes.
 * @param problem such as `expected a header, found other bytes`.
 */
export function invalidTar(
  what: string,
  offset: number,
  problem: string,
  hint = 'the file is damaged or incomplete; copy it here again',
): RegiError {
  return new RegiError('INVALID_ARCHIVE', `Cannot read ${what} at byte ${offset}: ${problem}`, {
    hint,
  });
}
