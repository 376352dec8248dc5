import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import { RegiError } from '../errors.ts';
import type { Io } from '../io.ts';
import { quote } from '../quote.ts';
import { familiarReference, type Reference } from '../oci/reference.ts';

/** A file that was named as if it were an image. */
class FileNotImageError extends RegiError {
  /** As typed. */
  readonly path: string;

  constructor(path: string) {
    super(
      'INVALID_REFERENCE',
      `Cannot take ${quote(path)} for an image in a registry: it is a file here`,
      {
        hint: `write ${quote(`archive:${path}`)} for the file`,
      },
    );
    this.path = path;
  }
}

const TAR_NAME = /\.(?:tar|tgz|tzst)(?:\.\w+)?$/;

/**
 * Refuses `images.tar` where a reference is meant and a file of that name is at hand: it would be looked for on Docker Hub, and where
 * archives are needed most there is none. A tag behind it says that it is a repository after all.
 *
 * @throws {FileNotImageError}
 */
export async function refuseFileName(
  { domain, path, tag, digest }: Reference,
  { cwd }: Pick<Io, 'cwd'>,
): Promise<void> {
  if (domain !== 'docker.io' || tag !== undefined || digest !== undefined || !TAR_NAME.test(path))
    return;
  const typed = familiarReference({ domain, path });
  if (await isFile(resolve(cwd, typed))) throw new FileNotImageError(typed);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    // What cannot be looked at is no file that anybody meant.
    return false;
  }
}
