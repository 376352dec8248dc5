import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { parseDigest } from '../../oci/digest.ts';
import { copyImage, type CopyJob } from '../../operations/copy/copy-image.ts';
import { copyImages } from '../../operations/copy/copy-images.ts';
import { indexEntries } from '../../operations/edit/edit-index.ts';
import { memorySource, type MemoryNode } from '../../operations/edit/memory-source.ts';
import { readManifest, type ManifestNode } from '../../operations/copy/read-manifest.ts';
import { CopySession } from '../../operations/copy/session.ts';
import { hasReferrers } from '../../operations/referrers/warn.ts';
import type { Source } from '../../store.ts';
import { lanesOf } from '../arguments/copy-options.ts';
import { digestRow, type DigestRow } from '../output/digest-row.ts';
import { parseLocation, type Location } from '../../targets/location.ts';
import type { OpenedStore, Stores } from '../../targets/open-store.ts';

/** Entries for an index, and the store that each is to be copied from. */
export interface GatheredEntry {
  readonly entry: Descriptor;
  readonly source: Source;
}

/**
 * What an index is to list of those images, in their order.
 *
 * @param near `@sha256:…` means an image of this repository or layout.
 */
export async function gatherEntries(
  texts: readonly string[],
  near: Location,
  stores: Stores,
  { signal }: Context,
): Promise<readonly GatheredEntry[]> {
  // Parsed before the first is asked for.
  const locations = texts.map((text) => parseNear(text, near));
  const gathered = await Promise.all(
    locations.map(async (location) => {
      const { store, reference } = await stores.open(location, 'source');
      return (await indexEntries(store, reference, { signal })).map((entry): GatheredEntry => ({
        entry,
        source: store,
      }));
    }),
  );
  return gathered.flat();
}

function parseNear(text: string, near: Location): Location {
  if (!text.startsWith('@')) return parseLocation(text);
  const digest = parseDigest(text.slice(1));
  return 'path' in near
    ? { ...near, reference: undefined, digest }
    : { ...near, reference: { domain: near.reference.domain, path: near.reference.path, digest } };
}

/** Brings what an index is to list to where the index goes. What is in that repository already costs nothing. */
export async function landEntries(
  gathered: readonly GatheredEntry[],
  { store, name }: OpenedStore,
  context: Context,
): Promise<void> {
  const jobs = gathered
    .filter(({ source }) => source.place !== store.place || source.repository !== store.repository)
    .map(({ entry, source }): CopyJob => ({
      source,
      reference: entry.digest,
      destination: store,
      image: `${name}@${entry.digest}`,
    }));
  const { signal, onEvent } = context;
  for await (const _ of copyImages(jobs, { signal, onEvent, lanes: lanesOf(context) }));
}

/** Puts an index there, and names it. Its entries are there. */
export async function landIndex(
  index: MemoryNode,
  { store, name, tag, pinned, defaultTag }: OpenedStore,
  context: Context,
): Promise<DigestRow> {
  const { signal, onEvent } = context;
  const given = tag ?? (pinned === undefined ? defaultTag : undefined);
  const { digest } = index.descriptor;
  const image = given === undefined ? `${name}@${digest}` : `${name}:${given}`;
  const job: CopyJob = {
    source: memorySource([index]),
    reference: digest,
    destination: store,
    tag: given,
    image,
  };
  return digestRow(await copyImage(job, { signal, onEvent, lanes: lanesOf(context) }), name);
}

/** Reads the index that is to be changed. */
export async function readIndex(
  { store, reference }: OpenedStore,
  { signal }: Context,
): Promise<ManifestNode> {
  return readManifest(store, await store.resolve(reference, { signal }), { signal });
}

/** A changed index has a digest of its own: signatures of the old one say nothing of it. */
export async function warnOfSignatures(
  before: ManifestNode,
  { digest }: DigestRow,
  { store }: OpenedStore,
  context: Context,
): Promise<void> {
  const { signal, warn } = context;
  const session = new CopySession({ lanes: lanesOf(context) });
  if (
    before.descriptor.digest === digest ||
    !(await hasReferrers(session, store, before.descriptor, signal))
  )
    return;
  warn(
    'The index had signatures or other referrers, which say nothing of the changed one',
    'sign it again, and attach again what belongs to it',
  );
}
