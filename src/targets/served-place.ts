import { join } from 'node:path';

import type { Context } from '../context.ts';
import { formatBytes, formatCount } from '../format.ts';
import { quote } from '../quote.ts';
import type { ServerOptions } from '../server/server.ts';
import { fileSpool } from '../server/spool.ts';
import { openArchives } from '../stores/archive/archive.ts';
import { openLayoutPlace } from '../stores/layout/place.ts';
import { createMemoryPlace } from '../stores/memory.ts';
import { LOCAL_STORE, NotInStoreError } from '../stores/not-found.ts';
import { unpackingIn } from './image-source.ts';
import { localStoreFolder } from './local.ts';
import { kindOfPath } from './path.ts';

/** The images that a server serves. Paths are absolute. */
export type PlaceToServe =
  | { readonly kind: 'memory' }
  | { readonly kind: 'local' }
  /** With `create`, a missing layout is made. */
  | { readonly kind: 'layout'; readonly path: string; readonly create: boolean }
  /** Archives and layout folders as one read-only place; `-` is standard input. */
  | { readonly kind: 'archives'; readonly paths: readonly string[] };

/** An open place, with the parts of a server that depend on it. The caller closes it. */
export type ServedPlace = Pick<ServerOptions, 'place' | 'repositoryFor' | 'spool'> & {
  readonly close?: () => Promise<void>;
};

/**
 * @throws {RegiError} NOT_FOUND for a missing layout, and for a missing local store that is read
 *   only.
 */
export async function openServedPlace(
  served: PlaceToServe,
  readOnly: boolean,
  context: Context,
): Promise<ServedPlace> {
  if (served.kind === 'memory') return { place: createMemoryPlace() };
  if (served.kind === 'archives') return openServedArchives(served.paths, context);
  const { io, signal, note } = context;
  const isLocal = served.kind === 'local';
  const { path, create } =
    served.kind === 'local' ? { path: localStoreFolder(io), create: true } : served;
  const isMissing = (await kindOfPath(isLocal ? path : join(path, 'oci-layout'))) === 'nothing';
  if (isLocal && readOnly && isMissing)
    throw new NotInStoreError(
      '',
      LOCAL_STORE,
      'to pull one, type: regi pull REF; or serve without --read-only, and push to it',
    );
  const place = await openLayoutPlace(path, {
    create: create && !readOnly,
    clock: io.clock,
    signal,
    onWait: note,
    // Other processes prune the local store, and must know what is being pushed to it.
    isShared: isLocal,
  });
  if (!isLocal && create && !readOnly && isMissing)
    note(`created a new image layout in ${quote(path)}`);
  return {
    place,
    repositoryFor: place.repositoryFor,
    // In the layout itself: /tmp may be small, or in memory.
    spool: fileSpool(place.nextTemp),
    close: place.close,
  };
}

async function openServedArchives(
  paths: readonly string[],
  context: Context,
): Promise<ServedPlace> {
  const { io, signal, warn, note } = context;
  const place = await openArchives(paths, {
    signal,
    ...unpackingIn(context),
    input: io.stdin.bytes(),
    onUnpack: note,
    onNotice: warn,
  });
  const { omitted } = place;
  if (omitted.length > 0) {
    const bytes = omitted.reduce((sum, { size }) => sum + size, 0);
    warn(
      `${formatCount(omitted.length, 'layer')} (${formatBytes(bytes)}) of these images are in an earlier archive: pulls of them will fail`,
      'serve the earlier archive together with this one: regi serve OLD.tar NEW.tar',
    );
  }
  return {
    place,
    repositoryFor: (name, namespace) => place.repositoryFor(name, namespace),
    close: () => place.close(),
  };
}
