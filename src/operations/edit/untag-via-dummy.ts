import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import { quote } from '../../quote.ts';
import type { CallOptions, Deleter, Store } from '../../store.ts';
import { resolveIfThere } from '../copy/resolve-image.ts';
import { jsonNode, type MemoryNode } from './memory-source.ts';

export interface UntagViaDummyOptions extends CallOptions {
  /** Makes the digest of the dummy manifest unique: deleting it must delete no other tag. */
  readonly unique: string;
}

/** Time to restore a tag after the command was interrupted. Milliseconds. */
const RESTORE_TIMEOUT_MS = 10_000;

/**
 * Removes one tag where the registry deletes only manifests with all their tags: moves the tag to a
 * dummy manifest and deletes that. Another dummy is pushed and deleted first, so that the tag is
 * untouched where the registry deletes nothing. A tag that was moved and could not be removed is
 * restored.
 *
 * @returns the manifest that the tag pointed to.
 * @throws {RegiError} NOT_FOUND without such a tag; the error of the registry where it accepts or
 *   deletes no manifest.
 */
export async function untagViaDummy(
  store: Store & Deleter,
  tag: string,
  { unique, signal }: UntagViaDummyOptions,
): Promise<Descriptor> {
  const before = await store.resolve(tag, { signal });
  const config = jsonNode(MEDIA_TYPE.ociConfig, {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [] },
  });
  // Some registries, zot among them, refuse a manifest without layers.
  const layer = jsonNode(MEDIA_TYPE.ociEmpty, {});
  await store.push(config.descriptor, config.read(), { signal });
  await store.push(layer.descriptor, layer.read(), { signal });
  const content = { config: config.descriptor, layers: [layer.descriptor] };
  const [probe, dummy] = [dummyOf(content, `${unique} probe`), dummyOf(content, unique)];
  await store.push(probe.descriptor, probe.read(), { signal });
  await store.delete(probe.descriptor, { signal });
  try {
    await store.push(dummy.descriptor, dummy.read(), { signal, tag });
    await store.delete(dummy.descriptor, { signal });
    if ((await resolveIfThere(store, tag, { signal })) !== undefined) {
      throw new RegiError(
        'REFUSED',
        `Cannot remove tag ${quote(tag)}: the registry deleted its manifest but kept the tag`,
        {
          hint: 'the tag was restored; delete it with the tool of the registry',
        },
      );
    }
  } catch (error) {
    await restore(store, before, tag, dummy.descriptor);
    throw error;
  }
  return before;
}

/**
 * Restores the tag only if it points to the dummy or to nothing: another client may have moved it
 * in the meantime.
 */
async function restore(
  store: Store,
  before: Descriptor,
  tag: string,
  dummy: Descriptor,
): Promise<void> {
  const signal = AbortSignal.timeout(RESTORE_TIMEOUT_MS);
  try {
    const now = await resolveIfThere(store, tag, { signal });
    if (now === undefined || now.digest === dummy.digest) await store.tag(before, tag, { signal });
  } catch (error) {
    throw new RegiError(
      'REFUSED',
      `Cannot restore tag ${quote(tag)} to ${before.digest}: it may point to an empty image now`,
      {
        hint: `restore it: regi tag NAME@${before.digest} NAME:${tag}`,
        cause: error,
      },
    );
  }
}

interface DummyContent {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

function dummyOf({ config, layers }: DummyContent, unique: string): MemoryNode {
  return jsonNode(MEDIA_TYPE.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config,
    layers,
    annotations: {
      'org.opencontainers.image.description': `made by regi to remove a tag; safe to delete (${unique})`,
    },
  });
}
