import { lstat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { assertNever, UsageError } from '../../errors.ts';
import type { ServerOptions } from '../../server/server.ts';
import { LOCAL_STORE, NotInStoreError } from '../../stores/not-found.ts';
import { parseRepositoryLocation } from '../../targets/location.ts';
import { UnsupportedLocationError } from '../../targets/open-store.ts';

/** What a server serves, and what depends on that. */
export type ServedPlace = Pick<ServerOptions, 'place' | 'repositoryFor' | 'spool'> & {
  readonly close?: () => Promise<void>;
};

export interface ServeTarget {
  /** As typed. */
  readonly location: string | undefined;
  readonly memory: boolean;
  readonly readOnly: boolean;
}

/**
 * Opens what `regi serve` was told to serve.
 *
 * @throws {UsageError} when nothing is named, or what cannot be served.
 */
export async function openServedPlace(
  { location, memory, readOnly }: ServeTarget,
  context: Context,
): Promise<ServedPlace> {
  if (memory) {
    if (location !== undefined)
      throw new UsageError('Cannot use "--memory" with a location: expected one of them', {
        hint: 'leave one of them away',
      });
    if (readOnly)
      throw new UsageError('Cannot use "--memory" with "--read-only": it would stay empty', {
        hint: 'leave --read-only away',
      });
    const { createMemoryPlace } = await import('../../stores/memory.ts');
    return { place: createMemoryPlace() };
  }
  return openFolder(
    location === undefined || location === LOCAL
      ? await localFolder(context)
      : await folderOf(location, context),
    readOnly,
    context,
  );
}

const LOCAL = 'local:';

/** Others tidy up the local store, and must know what is being pushed to it. */
async function localFolder({ io }: Context): Promise<Folder> {
  const { localStoreFolder } = await import('../../targets/local-folder.ts');
  return { path: localStoreFolder(io), create: true, isShared: true };
}

async function openFolder(
  { path, create, isShared }: Folder,
  readOnly: boolean,
  { io, signal, note }: Context,
): Promise<ServedPlace> {
  const [{ openLayoutPlace }, { fileSpool }] = await Promise.all([
    import('../../stores/layout/place.ts'),
    import('../../server/spool.ts'),
  ]);
  if (isShared && readOnly && (await kindOf(path)) === 'nothing') {
    throw new NotInStoreError(
      '',
      LOCAL_STORE,
      'to get one, type: regi pull REF; or serve without --read-only, and push to it',
    );
  }
  const isNew =
    !isShared && !readOnly && create && (await kindOf(join(path, 'oci-layout'))) === 'nothing';
  const place = await openLayoutPlace(path, {
    create: create && !readOnly,
    clock: io.clock,
    signal,
    onWait: note,
    isShared,
  });
  if (isNew) note(`made a new image layout in ${JSON.stringify(path)}`);
  // In the folder itself: /tmp may be small, or memory.
  return {
    place,
    repositoryFor: place.repositoryFor,
    spool: fileSpool(place.nextTemp),
    close: place.close,
  };
}

interface Folder {
  readonly path: string;
  /** A bare word may be a typing error, so a layout is made only where `oci:` says that it is to be one. */
  readonly create: boolean;
  readonly isShared: boolean;
}

const PREFIXED = /^(?:oci|archive|docker-archive|oci-archive|dir|local|docker):/;

async function folderOf(text: string, { io }: Context): Promise<Folder> {
  if (!PREFIXED.test(text)) {
    const path = resolve(io.cwd, text);
    const kind = await kindOf(path);
    if (kind === 'file') throw unsupported(text);
    if (kind === 'folder') return { path, create: false, isShared: false };
    throw new UsageError(`Cannot serve ${JSON.stringify(text)}: expected a folder, found nothing`, {
      hint: text.includes(':')
        ? 'type `regi serve oci:DIR`'
        : `type \`regi serve oci:${text}\` to make a new image layout there`,
    });
  }
  const location = parseRepositoryLocation(text);
  switch (location.kind) {
    case 'oci':
      return { path: resolve(io.cwd, location.path), create: true, isShared: false };
    case 'registry':
      throw new UsageError(`Cannot serve ${JSON.stringify(text)}: it is in a registry already`, {
        hint: 'name a layout folder: oci:DIR',
      });
    case 'archive':
    case 'docker-archive':
    case 'oci-archive':
    case 'dir':
      throw unsupported(text);
    case 'local':
      throw new UnsupportedLocationError(
        `Cannot serve ${JSON.stringify(text)}: expected the local store whole`,
        { hint: 'type `regi serve local:`' },
      );
    default:
      return assertNever(location);
  }
}

function unsupported(text: string): UnsupportedLocationError {
  return new UnsupportedLocationError(
    `Cannot serve ${JSON.stringify(basename(text))}: expected a layout folder or archives`,
    {
      hint: 'type `regi serve oci:DIR` for a folder, or `regi serve --memory`',
    },
  );
}

async function kindOf(path: string): Promise<'nothing' | 'folder' | 'file'> {
  try {
    return (await lstat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    // Why it cannot be looked at is told when it is opened.
    return 'nothing';
  }
}
