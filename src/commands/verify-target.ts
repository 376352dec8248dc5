import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

import type { Context } from '../context.ts';
import type { NamedRoot, VerifyOptions } from '../operations/verify-image.ts';
import type { Source } from '../store.ts';
import type { LayoutIndex } from '../stores/layout-index.ts';
import type { OciLayout } from '../stores/oci-layout.ts';
import { parseLocation, type ArchiveLocation, type LayoutLocation } from './location.ts';
import type { Stores } from './open-store.ts';

/** What is to be verified: one image, or a place with all it holds. */
export interface VerifyTarget extends Pick<VerifyOptions, 'blobs' | 'isSparse'> {
  readonly source: Source;
  readonly roots: readonly NamedRoot[];
  readonly close: () => Promise<void>;
}

const NOTHING = async (): Promise<void> => undefined;

/** Opens what a word of the command line names. The caller closes it. */
export async function openVerifyTarget(text: string, stores: Stores, context: Context): Promise<VerifyTarget> {
  const { signal } = context;
  if (text === 'local:') {
    const store = await stores.openLocal('source');
    return wholeLayout(store.content, await store.readIndex({ signal }), NOTHING, context);
  }
  const location = parseLocation(text);
  if (location.kind === 'oci' && location.reference === undefined && location.digest === undefined) return openLayoutFolder(location, context);
  if (location.kind === 'archive' || location.kind === 'docker-archive' || location.kind === 'oci-archive') {
    if (location.reference === undefined && location.digest === undefined) return openWholeArchive(location, context);
  }
  const { store, reference } = await stores.open(location, 'source');
  return {
    source: store,
    roots: [{ name: text, descriptor: await store.resolve(reference, { signal }) }],
    isSparse: location.kind.endsWith('archive'),
    close: NOTHING,
  };
}

async function openLayoutFolder({ path }: LayoutLocation, context: Context): Promise<VerifyTarget> {
  const { OciLayout: Layout } = await import('../stores/oci-layout.ts');
  const { io, signal } = context;
  const layout = new Layout(resolve(io.cwd, path), { create: false, clock: io.clock, signal });
  await layout.open(false);
  return wholeLayout(layout, await layout.readIndex(), () => layout.close(), context);
}

async function wholeLayout(layout: OciLayout, { entries }: LayoutIndex, close: () => Promise<void>, { signal }: Context): Promise<VerifyTarget> {
  const { descriptorOf, nameOf } = await import('../stores/layout-index.ts');
  return { source: layout, roots: entries.map((entry) => ({ name: nameOf(entry), descriptor: descriptorOf(entry) })), blobs: layout.blobs({ signal }), close };
}

async function openWholeArchive(location: ArchiveLocation, context: Context): Promise<VerifyTarget> {
  const [{ openArchiveAt }, { archiveBlobs }] = await Promise.all([import('./open-path.ts'), import('../stores/archive-blobs.ts')]);
  const { io, signal } = context;
  const archive = await openArchiveAt(location, context);
  return {
    source: archive.open(''),
    roots: archive.images().map(({ name, root }) => ({ name, descriptor: root })),
    isSparse: true,
    // Standard input cannot be read a second time.
    blobs: location.path === '-' ? undefined : archiveBlobs(resolve(io.cwd, location.path), { signal, tempFolder: io.env['TMPDIR'] ?? tmpdir() }),
    close: () => archive.close(),
  };
}
