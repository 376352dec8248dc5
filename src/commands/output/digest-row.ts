import { appendFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import type { CopiedImage } from '../../operations/copy/copy-image.ts';
import { guarded } from '../../disk/errno.ts';

/** What a moving command answers for each image: where it is now, pinned. */
export interface DigestRow {
  /** Without tag: `registry.example/team/app`, `oci:./dir`. */
  readonly name: string;
  /** With the tag it was given. */
  readonly image: string;
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** `kept`: nothing was copied, and the other members are of what is there. */
  readonly outcome: CopiedImage['outcome'];
}

export function digestRow({ image, root, outcome }: CopiedImage, name: string): DigestRow {
  return { name, image, digest: root.digest, mediaType: root.mediaType, size: root.size, outcome };
}

/** The line of an image that is there now; none of one that was not copied because another has its name. */
export function digestText({ name, digest, outcome }: DigestRow): string {
  return outcome === 'kept' ? '' : `${name}@${digest}\n`;
}

/**
 * Empties `--digestfile`, so that it never holds lines of an earlier run, and gives what adds a row to it. Without a path nothing
 * is written.
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
