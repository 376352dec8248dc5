import { resolve } from 'node:path';

import { assertNever, RegiError, UsageError } from '../../errors.ts';
import type { Io } from '../../io.ts';
import { quote } from '../../quote.ts';
import { holdsImages, parseRepositoryLocation } from '../../targets/location.ts';
import { archivesIn, isArchivePath, kindOfPath } from '../../targets/path.ts';
import type { PlaceToServe } from '../../targets/served-place.ts';

/**
 * Parses the words and flags that name the place to serve: nothing or `local:` for the local store,
 * a layout folder, one archive, or several archives and folders.
 *
 * @throws {UsageError} for a place that cannot be served.
 */
export async function parseServedPlace(
  words: readonly string[],
  { memory, readOnly }: { readonly memory: boolean; readonly readOnly: boolean },
  { cwd }: Pick<Io, 'cwd'>,
): Promise<PlaceToServe> {
  const [first, ...others] = words;
  if (memory) {
    if (first !== undefined)
      throw new UsageError('Cannot use "--memory" with a location: expected one of them', {
        hint: 'drop one of them',
      });
    if (readOnly)
      throw new UsageError(
        'Cannot use "--memory" with "--read-only": an in-memory registry starts empty and could never be filled',
        { hint: 'drop --read-only' },
      );
    return { kind: 'memory' };
  }
  if (first === undefined) return { kind: 'local' };
  if (others.length === 0) return parseOnlyPlace(first, cwd);
  return { kind: 'archives', paths: await Promise.all(words.map((word) => pathOf(word, cwd))) };
}

const PREFIXED = /^(?:oci|archive|docker-archive|oci-archive|dir|local|docker):/;

async function parseOnlyPlace(text: string, cwd: string): Promise<PlaceToServe> {
  if (text === 'local:') return { kind: 'local' };
  if (!PREFIXED.test(text)) {
    const path = resolve(cwd, text);
    // A bare word may be a typing error, so only `oci:` creates a layout.
    if ((await kindOfPath(path)) === 'folder') {
      const archives = await archivesIn(path);
      return archives === undefined
        ? { kind: 'layout', path, create: false }
        : { kind: 'archives', paths: archives };
    }
    if (await isArchivePath(path)) return { kind: 'archives', paths: [path] };
    throw new UsageError(`Cannot serve ${quote(text)}: expected a folder, found nothing`, {
      hint: text.includes(':')
        ? 'type `regi serve oci:DIR`'
        : `type \`regi serve oci:${text}\` to create a new image layout there`,
    });
  }
  const location = parseRepositoryLocation(text);
  switch (location.kind) {
    case 'oci':
      return { kind: 'layout', path: resolve(cwd, location.path), create: true };
    case 'archive':
    case 'docker-archive':
    case 'oci-archive':
      return { kind: 'archives', paths: [pathFrom(location.path, cwd)] };
    case 'registry':
      throw new UsageError(`Cannot serve ${quote(text)}: it is already in a registry`, {
        hint: 'name a layout folder: oci:DIR',
      });
    case 'dir':
      throw new RegiError(
        'UNSUPPORTED',
        `Cannot serve ${quote(text)}: expected a layout folder or archives`,
        { hint: 'type `regi serve oci:DIR` for a folder, or `regi serve --memory`' },
      );
    case 'local':
      throw new RegiError(
        'UNSUPPORTED',
        `Cannot serve ${quote(text)}: expected the whole local store`,
        { hint: 'type `regi serve local:`' },
      );
    default:
      return assertNever(location);
  }
}

/** Returns the path of one of several places. */
async function pathOf(word: string, cwd: string): Promise<string> {
  const path = resolve(cwd, word);
  if (!/^\w[\w-]+:/.test(word)) {
    if ((await kindOfPath(path)) === 'folder' || (await isArchivePath(path))) return path;
    throw new UsageError(
      `Cannot serve ${quote(word)}: expected an archive or a layout folder, found nothing`,
      { hint: 'check the path' },
    );
  }
  const location = word === 'local:' ? undefined : parseRepositoryLocation(word);
  if (location !== undefined && holdsImages(location)) return pathFrom(location.path, cwd);
  throw new UsageError(
    `Cannot serve ${quote(word)} together with other places: expected archives and layout folders`,
    { hint: 'serve it alone, on a port of its own: --listen 127.0.0.1:5001' },
  );
}

function pathFrom(path: string, cwd: string): string {
  return path === '-' ? path : resolve(cwd, path);
}
