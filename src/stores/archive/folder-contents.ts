import { join } from 'node:path';

import { openRegular } from '../../disk/regular-file.ts';
import type { RandomAccess } from '../../disk/random-access.ts';
import { algorithmOf, encodedOf, type Digest } from '../../oci/digest.ts';
import type { CallOptions } from '../../store.ts';
import { LayoutFolder } from '../layout/folder.ts';
import type { ArchiveContents, StoredContent } from './contents.ts';

/**
 * Reads an image layout folder as the contents of an archive: a snapshot of this moment. `path` is
 * absolute.
 *
 * @throws as `openLayout`.
 */
export async function readFolderContents(
  path: string,
  { signal }: CallOptions = {},
): Promise<ArchiveContents> {
  const folder = await LayoutFolder.open(path, { signal });
  const stored = new Map<Digest, StoredContent>();
  for await (const { digest, size } of folder.blobs.list({ signal })) {
    const file = fileAt(join(path, 'blobs', algorithmOf(digest), encodedOf(digest)), size);
    stored.set(digest, { file, offset: 0, size });
  }
  const index = await folder.readIndex();
  if (index.image !== undefined) {
    const { digest, size } = index.image;
    stored.set(digest, { file: fileAt(join(path, 'index.json'), size), offset: 0, size });
  }
  return { format: 'oci', index, find: (digest) => stored.get(digest) };
}

/** Opened for each read: a layout has more files than a process may have open. */
function fileAt(path: string, size: number): RandomAccess {
  return {
    size,
    async read(buffer, position) {
      const file = await openRegular(path);
      if (file === undefined) return 0;
      try {
        return await file.read(buffer, position);
      } finally {
        await file.close();
      }
    },
  };
}
