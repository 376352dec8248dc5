import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import { RegiError } from '../errors.ts';
import type { Io } from '../io.ts';
import { familiarReference, type Reference } from '../oci/reference.ts';
import { quote } from '../quote.ts';
import { isBarePath, parseLocation, type Location } from './location.ts';

/** Matches names of archives: it decides for a path at which nothing exists yet. */
export const TAR_NAME = /\.(?:tar|tgz|tzst)(?:\.\w+)?$/;

/** Returns the kind of file at a path. An unreadable path is `nothing`: opening it reports the reason. */
export async function kindOfPath(path: string): Promise<'nothing' | 'folder' | 'file'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    return 'nothing';
  }
}

/** Parses a location that is read: a path needs no prefix, because the disk tells an archive from a layout. */
export async function parseSourceLocation(
  text: string,
  { cwd }: Pick<Io, 'cwd'>,
): Promise<Location> {
  if (!isBarePath(text)) return parseLocation(text);
  const kind = await kindOfPath(resolve(cwd, text));
  const isArchive = kind === 'file' || (kind === 'nothing' && TAR_NAME.test(text));
  return parseLocation(`${isArchive ? 'archive' : 'oci'}:${text}`);
}

/**
 * Refuses `images.tar` as a reference when a file of that name exists. Docker Hub would be asked for it
 * otherwise, and machines that need archives cannot reach Docker Hub. With a tag it is a repository.
 *
 * @throws {RegiError} INVALID_REFERENCE.
 */
export async function refuseFileName(
  { domain, path, tag, digest }: Reference,
  { cwd }: Pick<Io, 'cwd'>,
): Promise<void> {
  if (domain !== 'docker.io' || tag !== undefined || digest !== undefined || !TAR_NAME.test(path))
    return;
  const typed = familiarReference({ domain, path });
  if ((await kindOfPath(resolve(cwd, typed))) === 'file')
    throw new RegiError(
      'INVALID_REFERENCE',
      `Cannot use ${quote(typed)} as an image in a registry: it is a file in this folder`,
      { hint: `write ${quote(`archive:${typed}`)} for the file` },
    );
}
