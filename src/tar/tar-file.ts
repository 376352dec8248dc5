import type { PaxRecords } from './pax.ts';

export type TarFileType =
  | 'file'
  | 'folder'
  | 'symlink'
  | 'hardlink'
  | 'character'
  | 'block'
  | 'fifo';

/**
 * Everything that a tar says of one file, besides its content. Names, links and records hold one
 * character per byte (latin1), so that none is lost in any encoding; `nameText` makes text of them.
 */
export interface TarFile {
  readonly type: TarFileType;
  /** The name as the tar has it. */
  readonly name: string;
  /** The target of a link; empty otherwise. */
  readonly link: string;
  /** Bytes of content; 0 unless it is a file. */
  readonly size: number;
  /** Permissions, with setuid, setgid and sticky: 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  /** Seconds since 1970, with a fraction where the tar has one. */
  readonly mtime: number;
  /** The numbers of a device. */
  readonly major: number;
  readonly minor: number;
  /** Its PAX records: extended attributes (`SCHILY.xattr.…`), times to the nanosecond. */
  readonly records: PaxRecords;
}

/** The fields of a file about which nothing else is known. */
export const UNDESCRIBED = {
  link: '',
  uid: 0,
  gid: 0,
  user: '',
  group: '',
  mtime: 0,
  major: 0,
  minor: 0,
  records: new Map(),
} as const;

/** Makes text of a name in a tar; bytes that are no UTF-8 become U+FFFD. */
export function nameText(name: string): string {
  return isAscii(name) ? name : Buffer.from(name, 'latin1').toString('utf8');
}

/** Makes the name in a tar of a text. */
export function nameOf(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

export function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}
