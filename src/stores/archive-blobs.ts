import { isDigest, type Digest } from '../oci/digest.ts';
import { indexTar } from '../tar/index-tar.ts';
import { layoutRoot } from './archive-contents.ts';
import { openArchiveFile, type ArchiveFileOptions } from './archive-file.ts';

/** Every blob that an image layout in a tar carries, whether anything names it or not. None of other kinds of archives. */
export async function* archiveBlobs(path: string, options: ArchiveFileOptions): AsyncIterable<{ readonly digest: Digest; readonly size: number }> {
  const file = await openArchiveFile(path, options);
  try {
    const tar = await indexTar(file, { signal: options.signal, what: `the archive ${JSON.stringify(path)}` });
    const root = layoutRoot(tar);
    if (root === undefined) return;
    for (const [name, { size }] of tar.entries) {
      const [, algorithm, encoded] = name.startsWith(root) ? (/^blobs\/([^/]+)\/([^/]+)$/.exec(name.slice(root.length)) ?? []) : [];
      const digest = `${algorithm}:${encoded}`;
      if (isDigest(digest)) yield { digest, size };
    }
  } finally {
    await file.close();
  }
}
