import type { Descriptor } from '../../oci/descriptor.ts';
import { canListTags, type Source } from '../../store.ts';
import { resolveIfThere } from '../copy/resolve-image.ts';
import type { CopySession } from '../copy/session.ts';
import { cosignTags, walkReferrers } from './walk.ts';

/**
 * True if the source is known to hold a signature or another referrer of that image. False also
 * where the source cannot say: without a list of referrers there is nothing to warn about.
 *
 * @throws the signal's reason when it has aborted, and nothing else.
 */
export async function hasReferrers(
  session: CopySession,
  source: Source,
  root: Descriptor,
  signal: AbortSignal,
): Promise<boolean> {
  // At the same time: on a long line each is a round trip that the user waits for.
  const outcomes = await Promise.allSettled([
    hasSignature(session, source, root, signal),
    isReferredTo(session, source, root, signal),
  ]);
  signal.throwIfAborted();
  return outcomes.some((outcome) => outcome.status === 'fulfilled' && outcome.value);
}

async function hasSignature(
  session: CopySession,
  source: Source,
  { digest }: Descriptor,
  signal: AbortSignal,
): Promise<boolean> {
  const [tag] = cosignTags(digest);
  if (tag === undefined || !canListTags(source)) return false;
  const found = await session.ask(source, signal, () => resolveIfThere(source, tag, { signal }));
  return found !== undefined;
}

async function isReferredTo(
  session: CopySession,
  source: Source,
  root: Descriptor,
  signal: AbortSignal,
): Promise<boolean> {
  for await (const _ of walkReferrers(session, source, [root], { signal })) return true;
  return false;
}
