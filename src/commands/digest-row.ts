import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { Context } from '../context.ts';
import type { CopiedImage } from '../operations/copy-image.ts';

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
  readonly outcome: CopiedImage['outcome'];
}

export function digestRow({ image, root, outcome }: CopiedImage, name: string): DigestRow {
  return { name, image, digest: root.digest, mediaType: root.mediaType, size: root.size, outcome };
}

/** Writes the lines of standard output to `--digestfile` as well. */
export async function writeDigestFile(path: string | undefined, rows: readonly DigestRow[], { io, signal }: Context): Promise<void> {
  if (path === undefined) return;
  await writeFile(resolve(io.cwd, path), rows.map(({ name, digest }) => `${name}@${digest}\n`).join(''), { signal });
}
