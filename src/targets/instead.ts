import { resolve } from 'node:path';

import type { Context } from '../context.ts';
import { RegiError, type ErrorCode } from '../errors.ts';
import { familiarReference, type Reference } from '../oci/reference.ts';
import { quote } from '../quote.ts';
import { canListTags, type Store } from '../store.ts';
import { decorate } from '../stores/decorators/decorate.ts';
import { findLocalIfPresent, openLocalImage, type LocalStore } from './local.ts';
import type { OpenedStore } from './opened-store.ts';
import { kindOfPath, TAR_NAME } from './path.ts';

/**
 * Codes with which a registry does not give an image, or cannot be reached. Docker Hub answers 401
 * for repositories that do not exist.
 */
const NOT_GIVEN: ReadonlySet<ErrorCode> = new Set([
  'NOT_FOUND',
  'NOT_AUTHORISED',
  'NETWORK',
  'TIMEOUT',
  'TLS',
  'SERVER_FAILED',
  'RATE_LIMITED',
]);

/** An image of the local store that has the name of an image in a registry. */
export interface LocalImageOfName {
  /**
   * Opens the image in the local store if its registry does not give it, and notes it.
   *
   * @param remote the image in its registry; undefined if the registry is not asked.
   */
  readonly instead: (remote: OpenedStore | undefined) => Promise<OpenedStore | undefined>;
}

/**
 * Looks for an image in the local store. Returns undefined if the store has none, or cannot be
 * read.
 */
export async function localImage(
  reference: Reference,
  openLocal: () => Promise<LocalStore>,
  context: Context,
): Promise<LocalImageOfName | undefined> {
  const { signal, log, note } = context;
  const name = familiarReference(reference);
  let store: LocalStore;
  try {
    store = await openLocal();
    if ((await findLocalIfPresent(store, name, { signal })) === undefined) return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RegiError)) throw error;
    log(`The local store is not used: ${error.message}`);
    return undefined;
  }
  return {
    async instead(remote) {
      const reason = remote === undefined ? undefined : await whyNotGiven(remote, signal);
      if (remote !== undefined && reason === undefined) return undefined;
      note(
        `Using ${quote(name)} from the local store${reason === undefined ? '' : `: ${reason.message}`}`,
      );
      return openLocalImage(store, reference, 'source', context);
    },
  };
}

/** Asks a registry for an image. Returns undefined if it gives the image. */
async function whyNotGiven(
  { store, reference }: OpenedStore,
  signal: AbortSignal,
): Promise<RegiError | undefined> {
  try {
    await store.resolve(reference, { signal });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RegiError && NOT_GIVEN.has(error.code)) return error;
    throw error;
  }
}

/**
 * Adds a hint at a file or folder of this name to the errors of an image that its registry does not
 * give. A bare word never means a path, but the person may have meant one; the name of an archive
 * that is not here nearly always does.
 */
export async function hintingAtPath(
  store: Store,
  { domain, path }: Reference,
  { io }: Context,
): Promise<Store> {
  const word = familiarReference({ domain, path });
  if (domain !== 'docker.io') return store;
  const isThere = (await kindOfPath(resolve(io.cwd, word))) !== 'nothing';
  if (!isThere && !TAR_NAME.test(word)) return store;
  const hint = isThere
    ? `for the path of that name in this folder, write ${quote(`./${word}`)}`
    : `this folder has no file ${quote(word)}: check its path`;
  const hinted = (error: unknown): unknown =>
    error instanceof RegiError && NOT_GIVEN.has(error.code)
      ? new RegiError(error.code, error.message, {
          hint,
          details: error.details,
          cause: error,
        })
      : error;
  const lister = canListTags(store) ? store : undefined;
  return decorate(store, {
    async resolve(...args) {
      try {
        return await store.resolve(...args);
      } catch (error) {
        throw hinted(error);
      }
    },
    async *listTags(...args) {
      try {
        if (lister !== undefined) yield* lister.listTags(...args);
      } catch (error) {
        throw hinted(error);
      }
    },
  });
}
