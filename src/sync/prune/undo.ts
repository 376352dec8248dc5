import { bytesOf } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { childrenOf, parseManifest } from '../../oci/manifest.ts';
import { isForeignLayerType, isManifestType } from '../../oci/media-types.ts';
import { PartialFailureError } from '../../operations/copy/copy-images.ts';
import { resolveIfThere } from '../../operations/copy/resolve-image.ts';
import { quote } from '../../quote.ts';
import type { Context } from '../../context.ts';
import type { Store } from '../../store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import type { DeletedTag, KeptManifest } from './deleted-log.ts';
import { explicitReference } from '../file/names.ts';
import { destinationOf, type SyncRow } from '../run/row.ts';

/** The entry in the rows of `--undo`, which has none. */
const ENTRY = 'undo';

/**
 * Puts back tags that a run deleted: those that are absent now and whose blobs are there.
 *
 * @throws {PartialFailureError} at the end, if any could not be put back.
 */
export async function* undoDeletions(
  deleted: readonly DeletedTag[],
  dryRun: boolean,
  stores: Stores,
  context: Context,
): AsyncGenerator<SyncRow> {
  let failed = 0;
  for (const one of deleted) {
    const { name, tag, root } = one;
    const row = { entry: ENTRY, source: undefined, name, tag, ...(dryRun && { dryRun }) };
    try {
      const status = await putBack(one, dryRun, stores, context);
      yield { ...row, status, digest: root.descriptor.digest };
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof RegiError)) throw error;
      failed += 1;
      context.onEvent({ kind: 'failed', image: destinationOf({ name, tag }), error });
      yield { ...row, status: 'failed', error };
    }
  }
  context.note(
    `${dryRun ? 'dry run: ' : ''}${deleted.length - failed} of ${deleted.length} tags are back`,
  );
  if (failed > 0) throw new PartialFailureError(failed, deleted.length);
}

async function putBack(
  { name, tag, root, children }: DeletedTag,
  dryRun: boolean,
  stores: Stores,
  { signal }: Context,
): Promise<'new' | 'same'> {
  const reference = explicitReference(name);
  if (reference === undefined) throw new Error(`${name} was parsed as a name and is none`);
  const { store } = await stores.open({ kind: 'registry', reference }, 'destination');
  const there = await resolveIfThere(store, tag, { signal });
  if (there?.digest === root.descriptor.digest) return 'same';
  if (there !== undefined)
    throw new RegiError(
      'ALREADY_EXISTS',
      `Cannot put back ${quote(`${name}:${tag}`)}: it is ${there.digest} now`,
      { hint: 'delete that tag first, or leave it' },
    );
  const manifests = [...children, root];
  await checkBlobs(manifests, store, name, signal);
  if (dryRun) return 'new';
  for (const child of children)
    await store.push(child.descriptor, bytesOf(child.bytes), { signal });
  await store.push(root.descriptor, bytesOf(root.bytes), { signal, tag });
  return 'new';
}

async function checkBlobs(
  manifests: readonly KeptManifest[],
  store: Store,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  for (const { descriptor, bytes } of manifests) {
    const needed = childrenOf(parseManifest(bytes, descriptor.mediaType)).filter(
      ({ mediaType }) => !isManifestType(mediaType) && !isForeignLayerType(mediaType),
    );
    for (const blob of needed) {
      if (await store.exists(blob, { signal })) continue;
      throw new RegiError('NOT_FOUND', `Cannot find blob ${blob.digest} in ${quote(name)}`, {
        hint: 'the registry has collected it; sync the image from its source again',
      });
    }
  }
}
