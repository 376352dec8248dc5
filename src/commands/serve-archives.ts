import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

import type { Context } from '../context.ts';
import { formatBytes, formatCount } from '../format.ts';
import { openArchives, type ArchivePlace } from '../stores/archive.ts';
import { volumeName } from '../stores/archive-volumes.ts';
import { UsageError } from '../usage-error.ts';
import { parseRepositoryLocation } from './location.ts';

const PREFIXED = /^(?:docker-|oci-)?archive:/;
const TAR_NAME = /\.(?:tar|tgz|tzst)(?:\.\w+)?$/;

/**
 * The paths of the archives that words of the command line name: bare paths of files, or `archive:FILE`. Undefined when none of
 * them is one.
 *
 * @throws {UsageError} when some are and others are not.
 */
export async function archivePaths(words: readonly string[], { io }: Context): Promise<readonly string[] | undefined> {
  const paths: string[] = [];
  for (const word of words) {
    if (PREFIXED.test(word)) {
      const location = parseRepositoryLocation(word);
      if ('path' in location) paths.push(location.path === '-' ? '-' : resolve(io.cwd, location.path));
    } else if (await isArchive(resolve(io.cwd, word))) paths.push(resolve(io.cwd, word));
  }
  if (paths.length === 0) return undefined;
  if (paths.length === words.length) return paths;
  throw new UsageError('Cannot serve archives together with other places: expected one kind', {
    hint: 'put the images into one layout: regi copy archive:FILE oci:DIR',
  });
}

/** Opens archives to be served straight from their files. The caller closes them. */
export async function openServedArchives(paths: readonly string[], { io, signal, warn, note }: Context): Promise<ArchivePlace> {
  const archives = await openArchives(paths, { signal, tempFolder: io.env['TMPDIR'] ?? tmpdir(), input: io.stdin.bytes(), onUnpack: note, onNotice: warn });
  const { omitted } = archives;
  if (omitted.length > 0) {
    const bytes = omitted.reduce((sum, { size }) => sum + size, 0);
    warn(
      `${formatCount(omitted.length, 'layer')} (${formatBytes(bytes)}) of these images are in an earlier archive: pulls of them will fail`,
      'serve the earlier archive together with this one: regi serve OLD.tar NEW.tar',
    );
  }
  return archives;
}

async function isArchive(path: string): Promise<boolean> {
  const kind = await kindOf(path);
  if (kind === 'nothing') return TAR_NAME.test(path) || (await kindOf(volumeName(path, 1))) === 'file';
  return kind === 'file';
}

async function kindOf(path: string): Promise<'nothing' | 'folder' | 'file'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    // Why it cannot be looked at is told when it is opened.
    return 'nothing';
  }
}
