import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { RegiError, UsageError } from '../errors.ts';
import type { Io } from '../io.ts';
import { quote } from '../quote.ts';
import { volumeName } from '../stores/archive/volumes.ts';
import {
  isBarePath,
  parseLocation,
  parseRepositoryLocation,
  splitPath,
  type Location,
} from './location.ts';

/** Matches names of archives: it decides for a path at which nothing exists yet. */
export const TAR_NAME = /\.(?:tar|tgz|tzst)(?:\.\w+)?$/;

/** Matches the names that make a word an archive if such a file exists. */
const ARCHIVE_NAME = /\.(?:tar|tar\.gz|tgz|tar\.(?:zst|xz|bz2))$/;

/** Matches such a name before that of an image: `images.tar:team/app:1`. */
const NAME_BEFORE_IMAGE = /^(?<file>.+?\.(?:tar|tar\.gz|tgz|tar\.(?:zst|xz|bz2)))[:@]./;

type Folder = Pick<Io, 'cwd'>;

/**
 * Returns the kind of file at a path. An unreadable path is `nothing`: opening it reports the
 * reason.
 */
export async function kindOfPath(path: string): Promise<'nothing' | 'folder' | 'file'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    return 'nothing';
  }
}

/**
 * Parses a location that is read or changed. One rule decides between paths and references in every
 * command: `./`, `../` and `/` begin a path, and an existing file named like an archive is one.
 * Every other word is a reference, so that a folder `debian` does not change the meaning of `regi
 * pull debian`.
 *
 * @throws {RegiError} like `parseLocation`.
 */
export async function parseSourceLocation(text: string, folder: Folder): Promise<Location> {
  const prefixed = await withPrefix(text, folder);
  try {
    return parseLocation(prefixed);
  } catch (error) {
    const file = NAME_BEFORE_IMAGE.exec(prefixed)?.groups?.['file'];
    const isInArchive = file !== undefined && (await isArchiveFile(resolve(folder.cwd, file)));
    if (!isInArchive || !(error instanceof RegiError) || prefixed.startsWith('archive:'))
      throw error;
    throw new RegiError(error.code, error.message, {
      hint: `for an image of the archive, write ${quote(`./${text}`)}`,
      cause: error,
    });
  }
}

/** Like `parseSourceLocation`, for a location without tag, name and digest. */
export async function parseSourceRepository(text: string, folder: Folder): Promise<Location> {
  return parseRepositoryLocation(await withPrefix(text, folder));
}

/**
 * Parses a location that is written, by the rule of `parseSourceLocation`.
 *
 * @throws {UsageError} for the name of a new archive without a prefix, which would be a repository
 *   of Docker Hub.
 */
export async function parseDestinationLocation(text: string, folder: Folder): Promise<Location> {
  const location = await parseSourceLocation(text, folder);
  if (location.kind === 'registry' && location.isExplicit !== true) {
    const { domain, tag, digest } = location.reference;
    if (domain === 'docker.io' && (tag ?? digest) === undefined && TAR_NAME.test(text))
      throw new UsageError(
        `Cannot write to ${quote(text)}: it could be a new file or a repository of Docker Hub`,
        { hint: `write ${quote(`./${text}`)} for a file, or ${quote(`docker://${text}`)}` },
      );
  }
  return location;
}

/** Returns the text with the prefix of its kind if it means a path, else unchanged. */
async function withPrefix(text: string, { cwd }: Folder): Promise<string> {
  // No shell expands "~" inside of quotes; the parser says so.
  if (text.startsWith('~')) return text;
  if (isBarePath(text)) return `${await prefixOfPath(resolve(cwd, splitPath(text).path))}:${text}`;
  const isArchive = ARCHIVE_NAME.test(text) && (await isArchiveFile(resolve(cwd, text)));
  return isArchive ? `archive:${text}` : text;
}

async function prefixOfPath(path: string): Promise<'archive' | 'dir' | 'oci'> {
  const kind = await kindOfPath(path);
  if (kind === 'nothing')
    return TAR_NAME.test(path) || (await isArchiveFile(path)) ? 'archive' : 'oci';
  if (kind === 'file') return 'archive';
  const has = async (name: string): Promise<boolean> =>
    (await kindOfPath(join(path, name))) === 'file';
  // skopeo's dir: has a manifest and a version, and no layout.
  return !(await has('oci-layout')) && (await has('manifest.json')) && (await has('version'))
    ? 'dir'
    : 'oci';
}

/** True for a file, and for the first of several volumes. */
async function isArchiveFile(path: string): Promise<boolean> {
  return (await kindOfPath(path)) === 'file' || (await kindOfPath(volumeName(path, 1))) === 'file';
}

/** The first of several volumes, whose other files belong to it. */
const FIRST_VOLUME = /\.001$/;

/**
 * Lists the archives of a folder by name, several volumes once. Returns undefined for a layout, and
 * for a folder without archives.
 */
export async function archivesIn(folder: string): Promise<readonly string[] | undefined> {
  if ((await kindOfPath(join(folder, 'oci-layout'))) === 'file') return undefined;
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name.replace(FIRST_VOLUME, ''))
    .filter((name) => ARCHIVE_NAME.test(name));
  const paths = [...new Set(names)].toSorted().map((name) => join(folder, name));
  return paths.length === 0 ? undefined : paths;
}

/**
 * True for a file, for the first of several volumes, and for a missing path that is named like an
 * archive.
 */
export async function isArchivePath(path: string): Promise<boolean> {
  const kind = await kindOfPath(path);
  return kind === 'nothing' ? TAR_NAME.test(path) || (await isArchiveFile(path)) : kind === 'file';
}
