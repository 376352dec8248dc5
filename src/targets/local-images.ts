import { RegiError } from '../errors.ts';
import type { Context } from '../context.ts';
import {
  formatReference,
  identifierOf,
  parseReference,
  referenceIn,
  withDefaultTag,
  type Reference,
} from '../oci/reference.ts';
import { summarizeImage } from '../operations/inspect/summarize-image.ts';
import type { CallOptions } from '../store.ts';
import type { LocalImage, LocalStore } from '../stores/layout/local-store.ts';
import { LOCAL_STORE, NotInStoreError } from '../stores/not-found.ts';
import type { OpenedStore, Side } from './open-store.ts';

/** Fewer digits could be the name of a repository, or mean two images. */
const IMAGE_ID = /^(?:sha256:)?([0-9a-f]{12,64})$/;

/** What a word of the command line means in the local store: by name, by digest, or by image id. */
export type LocalMatch =
  | { readonly by: 'name'; readonly images: readonly LocalImage[] }
  | { readonly by: 'digest' | 'id'; readonly images: readonly LocalImage[] };

/**
 * Finds images of the local store as docker does: a name first, then an image id of 12 or more digits.
 *
 * @throws {NotInStoreError} when there is none.
 * @throws {InvalidReferenceError} when the text can be neither.
 */
export async function findLocal(
  store: LocalStore,
  text: string,
  options: CallOptions = {},
): Promise<LocalMatch> {
  const images = await store.images(options);
  const id = IMAGE_ID.exec(text)?.[1];
  const reference = id === undefined ? parseReference(text) : referenceIn(text);
  const named =
    reference === undefined
      ? []
      : images.filter((image) => image.name !== undefined && isNamed(image, reference));
  if (named.length > 0)
    return { by: reference?.digest === undefined ? 'name' : 'digest', images: named };
  const identified = id === undefined ? [] : await imagesOfId(store, images, id, options);
  if (identified.length > 0) return { by: 'id', images: identified };
  throw new NotInStoreError(text, LOCAL_STORE, 'type: regi images, to see what is there');
}

/** Opens one image of the local store, or the place for one. */
export async function openLocalImage(
  store: LocalStore,
  reference: Reference,
  side: Side,
  { signal }: Context,
): Promise<OpenedStore> {
  const found = side === 'source' ? await idOrPulled(store, reference, { signal }) : undefined;
  return {
    store: store.openRepository(reference),
    reference: found?.root.digest ?? identifierOf(reference),
    // What is kept by its digest alone needs a name too, or nothing would lead to it.
    tag: reference.tag ?? (side === 'destination' ? reference.digest : undefined),
    pinned: reference.digest,
    defaultTag: reference.digest === undefined ? 'latest' : undefined,
    name: `local:${formatReference({ domain: reference.domain, path: reference.path })}`,
  };
}

/** Image ids look like names, and digests of an index mean the platform of it that was pulled. */
async function idOrPulled(
  store: LocalStore,
  { domain, path, tag, digest }: Reference,
  options: CallOptions,
): Promise<LocalImage | undefined> {
  const id =
    domain === 'docker.io' && tag === undefined && digest === undefined
      ? IMAGE_ID.exec(path.replace(/^library\//, ''))?.[1]
      : undefined;
  if (id === undefined && digest === undefined) return undefined;
  const images = await store.images(options);
  if (digest !== undefined) {
    return images.find(
      ({ reference, pulled }) =>
        pulled === digest && reference?.domain === domain && reference.path === path,
    );
  }
  if (images.some(({ reference }) => reference?.path === path && reference.domain === domain))
    return undefined;
  return (await imagesOfId(store, images, id ?? '', options))[0];
}

/** Whether a name of the local store is what was typed. A digest may be that of the index it was pulled from. */
function isNamed({ name, reference, root, pulled }: LocalImage, typed: Reference): boolean {
  if (reference === undefined || reference.domain !== typed.domain || reference.path !== typed.path)
    return false;
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
  if (new Set(found.map(({ root }) => root.digest)).size > 1) {
    throw new RegiError(
      'USAGE',
      `Cannot choose an image with the id "${id}": expected one, found several`,
      { hint: 'write more digits of it' },
    );
  }
  return found;
}
