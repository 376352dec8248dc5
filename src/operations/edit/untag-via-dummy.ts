import { bytesOf } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import type { CallOptions, Deleter, Store } from '../../store.ts';
import { resolveIfThere } from '../copy/resolve-image.ts';

export interface UntagViaDummyOptions extends CallOptions {
  /** Makes the throw-away manifest unlike every other: deleting it must take no other tag along. */
  readonly unique: string;
}

/** How long putting a tag back may take when the command was interrupted. Milliseconds. */
const RESTORE_TIMEOUT_MS = 10_000;

/**
 * Removes one tag where the registry deletes only manifests with all their tags: the tag is moved to a throw-away manifest, and that is deleted.
 * Whether the registry deletes at all is tried with another throw-away manifest first, so that the tag is not touched where it does not. When the tag
 * was moved and stays, it is put back.
 *
 * @returns what the tag named.
 * @throws {RegiError} NOT_FOUND without such a tag; what the registry says where it takes or deletes no manifest.
 */
export async function untagViaDummy(
  store: Store & Deleter,
  tag: string,
  { unique, signal }: UntagViaDummyOptions,
): Promise<Descriptor> {
  const before = await store.resolve(tag, { signal });
  const config = nodeOf(MEDIA_TYPE.ociConfig, {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [] },
  });
  await store.push(config.descriptor, bytesOf(config.bytes), { signal });
  const [probe, dummy] = [
    dummyOf(config.descriptor, `${unique} probe`),
    dummyOf(config.descriptor, unique),
  ];
  await store.push(probe.descriptor, bytesOf(probe.bytes), { signal });
  await store.delete(probe.descriptor, { signal });
  try {
    await store.push(dummy.descriptor, bytesOf(dummy.bytes), { signal, tag });
    await store.delete(dummy.descriptor, { signal });
    if ((await resolveIfThere(store, tag, { signal })) !== undefined) {
      throw new RegiError(
        'REFUSED',
        `Cannot remove the tag "${tag}": the registry deleted the manifest that it named and keeps the tag`,
        {
          hint: 'it names what it named before; delete it with the tool of the registry',
        },
      );
    }
  } catch (error) {
    await putBack(store, before, tag, dummy.descriptor);
    throw error;
  }
  return before;
}

/** Only what still is the dummy, or names nothing: whoever moved the tag meanwhile meant it. */
async function putBack(
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
      `Cannot put the tag "${tag}" back to ${before.digest}: it may name an empty image now`,
      {
        hint: `put it back: regi tag NAME@${before.digest} NAME:${tag}`,
        cause: error,
      },
    );
  }
}

interface Node {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

function dummyOf({ mediaType, digest, size }: Descriptor, unique: string): Node {
  return nodeOf(MEDIA_TYPE.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: { mediaType, digest, size },
    layers: [],
    annotations: {
      'org.opencontainers.image.description': `made by regi to remove a tag; delete it where it is found (${unique})`,
    },
  });
}

function nodeOf(mediaType: string, body: unknown): Node {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.byteLength }, bytes };
}
