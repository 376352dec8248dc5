import { tmpdir } from 'node:os';
import { basename, resolve } from 'node:path';

import type { Context } from '../context.ts';
import type { RegiError } from '../errors.ts';
import { familiarReference, parseTag } from '../oci/reference.ts';
import type { NamedImage } from '../store.ts';
import { openArchive, withBases, type ArchivePlace } from '../stores/archive/archive.ts';
import { archiveBlobs } from '../stores/archive/contents.ts';
import { openFolder } from '../stores/archive/dir-folder.ts';
import { withKnownBlobs } from '../stores/decorators/with-known-blobs.ts';
import type { LocalStore } from '../stores/layout/local-store.ts';
import { unnamedRepository } from '../stores/layout/names.ts';
import { openLayoutPlace } from '../stores/layout/place.ts';
import {
  isArchive,
  suffixOf,
  type ArchiveLocation,
  type FolderLocation,
  type ImagesLocation,
} from './location.ts';
import type { ImageSource, OpenedStore } from './opened-store.ts';

export { withKnownBlobs };

/** Something opened for reading. The caller closes it. */
interface Opened<T> {
  readonly opened: T;
  readonly close: () => Promise<void>;
}

/**
 * Opens an archive or layout with its images.
 *
 * @param bases archives that carry the layers which this one leaves out, as typed.
 */
export async function openImageSource(
  location: ImagesLocation,
  bases: readonly string[],
  context: Context,
): Promise<Opened<ImageSource>> {
  const { opened, close } = isArchive(location)
    ? await openWholeArchive(location, bases, context)
    : await openWholeLayout(location.path, context);
  try {
    const images = await imagesMeant(opened, location, context);
    const unusable = images === opened.images ? (opened.unusable ?? []) : [];
    for (const { message } of unusable) context.warn(`${message}; it was left out`);
    return { opened: { ...opened, images, unusable }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Returns all images of the local store; a missing store has none. */
export async function wholeLocalStore(
  store: LocalStore,
  signal: AbortSignal,
): Promise<ImageSource> {
  return {
    store: store.whole,
    images: await store.images({ signal, referrers: true }),
    unnamed: unnamedRepository('images'),
    omitted: [],
    blobs: store.blobs({ signal }),
  };
}

async function openWholeLayout(
  path: string,
  { io, signal, warn }: Context,
): Promise<Opened<ImageSource>> {
  const folder = resolve(io.cwd, path);
  const layout = await openLayoutPlace(folder, {
    create: false,
    clock: io.clock,
    signal,
    onNotice: warn,
  });
  const unusable: RegiError[] = [];
  const onUnusable = (error: RegiError): void => void unusable.push(error);
  return {
    opened: {
      store: layout.whole,
      images: await layout.images({ signal, onUnusable }),
      unusable,
      unnamed: unnamedRepository(basename(folder)),
      omitted: [],
      blobs: layout.blobs({ signal }),
    },
    close: layout.close,
  };
}

async function openWholeArchive(
  location: ArchiveLocation,
  bases: readonly string[],
  context: Context,
): Promise<Opened<ImageSource>> {
  const { io, signal } = context;
  const { path } = location;
  const unpacking = unpackingIn(context);
  const unusable: RegiError[] = [];
  const onUnusable = (error: RegiError): void => void unusable.push(error);
  const archive = await openArchiveAt(location, context);
  const paths = bases.map((base) => resolve(io.cwd, base.replace(/^(?:oci-)?archive:/, '')));
  try {
    const { store, close } = await withBases(archive.open(''), paths, { signal, ...unpacking });
    return {
      opened: {
        store,
        images: await archive.images({ signal, onUnusable }),
        unusable,
        unnamed: unnamedRepository(path === '-' ? 'images' : basename(resolve(io.cwd, path))),
        omitted: archive.omitted,
        isMade: archive.format === 'docker',
        isSparse: true,
        // Standard input cannot be read a second time.
        blobs:
          path === '-' ? undefined : archiveBlobs(resolve(io.cwd, path), { signal, ...unpacking }),
      },
      close: async () => void (await Promise.all([archive.close(), close()])),
    };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

/**
 * The store finds the image of a name, because it explains best why there is none, or why there are
 * several.
 */
async function imagesMeant(
  { images, store }: ImageSource,
  location: ImagesLocation,
  { signal }: Context,
): Promise<readonly NamedImage[]> {
  const { tag, digest } = suffixOf(location);
  const wanted = digest ?? tag;
  if (wanted === undefined) return images;
  const root = await store.resolve(wanted, { signal });
  const found =
    images.find((image) => isNamed(image, wanted)) ??
    images.find((image) => image.root.digest === root.digest);
  return [found ?? { name: undefined, tag: undefined, repository: undefined, root }];
}

function isNamed({ name, tag, repository }: NamedImage, wanted: string): boolean {
  if (name === wanted || tag === wanted) return true;
  if (repository === undefined || tag === undefined) return false;
  const familiar = familiarReference({ ...repository, tag: parseTag(tag) });
  return familiar === wanted || familiar === `${wanted}:latest`;
}

/** Opens one image of an archive, or of a folder that skopeo calls dir. */
export async function openImageFile(
  location: ArchiveLocation | FolderLocation,
  context: Context,
): Promise<Opened<OpenedStore>> {
  const { kind, path, reference, digest } = location;
  const common = {
    reference: digest ?? reference ?? '',
    tag: reference,
    pinned: digest,
    name: `${kind}:${path}`,
  };
  if (!isArchive(location)) {
    const store = await openFolder(resolve(context.io.cwd, path), context);
    return { opened: { store, ...common }, close: async () => undefined };
  }
  const archive = await openArchiveAt(location, context);
  // The image of the name, or the only one: it takes its full name along.
  // The entry that is meant is read again, and its own error is thrown.
  const named = (await archive.images({ onUnusable: () => {} })).filter(
    ({ name, tag }) =>
      digest === undefined && (reference === undefined || reference === name || reference === tag),
  );
  const { tag, repository } = (named.length === 1 ? named[0] : undefined) ?? {};
  const fullName =
    repository === undefined || tag === undefined
      ? undefined
      : { ...repository, tag: parseTag(tag) };
  return {
    opened: {
      store: archive.open(''),
      ...common,
      tag: reference ?? tag,
      fullName,
      isMade: archive.format === 'docker',
    },
    close: () => archive.close(),
  };
}

function openArchiveAt({ kind, path }: ArchiveLocation, context: Context): Promise<ArchivePlace> {
  const { io, signal, warn, note } = context;
  return openArchive(path === '-' ? '-' : resolve(io.cwd, path), {
    signal,
    name: `${kind}:${path}`,
    format: kind === 'archive' ? undefined : kind === 'oci-archive' ? 'oci' : 'docker',
    ...unpackingIn(context),
    input: path === '-' ? io.stdin.bytes() : undefined,
    onUnpack: note,
    onNotice: warn,
  });
}

/** Returns the options of archives that cannot be read in place and are unpacked first. */
export function unpackingIn(context: Pick<Context, 'io'>): {
  readonly tempFolder: string;
  readonly env: Context['io']['env'];
} {
  return { tempFolder: tempFolderOf(context), env: context.io.env };
}

/** Returns the folder of temporary files. */
export function tempFolderOf({ io }: Pick<Context, 'io'>): string {
  return io.env['TMPDIR'] ?? tmpdir();
}
