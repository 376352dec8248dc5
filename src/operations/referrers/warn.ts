import pLimit from 'p-limit';

import type { Descriptor } from '../../oci/descriptor.ts';
import { canListReferrers, canListTags, type CallOptions, type Source } from '../../store.ts';
import { cosignTags } from './copy.ts';
import { resolveIfThere } from '../copy/resolve-image.ts';

export interface WarnOptions extends CallOptions {
  readonly warn: (message: string, hint?: string) => void;
  readonly concurrency?: number | undefined;
  /** What `hasReferrers()` answered before. */
  readonly known?: boolean | undefined;
}

/**
 * Says so when something at the source signs or describes an image that was copied without it.
 * Only a source that lists referrers is asked, and a question it cannot answer is no reason to fail a finished copy.
 */
export async function warnOfReferrers(
  source: Source,
  root: Descriptor,
  { signal, warn, concurrency, known }: WarnOptions,
): Promise<void> {
  if (!(known ?? (await hasReferrers(source, root, { signal }, concurrency)))) return;
  warn(
    'The image has signatures or other referrers, which were not copied',
    'add --referrers to copy them too',
  );
}

/** Whether anything is known to sign or describe that image; a place that cannot say has nothing. */
export async function hasReferrers(
  source: Source,
  root: Descriptor,
  options: CallOptions,
  concurrency = 2,
): Promise<boolean> {
  const atOnce = pLimit(concurrency);
  // Side by side: on a long line each is a round trip that the user waits for with the copy done. And the copy is whole: whoever cannot list
  // referrers here has nothing to be warned of.
  const answers = await Promise.allSettled(
    [hasSignature, isReferredTo].map((ask) => atOnce(ask, source, root, options)),
  );
  options.signal?.throwIfAborted();
  return answers.some((answer) => answer.status === 'fulfilled' && answer.value);
}

/** cosign keeps signatures under a tag made of the digest. */
async function hasSignature(
  source: Source,
  root: Descriptor,
  options: CallOptions,
): Promise<boolean> {
  const [signature] = cosignTags(root.digest);
  return (
    signature !== undefined &&
    canListTags(source) &&
    (await resolveIfThere(source, signature, options)) !== undefined
  );
}

async function isReferredTo(
  source: Source,
  root: Descriptor,
  options: CallOptions,
): Promise<boolean> {
  if (!canListReferrers(source)) return false;
  for await (const _ of source.listReferrers(root, options)) return true;
  return false;
}
