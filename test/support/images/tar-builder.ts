import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { RandomAccess } from '../../../src/disk/random-access.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** A member of a tar, valid or not. */
export interface TarMember {
  readonly name: string;
  readonly content?: string | Uint8Array | undefined;
  /** One character; `0` when absent. */
  readonly typeflag?: string | undefined;
  readonly link?: string | undefined;
  /** The size in the header; the size of the content when absent. */
  readonly size?: number | undefined;
  /** The raw 12 bytes of the size field instead. */
  readonly sizeField?: Uint8Array | undefined;
  /** `ustar` when absent. */
  readonly magic?: 'ustar' | 'gnu' | 'v7' | undefined;
  readonly prefix?: string | undefined;
  /** 0644 when absent. */
  readonly mode?: number | undefined;
  /** Seconds since 1970; 0 when absent. */
  readonly mtime?: number | undefined;
}

/** Builds a tar. `end`: blocks of zeros at its end, 2 when absent. */
export function buildTar(members: readonly TarMember[], end = 2): Uint8Array {
  return Buffer.concat([
    ...members.flatMap((member) => [header(member), padded(Buffer.from(member.content ?? ''))]),
    Buffer.alloc(end * 512),
  ]);
}

/** Extension records before a member. */
export function pax(
  records: Readonly<Record<string, string>>,
  typeflag: 'x' | 'g' = 'x',
): TarMember {
  const content = Object.entries(records).map(([name, value]) => {
    const rest = ` ${name}=${value}\n`;
    let length = Buffer.byteLength(rest);
    while (Buffer.byteLength(`${length}${rest}`) !== length)
      length = Buffer.byteLength(`${length}${rest}`);
    return `${length}${rest}`;
  });
  return { name: 'PaxHeader', typeflag, content: content.join('') };
}

/** A tar on disk. */
export function writeTar(members: readonly TarMember[] | Uint8Array, name = 'images.tar'): string {
  const path = join(temporaryFolder('archive'), name);
  writeFileSync(path, members instanceof Uint8Array ? members : buildTar(members));
  return path;
}

/** A file in memory that can be read at any offset; `reads` are the requested sizes. */
export function inMemory(bytes: Uint8Array): RandomAccess & { readonly reads: readonly number[] } {
  const reads: number[] = [];
  return {
    size: bytes.byteLength,
    reads,
    async read(buffer, position) {
      reads.push(buffer.byteLength);
      const piece = bytes.subarray(position, position + buffer.byteLength);
      buffer.set(piece);
      return piece.byteLength;
    },
  };
}

function header({
  name,
  content = '',
  typeflag = '0',
  link = '',
  size,
  sizeField,
  magic = 'ustar',
  prefix = '',
  mode = 0o644,
  mtime = 0,
}: TarMember): Buffer {
  const made = Buffer.alloc(512);
  made.write(name, 0, 100);
  made.write(`${mode.toString(8).padStart(7, '0')}\0${'0000000\0'.repeat(2)}`, 100);
  made.write(
    `${(size ?? Buffer.byteLength(content)).toString(8).padStart(11, '0')}\0${mtime.toString(8).padStart(11, '0')}\0`,
    124,
  );
  if (sizeField !== undefined) made.set(sizeField, 124);
  made.write(`        ${typeflag}`, 148);
  made.write(link, 157, 100);
  if (magic === 'ustar') made.write('ustar\u000000', 257);
  if (magic === 'gnu') made.write('ustar  \0', 257);
  made.write(prefix, 345, 155);
  const sum = made.reduce((total, byte) => total + byte, 0);
  made.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return made;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.byteLength % 512)) % 512)]);
}
