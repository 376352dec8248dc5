import { basename, resolve } from 'node:path';

import type { Context } from '../context.ts';
import { familiarReference, parseTag, type Repository } from '../oci/reference.ts';
import type { NamedImage, Store } from '../store.ts';
import { unnamedRepository } from '../stores/layout/names.ts';
import type { CarriedBlob } from '../tar/carried-blobs.ts';
import type { ArchiveLocation, LayoutLocation } from './location.ts';

/** An archive or layout with all its images. */
export interface ImageSource {
  readonly store: Store;
  /** Those that the location means: all, or the one that it names. */
  readonly images: readonly NamedImage[];
  /** The repository of images without a full name. */
  readonly unnamed: Repository;
  /** Layers that an archive leaves out because an earlier one carried them. */
  readonly omitted: readonly CarriedBlob[];
  readonly close: () => Promise<void>;
}

/** Opens an archive or layout to read what is in it. The caller closes it. */
export async function openImageSource(
  location: ArchiveLocation | LayoutLocation,
  context: Context,
): Promise<ImageSource> {
  const opened = await openWhole(location, context);
  return { ...opened, images: await imagesMeant(opened, location, context) };
}

async function openWhole(
  location: ArchiveLocation | LayoutLocation,
  context: Context,
): Promise<ImageSource> {
  const { io, signal } = context;
  const unnamed = unnamedRepository(
    location.path === '-' ? 'images' : basename(resolve(io.cwd, location.path)),
  );
  if (location.kind !== 'oci') {
    const { openArchiveAt } = await import('./open-path.ts');
    const archive = await openArchiveAt(location, context);
    return {
      store: archive.open(''),
      images: await archive.images(),
      unnamed,
      omitted: archive.omitted,
      close: () => archive.close(),
    };
  }
  const { openLayoutPlace } = await import('../stores/layout/place.ts');
  const layout = await openLayoutPlace(resolve(io.cwd, location.path), {
    create: false,
    clock: io.clock,
    signal,
  });
  return {
    store: layout.whole,
    images: await layout.images({ signal }),
    unnamed,
    omitted: [],
    close: layout.close,
  };
}

/** The store itself finds the one that a name means: it knows what to say when there is none, or when there are several. */
async function imagesMeant(
  { images, store, close }: ImageSource,
  location: ArchiveLocation | LayoutLocation,
  { signal }: Context,
): Promise<readonly NamedImage[]> {
  const wanted = location.digest ?? location.reference;
  if (wanted === undefined) return images;
  try {
    const root = await store.resolve(wanted, { signal });
    const found =
      images.find((image) => isNamed(image, wanted)) ??
      images.find((image) => image.root.digest === root.digest);
    return [found ?? { name: undefined, tag: undefined, repository: undefined, root }];
  } catch (error) {
    await close();
    throw error;
  }
}

function isNamed({ name, tag, repository }: NamedImage, wanted: string): boolean {
  if (name === wanted || tag === wanted) return true;
  if (repository === undefined || tag === undefined) return false;
  const familiar = familiarReference({ ...repository, tag: parseTag(tag) });
  return familiar === wanted || familiar === `${wanted}:latest`;
}
