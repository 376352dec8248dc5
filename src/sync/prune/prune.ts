import type { Clock } from '../../clock.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { encodedOf } from '../../oci/digest.ts';
import { readManifest } from '../../operations/copy/read-manifest.ts';
import { resolveIfThere } from '../../operations/copy/resolve-image.ts';
import type { CopySession } from '../../operations/copy/session.ts';
import { untagViaDummy } from '../../operations/edit/untag-via-dummy.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { quote } from '../../quote.ts';
import { isResponseError } from '../../registry/errors.ts';
import { canDelete, canUntag, type Store } from '../../store.ts';
import type { DeletedLog, KeptManifest } from './deleted-log.ts';
import type { Doomed } from './prune-plan.ts';

export interface PruneTarget {
  readonly destination: Store;
  readonly name: string;
  readonly viaDummy: boolean;
  /** Runs a program of the user instead; undefined where none is set for the registry. */
  readonly deleteTag?: ((tag: string) => Promise<void>) | undefined;
}

export interface DeleteOptions {
  readonly signal: AbortSignal;
  readonly dryRun: boolean;
  readonly log: DeletedLog;
  readonly clock: Clock;
}

/**
 * Deletes one tag: reads its manifests, records them on disk, looks once more, deletes.
 *
 * @returns the manifest that it named; undefined where the tag was gone already.
 * @throws {RegiError} when the tag moved meanwhile, or the registry deletes no tag alone.
 */
export async function deleteTag(
  { tag }: Doomed,
  target: PruneTarget,
  session: CopySession,
  { signal, dryRun, log, clock }: DeleteOptions,
): Promise<Descriptor | undefined> {
  const { destination, name } = target;
  const resolve = (): Promise<Descriptor | undefined> =>
    session.ask(destination, signal, () => resolveIfThere(destination, tag, { signal }));
  const planned = await resolve();
  if (planned === undefined || dryRun) return planned;
  const [root, ...below] = await manifestsOf(destination, planned, session, signal);
  if (root === undefined) throw new Error('The manifest of a tag is the first of its manifests');
  await log.add({ name, tag, root, children: below.toReversed() });
  const now = await resolve();
  if (now === undefined) return planned;
  if (now.digest !== planned.digest)
    throw new RegiError(
      'REFUSED',
      `Cannot delete ${quote(`${name}:${tag}`)}: it moved meanwhile, from ${planned.digest} to ${now.digest}`,
      { hint: 'something else writes there; the next run decides again' },
    );
  await remove(tag, target, clock, session, signal);
  return planned;
}

async function remove(
  tag: string,
  { destination, name, viaDummy, deleteTag: program }: PruneTarget,
  clock: Clock,
  session: CopySession,
  signal: AbortSignal,
): Promise<void> {
  const fullName = `${name}:${tag}`;
  if (program !== undefined) {
    await program(tag);
    const left = await session.ask(destination, signal, () =>
      resolveIfThere(destination, tag, { signal }),
    );
    if (left === undefined) return;
    throw new RegiError(
      'REFUSED',
      `Cannot delete ${quote(fullName)}: the program of "deleteTag" left it`,
      {
        hint: 'run the program by hand and read what it says',
      },
    );
  }
  if (viaDummy && canDelete(destination)) {
    const unique = `${clock.now()} ${clock.random()}`;
    await untagViaDummy(destination, tag, { unique, signal });
    return;
  }
  if (!canUntag(destination))
    throw new RegiError(
      'UNSUPPORTED',
      `Cannot delete ${quote(fullName)}: its place deletes no tags`,
    );
  try {
    await session.ask(destination, signal, () => destination.untag(tag, { signal }));
  } catch (error) {
    if (!isResponseError(error, 'REFUSED')) throw error;
    throw new RegiError(
      'REFUSED',
      `Cannot delete ${quote(fullName)}: the registry deletes no tag alone (status ${error.status})`,
      {
        hint: 'write "prune: { viaDummy: true }", or a "deleteTag" program below "registries"',
        cause: error,
      },
    );
  }
}

/** Reads the manifest and all below it, the root first. */
async function manifestsOf(
  destination: Store,
  root: Descriptor,
  session: CopySession,
  signal: AbortSignal,
): Promise<readonly KeptManifest[]> {
  const found: KeptManifest[] = [];
  const seen = new Set<string>([root.digest]);
  const queue = [root];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const descriptor = next;
    let node;
    try {
      node = await session.ask(destination, signal, () =>
        readManifest(destination, descriptor, { signal }),
      );
    } catch (error) {
      // A sparse index has children that the destination lacks.
      const isAbsent = error instanceof RegiError && error.code === 'NOT_FOUND';
      if (!isAbsent || descriptor === root) throw error;
      continue;
    }
    found.push({ descriptor: node.descriptor, bytes: node.bytes });
    if (node.manifest.kind !== 'index') continue;
    for (const child of node.manifest.manifests) {
      if (!isManifestType(child.mediaType) || seen.has(child.digest)) continue;
      seen.add(child.digest);
      queue.push(child);
    }
  }
  return found;
}

/** Counts tags of referrers that a deletion leaves behind. */
export function orphanedTags(tags: ReadonlySet<string>, deleted: readonly Descriptor[]): number {
  const prefixes = deleted.map(({ digest }) => `${digest.split(':')[0]}-${encodedOf(digest)}`);
  return [...tags].filter((tag) => prefixes.some((prefix) => tag.startsWith(prefix))).length;
}
