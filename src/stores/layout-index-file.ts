import { join } from 'node:path';

import { LIMITS } from '../limits.ts';
import { InvalidManifestError } from '../oci/descriptor.ts';
import { parseLayoutIndex, type LayoutIndex } from './layout-index.ts';
import { readRegular } from './regular-file.ts';

/**
 * Reads the index.json of the layout folder `root`; undefined when there is none.
 *
 * @throws {InvalidManifestError} when it is no index: names are lost then, and what to do is not what is to be done for one damaged image.
 */
export async function readIndexFile(root: string): Promise<LayoutIndex | undefined> {
  const path = join(root, 'index.json');
  const bytes = await readRegular(path, LIMITS.manifestBytes);
  if (bytes === undefined) return undefined;
  try {
    return parseLayoutIndex(bytes, JSON.stringify(path));
  } catch (error) {
    if (!(error instanceof InvalidManifestError)) throw error;
    throw new InvalidManifestError(error.message, {
      hint: 'put a copy of the file back; or remove it, and copy or pull the images there again: what is there whole is not fetched twice',
      cause: error,
    });
  }
}
