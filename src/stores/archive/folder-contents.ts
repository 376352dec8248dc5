import { join } from 'node:path';

import { algorithmOf, encodedOf, type Digest } from '../../oci/digest.ts';
import type { CallOptions } from '../../store.ts';
import type { RandomAccess } from '../../tar/index-tar.ts';
import type { ArchiveContents, StoredContent } from './contents.ts';
import { OciLayout } from '../layout/oci-layout.ts';
import { fill, openRegular } from '../../disk/regular-file.ts';

/**
 * Reads an image layout folder as the contents of an archive: as it is at this moment. What is written to it later is not seen, and what is
 * removed is missing. `path` is absolute.
 *
 * @throws as `openLayout`.
 */
export async function readFolderContents(
  path: string,
  { signal }: CallOptions = {},
): Promise<ArchiveContents> {
  const layout = new OciLayout(path, { create: false, signal });
  await layout.open();
  const stored = new Map<Digest, StoredContent>();
  for await (const { digest, size } of layout.blobs({ signal })) {
    stored.set(digest, {
      kind: 'stored',
      file: fileAt(join(path, 'blobs', algorithmOf(digest), encodedOf(digest)), size),
      offset: 0,
      size,
    });
  }
  return { format: 'oci', index: await layout.readIndex(), find: (digest) => stored.get(digest) };
}

/** Opened for each read: a layout has more files than a process may have open. */
function fileAt(path: string, size: number): RandomAccess {
  return {
    size,
    async read(buffer, position) {
      const file = await openRegular(path);
      if (file === undefined) return 0;
      try {
        return await fill(file, path, buffer, position);
      } finally {
        await file.close();
      }
    },
  };
}
