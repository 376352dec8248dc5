import { appendFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { guarded } from '../../disk/errno.ts';
import type { CopiedImage } from '../../operations/copy/copy-image.ts';

/** A row of a command that copies images: the destination with its digest. */
export interface DigestRow {
  /** Without tag: `registry.example/team/app`, `oci:./dir`. */
  readonly name: string;
  /** With the tag that it got. */
  readonly image: string;
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** With `kept`, nothing was copied, and the other members describe the existing image. */
  readonly outcome: CopiedImage['outcome'];
}

export function digestRow(
  { image, root, outcome }: Omit<CopiedImage, 'leftOut'>,
  name: string,
): DigestRow {
  return { name, image, digest: root.digest, mediaType: root.mediaType, size: root.size, outcome };
}

/** Formats a row; empty for an image that was not copied because another one has its name. */
export function digestText({ name, digest, outcome }: DigestRow): string {
  return outcome === 'kept' ? '' : `${name}@${digest}\n`;
}

/**
 * Empties `--digestfile`, so that it never holds lines of an earlier run, and returns a function that appends a
 * row. Without a path nothing is written.
 *
 * @throws {StorageError} before anything is copied when the file cannot be written.
 */
export async function openDigestFile(
  path: string | undefined,
  { io }: Context,
): Promise<(row: DigestRow) => Promise<void>> {
  if (path === undefined) return async () => undefined;
  const file = resolve(io.cwd, path);
  await guarded('write', file, writeFile(file, ''));
  return (row) => guarded('write', file, appendFile(file, digestText(row)));
}
