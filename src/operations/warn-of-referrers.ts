import type { Descriptor } from '../oci/descriptor.ts';
import { canListReferrers, canListTags, type CallOptions, type Source } from '../store.ts';
import { cosignTags } from './copy-referrers.ts';
import { resolveIfThere } from './resolve-if-there.ts';

/**
 * Says so when something at the source signs or describes an image that was copied without it.
 * Only a source that lists referrers is asked, and a question it cannot answer is no reason to fail a finished copy.
 */
export async function warnOfReferrers(
  source: Source,
  root: Descriptor,
  { signal, warn }: CallOptions & { readonly warn: (message: string, hint?: string) => void },
): Promise<void> {
  if (!(await hasReferrers(source, root, { signal }))) return;
  warn('The image has signatures or other referrers, which were not copied', 'add --referrers to copy them too');
}

async function hasReferrers(source: Source, root: Descriptor, options: CallOptions): Promise<boolean> {
  try {
    const [signature] = cosignTags(root.digest);
    if (signature !== undefined && canListTags(source) && (await resolveIfThere(source, signature, options)) !== undefined) return true;
    if (!canListReferrers(source)) return false;
    for await (const _ of source.listReferrers(root, options)) return true;
    return false;
  } catch {
    // The copy is whole; whoever cannot list referrers here has nothing to be warned of.
    options.signal?.throwIfAborted();
    return false;
  }
}
