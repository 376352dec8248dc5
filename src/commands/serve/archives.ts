import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { formatBytes, formatCount } from '../../format.ts';
import { openArchives, type ArchivePlace } from '../../stores/archive/archive.ts';
import { volumeName } from '../../stores/archive/volumes.ts';
import { UsageError } from '../../errors.ts';
import { parseRepositoryLocation } from '../../targets/location.ts';

const PREFIXED = /^(?:docker-|oci-)?archive:/;
const TAR_NAME = /\.(?:tar|tgz|tzst)(?:\.\w+)?$/;

/**
 * The paths of what words of the command line name to be served as one and read only: bare paths, `archive:FILE`, `oci:DIR`. Undefined for
 * a single folder, which can be written to.
 *
 * @throws {UsageError} when one of several is neither archive nor folder.
 */
export async function archivePaths(
  words: readonly string[],
  { io }: Context,
): Promise<readonly string[] | undefined> {
  const [first = '', ...others] = words;
  if (others.length > 0) return Promise.all(words.map((word) => pathOf(word, io.cwd)));
  if (PREFIXED.test(first)) return [await pathOf(first, io.cwd)];
  return first !== '' && (await isArchive(resolve(io.cwd, first)))
    ? [resolve(io.cwd, first)]
    : undefined;
}

async function pathOf(word: string, cwd: string): Promise<string> {
  const path = resolve(cwd, word);
  if (!/^\w[\w-]+:/.test(word)) {
    if ((await kindOf(path)) === 'folder' || (await isArchive(path))) return path;
    throw new UsageError(
      `Cannot serve ${JSON.stringify(word)}: expected an archive or a layout folder, found nothing`,
      { hint: 'check the path' },
    );
  }
  const location = word === 'local:' ? undefined : parseRepositoryLocation(word);
  if (location !== undefined && 'path' in location && location.kind !== 'dir')
    return location.path === '-' ? '-' : resolve(cwd, location.path);
  throw new UsageError(
    `Cannot serve ${JSON.stringify(word)} together with other places: expected archives and layout folders`,
    {
      hint: 'serve it alone, on a port of its own: --listen 127.0.0.1:5001',
    },
  );
}

/** Opens archives, and folders beside them, to be served straight from their files. The caller closes them. */
export async function openServedArchives(
  paths: readonly string[],
  { io, signal, warn, note }: Context,
): Promise<ArchivePlace> {
  const archives = await openArchives(paths, {
    signal,
    tempFolder: io.env['TMPDIR'] ?? tmpdir(),
    input: io.stdin.bytes(),
    onUnpack: note,
    onNotice: warn,
  });
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
  if (kind === 'nothing')
    return TAR_NAME.test(path) || (await kindOf(volumeName(path, 1))) === 'file';
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
