import { appendFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { guarded } from '../../disk/errno.ts';
import type { CopiedImage } from '../../operations/copy/copy-image.ts';
import type { Styled } from '../../styled.ts';
import type { PlannedChanges } from '../../targets/planned-changes.ts';

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
  readonly outcome: CopiedImage['outcome'] | 'would-copy';
  /** With `--dry-run`: blobs that no image before this one needs. */
  readonly changes?: PlannedChanges | undefined;
}

export function digestRow(
  { image, root, outcome }: Omit<CopiedImage, 'leftOut'>,
  name: string,
): DigestRow {
  return { name, image, digest: root.digest, mediaType: root.mediaType, size: root.size, outcome };
}

/** A dry run copies nothing: its rows say what would be copied. */
export function plannedRow(row: DigestRow, changes: PlannedChanges | undefined): DigestRow {
  if (changes === undefined) return row;
  return { ...row, outcome: row.outcome === 'copied' ? 'would-copy' : row.outcome, changes };
}

const PATH = /^(?:oci|dir|(?:docker-|oci-)?archive):/;

/** Text in place of rows, for a terminal. */
export interface TableText {
  readonly table: Styled;
}

/** Formats a row as `digestText()`, or a table as it is. */
export function digestOrTable(row: DigestRow | TableText): Styled {
  return 'table' in row ? row.table : digestText(row);
}

/**
 * Formats a row: `registry/repository:tag@digest`, so that many lines can be told apart, and each
 * can be pulled. Empty for an image that was not copied because another one has its name.
 */
export function digestText({ name, image, digest, outcome }: DigestRow): string {
  if (outcome === 'kept') return '';
  // An image without a tag has its digest in its name already.
  const shown = PATH.test(name) || image.includes('@') ? name : image;
  return `${shown}@${digest}\n`;
}

/**
 * Empties `--digestfile`, so that it never holds lines of an earlier run, and returns a function
 * that appends a row. Without a path nothing is written.
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
