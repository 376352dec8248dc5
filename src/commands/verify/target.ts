import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import type { NamedRoot, VerifyOptions } from '../../operations/inspect/verify-image.ts';
import type { NamedImage, Source } from '../../store.ts';
import { UsageError } from '../../errors.ts';
import {
  type ArchiveLocation,
  type LayoutLocation,
  type Location,
  parseSourceLocation,
} from '../../targets/location.ts';
import type { Stores } from '../../targets/open-store.ts';

/** What is to be verified: one image, or a place with all it holds. */
export interface VerifyTarget extends Pick<VerifyOptions, 'blobs' | 'isSparse' | 'omitted'> {
  readonly source: Source;
  readonly roots: readonly NamedRoot[];
  readonly close: () => Promise<void>;
}

const NOTHING = async (): Promise<void> => undefined;

/**
 * Opens what a word of the command line names. The caller closes it.
 *
 * @param bases paths of archives that have what an incremental one leaves out.
 * @throws {UsageError} when there are some, and it is no archive.
 */
export async function openVerifyTarget(
  text: string,
  bases: readonly string[],
  stores: Stores,
  context: Context,
): Promise<VerifyTarget> {
  const { signal } = context;
  const location = text === 'local:' ? undefined : await parseSourceLocation(text, context.io);
  if (location !== undefined && isArchive(location))
    return openArchiveTarget(text, location, bases, context);
  if (bases.length > 0)
    throw new UsageError(`Cannot use "--base" with ${JSON.stringify(text)}: expected an archive`, {
      hint: 'leave --base out',
    });
  if (location === undefined) {
    const store = await stores.openLocal('source');
    return {
      source: store.whole,
      roots: rootsOf(await store.images({ signal, referrers: true })),
      blobs: store.blobs({ signal }),
      close: NOTHING,
    };
  }
  if (location.kind === 'oci' && location.reference === undefined && location.digest === undefined)
    return openLayoutFolder(location, context);
  const { store, reference } = await stores.open(location, 'source');
  return {
    source: store,
    roots: [{ name: text, descriptor: await store.resolve(reference, { signal }) }],
    close: NOTHING,
  };
}

async function openLayoutFolder({ path }: LayoutLocation, context: Context): Promise<VerifyTarget> {
  const { openLayoutPlace } = await import('../../stores/layout/place.ts');
  const { io, signal } = context;
  const folder = resolve(io.cwd, path);
  const layout = await openLayoutPlace(folder, { create: false, clock: io.clock, signal });
  return {
    source: layout.whole,
    roots: rootsOf(await layout.images({ signal })),
    blobs: layout.blobs({ signal }),
    close: layout.close,
  };
}

function rootsOf(images: readonly NamedImage[]): readonly NamedRoot[] {
  return images.map(({ name, root }) => ({ name, descriptor: root }));
}

function isArchive(location: Location): location is ArchiveLocation {
  return (
    location.kind === 'archive' ||
    location.kind === 'docker-archive' ||
    location.kind === 'oci-archive'
  );
}

/** One image of an archive, or all it holds. */
async function openArchiveTarget(
  text: string,
  location: ArchiveLocation,
  bases: readonly string[],
  context: Context,
): Promise<VerifyTarget> {
  const [{ openArchiveAt }, { archiveBlobs }, { withBases }] = await Promise.all([
    import('../../targets/open-path.ts'),
    import('../../stores/archive/contents.ts'),
    import('../../stores/archive/archive.ts'),
  ]);
  const { io, signal } = context;
  const { path, reference, digest } = location;
  const archive = await openArchiveAt(location, context);
  const tempFolder = io.env['TMPDIR'] ?? tmpdir();
  const opened = { isSparse: true, omitted: new Set(archive.omitted.map((blob) => blob.digest)) };
  try {
    const store = archive.open('');
    const wanted = digest ?? reference;
    const named =
      wanted === undefined
        ? undefined
        : { name: text, descriptor: await store.resolve(wanted, { signal }) };
    const { source, close } = await withBases(
      store,
      bases.map((base) => resolve(io.cwd, base.replace(/^(?:oci-)?archive:/, ''))),
      { signal, tempFolder },
    );
    return {
      ...opened,
      source,
      roots:
        named === undefined
          ? (await archive.images()).map(({ name, root }) => ({ name, descriptor: root }))
          : [named],
      // Standard input cannot be read a second time.
      blobs:
        named !== undefined || path === '-'
          ? undefined
          : archiveBlobs(resolve(io.cwd, path), { signal, tempFolder }),
      close: async () => void (await Promise.all([archive.close(), close()])),
    };
  } catch (error) {
    await archive.close();
    throw error;
  }
}
