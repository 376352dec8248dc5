import { BLOCK_BYTES, paddingOf, parseHeader, formatOctal, parseNumber } from './header.ts';
import { formatPax, type PaxRecords } from './pax.ts';

export type TarFileType =
  | 'file'
  | 'folder'
  | 'symlink'
  | 'hardlink'
  | 'character'
  | 'block'
  | 'fifo';

/**
 * Everything that a tar says of one file, besides its content. Names, links and records hold one character per byte (latin1), so that
 * none is lost whatever they are encoded in; `nameText` makes text of them.
 */
export interface TarFile {
  readonly type: TarFileType;
  /** As the tar has it. */
  readonly name: string;
  /** What a link names; empty otherwise. */
  readonly link: string;
  /** Bytes of content; 0 for whatever is no file. */
  readonly size: number;
  /** Permissions, with setuid, setgid and sticky: 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  /** Seconds since 1970, with a fraction where the tar has one. */
  readonly mtime: number;
  /** Of a device. */
  readonly major: number;
  readonly minor: number;
  /** What stands in PAX records only: extended attributes (`SCHILY.xattr.…`), times to the nanosecond. */
  readonly records: PaxRecords;
}

/** The fixed fields of a header, extensions not yet applied. */
export interface TarFileHeader extends Omit<TarFile, 'type' | 'records'> {
  readonly typeflag: string;
}

export type TarFileHeaderOutcome =
  | { readonly kind: 'header'; readonly header: TarFileHeader }
  | Exclude<ReturnType<typeof parseHeader>, { readonly kind: 'header' }>;

const TYPEFLAGS = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  folder: '5',
  fifo: '6',
} as const satisfies Record<TarFileType, string>;

/** What 7 octal digits can say. */
const OCTAL_ID = 8 ** 7 - 1;
/** What 11 octal digits can say. */
const OCTAL_SIZE = 8 ** 11 - 1;
const NAME_BYTES = 100;
/** Records that the fields below say again. */
const OWN_RECORDS: ReadonlySet<string> = new Set(['path', 'linkpath', 'size']);

/** A name of a tar as text; bytes that are no UTF-8 are shown as U+FFFD. */
export function nameText(name: string): string {
  return isAscii(name) ? name : Buffer.from(name, 'latin1').toString('utf8');
}

/** A text that somebody typed as a name of a tar. */
export function nameOf(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** Reads one block as the header of a file: ustar, GNU, or the form before both. */
export function parseFileHeader(block: Uint8Array): TarFileHeaderOutcome {
  const outcome = parseHeader(block);
  if (outcome.kind !== 'header') return outcome;
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  const number = (start: number, end: number): number =>
    parseNumber(bytes.subarray(start, end)) ?? 0;
  const magic = bytes.toString('latin1', 257, 263);
  const isUstar = magic === 'ustar\0';
  const hasOwners = magic.startsWith('ustar');
  const [name, prefix] = [text(bytes, 0, 100), isUstar ? text(bytes, 345, 500) : ''];
  return {
    kind: 'header',
    header: {
      typeflag: outcome.header.typeflag,
      name: prefix === '' ? name : `${prefix}/${name}`,
      link: text(bytes, 157, 257),
      size: outcome.header.size,
      mode: number(100, 108) % 0o10000,
      uid: number(108, 116),
      gid: number(116, 124),
      mtime: number(136, 148),
      user: hasOwners ? text(bytes, 265, 297) : '',
      group: hasOwners ? text(bytes, 297, 329) : '',
      major: hasOwners ? number(329, 337) : 0,
      minor: hasOwners ? number(337, 345) : 0,
    },
  };
}

/** The header of a file as ustar, with PAX records before it for whatever has no room there. Always whole blocks. */
export function encodeFileHeader(file: TarFile): Uint8Array {
  const records: Record<string, string> = {};
  for (const [name, value] of file.records) if (!OWN_RECORDS.has(name)) records[name] = value;
  if (file.name.length > NAME_BYTES || !isAscii(file.name)) records['path'] = file.name;
  if (file.link.length > NAME_BYTES || !isAscii(file.link)) records['linkpath'] = file.link;
  if (file.size > OCTAL_SIZE) records['size'] = String(file.size);
  if (file.uid > OCTAL_ID) records['uid'] = String(file.uid);
  if (file.gid > OCTAL_ID) records['gid'] = String(file.gid);
  const own = block(file);
  if (Object.keys(records).length === 0) return own;
  const pax = formatPax(records, 'latin1');
  const before = block(
    {
      ...file,
      type: 'file',
      name: `PaxHeaders/${tail(file.name)}`,
      link: '',
      size: pax.byteLength,
    },
    'x',
  );
  return Buffer.concat([before, pax, new Uint8Array(paddingOf(pax.byteLength)), own]);
}

function block(file: TarFile, typeflag: string = TYPEFLAGS[file.type]): Uint8Array {
  const made = Buffer.alloc(BLOCK_BYTES);
  const mtime = Math.min(Math.max(Math.floor(file.mtime), 0), OCTAL_SIZE);
  const octal = (value: number, width: number): string =>
    formatOctal(value, width) ?? formatOctal(0, width) ?? '';
  made.write(file.name.length > NAME_BYTES ? tail(file.name) : file.name, 0, NAME_BYTES, 'latin1');
  made.write(
    octal(file.mode, 8) +
      octal(file.uid, 8) +
      octal(file.gid, 8) +
      octal(file.size, 12) +
      octal(mtime, 12),
    100,
    'latin1',
  );
  made.write(`        ${typeflag}`, 148, 'latin1');
  made.write(file.link.slice(0, NAME_BYTES), 157, NAME_BYTES, 'latin1');
  made.write('ustar\u000000', 257, 'latin1');
  // The last byte stays NUL.
  made.write(file.user.slice(0, 31), 265, 'latin1');
  made.write(file.group.slice(0, 31), 297, 'latin1');
  made.write(octal(file.major, 8) + octal(file.minor, 8), 329, 'latin1');
  const sum = made.reduce((total, byte) => total + byte, 0);
  made.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return made;
}

/** Something for readers that know no PAX records. */
function tail(name: string): string {
  return name.slice(-80);
}

/** Up to the first NUL. */
function text(bytes: Buffer, start: number, end: number): string {
  const nul = bytes.indexOf(0, start);
  return bytes.toString('latin1', start, nul < 0 || nul > end ? end : nul);
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}
