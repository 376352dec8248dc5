import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

import { RegiError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { identifierOf, repositoryName } from '../oci/reference.ts';
import type { CallOptions, Store } from '../store.ts';
import { openArchive } from '../stores/archive/archive.ts';
import { openLayout } from '../stores/layout/oci-layout.ts';
import type { RegistryClient } from '../stores/registry/registry-client.ts';
import type { Location } from './location.ts';

/** The store of one image, for a program that uses the library. */
export interface OpenedImage {
  readonly store: Store;
  /** The name to resolve; empty for the only image. */
  readonly reference: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
  /** The name without tag and digest, for messages. */
  readonly name: string;
  readonly close: () => Promise<void>;
}

/** `create` makes a layout that does not exist; `change` expects it. */
export type ImageUse = 'read' | 'change' | 'create';

/**
 * Opens the place of an image without any configuration: `registries` is all that it knows of
 * registries.
 *
 * @throws {RegiError} UNSUPPORTED for places that need configuration (the local store), and for
 *   archives to be written, whose images are written all at once.
 */
export async function openImage(
  location: Location,
  use: ImageUse,
  registries: RegistryClient,
  { signal }: CallOptions = {},
): Promise<OpenedImage> {
  if (location.kind === 'registry') {
    const { tag, digest } = location.reference;
    return {
      store: registries.open(location.reference, { access: use === 'read' ? 'read' : 'write' }),
      reference: identifierOf(location.reference),
      tag,
      digest,
      name: repositoryName(location.reference),
      close: async () => undefined,
    };
  }
  const { kind } = location;
  if (!('path' in location) || kind === 'dir' || (kind !== 'oci' && use !== 'read'))
    throw new RegiError(
      'UNSUPPORTED',
      `Cannot ${use === 'read' ? 'read from' : 'write single images to'} "${kind}:"`,
      { hint: 'name an image in a registry, or in a layout as oci:DIR' },
    );
  const { reference: tag, digest } = location;
  const path = resolve(location.path);
  const image = { reference: digest ?? tag ?? '', tag, digest, name: `${kind}:${location.path}` };
  if (kind === 'oci') {
    const store = await openLayout(path, { create: use === 'create', signal });
    return { ...image, store, close: async () => undefined };
  }
  const format = kind === 'archive' ? undefined : kind === 'oci-archive' ? 'oci' : 'docker';
  const archive = await openArchive(path, {
    format,
    name: image.name,
    tempFolder: tmpdir(),
    signal,
  });
  return { ...image, store: archive.open(''), close: () => archive.close() };
}
