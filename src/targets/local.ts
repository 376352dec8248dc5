import { isAbsolute, join, resolve } from 'node:path';

import type { Context } from '../context.ts';
import { RegiError } from '../errors.ts';
import type { Io } from '../io.ts';
import {
  formatReference,
  identifierOf,
  parseReference,
  referenceIn,
  repositoryName,
  withDefaultTag,
  type Reference,
} from '../oci/reference.ts';
import { summarizeImage } from '../operations/inspect/summarize-image.ts';
import type { CallOptions } from '../store.ts';
import type { LocalImage, LocalStore } from '../stores/layout/local-store.ts';
import { describeNames, LOCAL_STORE, NotInStoreError } from '../stores/not-found.ts';
import type { OpenedStore } from './opened-store.ts';

export { describeNames, type LocalImage, type LocalStore };

/**
 * Returns the folder of the local store, absolute: `REGI_DATA`, else the system's folder for
 * program data.
 *
 * @see https://specifications.freedesktop.org/basedir-spec/0.8/
 */
export function localStoreFolder(io: Pick<Io, 'env' | 'home' | 'cwd' | 'host'>): string {
  const given = io.env['REGI_DATA'] ?? '';
  return given === '' ? systemFolder(io, 'data') : resolve(io.cwd, given);
}

/**
 * Returns the folder of the journal, absolute: `$XDG_STATE_HOME/regi`, or where the system keeps
 * program state.
 */
export function stateFolder(io: Pick<Io, 'env' | 'home' | 'host'>): string {
  return systemFolder(io, 'state');
}

const XDG = {
  data: ['XDG_DATA_HOME', 'share'],
  state: ['XDG_STATE_HOME', 'state'],
} as const;

function systemFolder(
  { env, home, host }: Pick<Io, 'env' | 'home' | 'host'>,
  use: keyof typeof XDG,
): string {
  // The specification says to ignore a relative path in these variables.
  const from = (name: string, fallback: string): string => {
    const path = env[name];
    return path !== undefined && isAbsolute(path) ? path : fallback;
  };
  const inside = use === 'data' ? [] : [use];
  switch (host.os) {
    case 'darwin':
      return join(home, 'Library', 'Application Support', 'regi', ...inside);
    case 'windows':
      return join(from('LOCALAPPDATA', join(home, 'AppData', 'Local')), 'regi', ...inside);
    default: {
      const [variable, folder] = XDG[use];
      return join(from(variable, join(home, '.local', folder)), 'regi');
    }
  }
}

/**
 * Matches image ids. Fewer than 12 digits could be the name of a repository, or the start of two
 * ids.
 */
const IMAGE_ID = /^(?:sha256:)?([0-9a-f]{12,64})$/;

/** The images of the local store that a word of the command line means, and how it names them. */
export interface LocalMatch {
  readonly by: 'name' | 'digest' | 'id';
  /** At least one. */
  readonly images: readonly [LocalImage, ...LocalImage[]];
}

/**
 * Finds images of the local store as docker does: first by name, then by an image id of 12 or more
 * digits.
 *
 * @throws {RegiError} NOT_FOUND when there is none.
 * @throws {InvalidReferenceError} when the text is neither a name nor an id.
 */
export async function findLocal(
  store: LocalStore,
  text: string,
  options: CallOptions = {},
): Promise<LocalMatch> {
  const found = await findLocalIfPresent(store, text, options);
  if (found !== undefined) return found;
  throw new NotInStoreError(text, LOCAL_STORE, 'type: regi images, to list the local store');
}

/** Like `findLocal`, but returns undefined when there is none. */
export async function findLocalIfPresent(
  store: LocalStore,
  text: string,
  options: CallOptions = {},
): Promise<LocalMatch | undefined> {
  const all = await store.images(options);
  const id = IMAGE_ID.exec(text)?.[1];
  const reference = id === undefined ? parseReference(text) : referenceIn(text);
  const named = reference === undefined ? [] : all.filter((image) => isNamed(image, reference));
  const by = reference?.digest === undefined ? 'name' : 'digest';
  const [first, ...others] = named;
  if (first !== undefined) return { by, images: [first, ...others] };
  const [only, ...more] = id === undefined ? [] : await imagesOfId(store, all, id, options);
  return only === undefined ? undefined : { by: 'id', images: [only, ...more] };
}

/** Opens one repository of the local store, for the image that a reference names. */
export async function openLocalImage(
  store: LocalStore,
  reference: Reference,
  side: 'source' | 'destination',
  { signal }: Pick<Context, 'signal'>,
): Promise<OpenedStore> {
  const found = side === 'source' ? await idOrPulled(store, reference, { signal }) : undefined;
  return {
    store: store.openRepository(reference),
    reference: found?.root.digest ?? identifierOf(reference),
    tag: withDefaultTag(reference).tag,
    pinned: reference.digest,
    name: `local:${repositoryName(reference)}`,
  };
}

/**
 * Finds an image by its id, which looks like a name; or the pulled platform of an index by the
 * digest of the index.
 */
async function idOrPulled(
  store: LocalStore,
  { domain, path, tag, digest }: Reference,
  options: CallOptions,
): Promise<LocalImage | undefined> {
  const isBare = domain === 'docker.io' && tag === undefined && digest === undefined;
  const id = isBare ? IMAGE_ID.exec(path.replace(/^library\//, ''))?.[1] : undefined;
  if (id === undefined && digest === undefined) return undefined;
  const images = await store.images(options);
  const own = images.filter(
    ({ reference }) => reference?.path === path && reference.domain === domain,
  );
  if (digest !== undefined) return own.find(({ pulled }) => pulled === digest);
  return own.length > 0 ? undefined : (await imagesOfId(store, images, id ?? '', options))[0];
}

/** True if the image has the typed name. A digest may be that of the index it was pulled from. */
function isNamed({ name, reference, root, pulled }: LocalImage, typed: Reference): boolean {
  if (reference?.domain !== typed.domain || reference.path !== typed.path) return false;
  if (typed.digest !== undefined) return root.digest === typed.digest || pulled === typed.digest;
  return reference.tag === withDefaultTag(typed).tag || name === formatReference(typed);
}

async function imagesOfId(
  store: LocalStore,
  images: readonly LocalImage[],
  id: string,
  options: CallOptions,
): Promise<readonly LocalImage[]> {
  const found: LocalImage[] = [];
  for (const image of images) {
    const summary = await summarizeImage(store.whole, image.root, options);
    if ([summary.id, image.root.digest].some((digest) => digest.startsWith(`sha256:${id}`)))
      found.push(image);
  }
  if (new Set(found.map(({ root }) => root.digest)).size > 1)
    throw new RegiError(
      'USAGE',
      `Cannot choose an image with the id "${id}": expected one, found several`,
      { hint: 'write more digits of it' },
    );
  return found;
}
