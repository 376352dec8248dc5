import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

import type { Context } from '../context.ts';
import { RegiError } from '../errors.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import type { NamedImage } from '../store.ts';
import { openArchive, type ArchivePlace } from '../stores/archive/archive.ts';
import { openFolder } from '../stores/archive/dir-folder.ts';
import type { ArchiveLocation, FolderLocation } from './location.ts';
import type { OpenedStore, Side } from './open-store.ts';

/** Opens an archive, or what skopeo calls dir, to be read. The caller closes it. */
export async function openPath(
  location: ArchiveLocation | FolderLocation,
  side: Side,
  context: Context,
): Promise<{ readonly opened: OpenedStore; readonly close: () => Promise<void> }> {
  const { kind, path, reference, digest } = location;
  if (side === 'destination') {
    throw new RegiError('UNSUPPORTED', `Cannot write to "${kind}:${path}" image by image`, {
      hint:
        kind === 'dir'
          ? 'write oci:DIR or archive:FILE'
          : 'write all images at once: regi export REF… -o FILE',
    });
  }
  const common = {
    reference: digest ?? reference ?? '',
    tag: reference,
    pinned: digest,
    defaultTag: undefined,
    name: `${kind}:${path}`,
  };
  if (kind === 'dir') {
    const store = await openFolder(resolve(context.io.cwd, path), context);
    return { opened: { store, ...common }, close: async () => undefined };
  }
  const archive = await openArchiveAt(location, context);
  const image = imageMeant(await archive.images(), location);
  const fullName =
    image?.repository === undefined || image.tag === undefined
      ? undefined
      : parseReference(`${formatReference(image.repository)}:${image.tag}`);
  return {
    opened: { store: archive.open(''), ...common, tag: reference ?? image?.tag, fullName },
    close: () => archive.close(),
  };
}

/** The image of a name, or the only one where none was typed: what it is called goes with it. */
function imageMeant(
  all: readonly NamedImage[],
  { reference, digest }: ArchiveLocation,
): NamedImage | undefined {
  const images = all.filter(
    ({ name, tag }) =>
      digest === undefined && (reference === undefined || reference === name || reference === tag),
  );
  return images.length === 1 ? images[0] : undefined;
}

/** Opens an archive with all its images. The caller closes it. */
export function openArchiveAt(
  { kind, path }: ArchiveLocation,
  { io, signal, warn, note }: Context,
): Promise<ArchivePlace> {
  return openArchive(path === '-' ? '-' : resolve(io.cwd, path), {
    signal,
    name: `${kind}:${path}`,
    format: kind === 'archive' ? undefined : kind === 'oci-archive' ? 'oci' : 'docker',
    tempFolder: io.env['TMPDIR'] ?? tmpdir(),
    input: path === '-' ? io.stdin.bytes() : undefined,
    onUnpack: note,
    onNotice: warn,
  });
}
