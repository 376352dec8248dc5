import { Lanes } from '../../concurrency/lanes.ts';
import type { Context } from '../../context.ts';
import { RegiError, UNREADABLE } from '../../errors.ts';
import { formatBytes, formatCount } from '../../format.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { repositoryName, type Repository } from '../../oci/reference.ts';
import {
  blobsNotCarried,
  locateBases,
  type BaseNeed,
} from '../../operations/archive/base-layers.ts';
import { PlatformNotFoundError } from '../../operations/copy/choose-platform.ts';
import type { Wanted } from '../../operations/copy/narrow-image.ts';
import { quote } from '../../quote.ts';
import { pageStyle } from '../../render/page-style.ts';
import { tableLines, type Column } from '../../render/table.ts';
import type { Source, Store } from '../../store.ts';
import type { NamedLocation } from '../../targets/location.ts';
import type { ImageSource, Stores } from '../../targets/opened-store.ts';
import { lanesOf } from '../../targets/host-lanes.ts';
import type { NamedJob } from '../copy/jobs.ts';
import { repositoriesOfBase, type ImportNaming, type PlannedImport } from './names.ts';

/** A layer that the archive leaves out, and the store of another repository that holds it. */
export interface HeldBase {
  readonly need: BaseNeed;
  readonly by: Store;
}

/** The layers that an archive leaves out of one image. */
export interface PlannedBases {
  /** Layers to bring to the image's repository before it is copied. */
  readonly held: readonly HeldBase[];
  /** All layers that the archive leaves out; present once those of `held` are brought. */
  readonly digests: ReadonlySet<Digest>;
}

interface PlanBasesOptions {
  readonly naming: ImportNaming;
  readonly wanted: Wanted;
  readonly bases: readonly Repository[];
  readonly stores: Stores;
  readonly context: Context;
}

/** A layer that is needed, and the first image that needs it. */
interface NamedNeed {
  readonly need: BaseNeed;
  readonly label: string;
}

/**
 * Locates the layers that an archive leaves out, for all images before any of them begins. The
 * result is keyed by the name of the image at its destination.
 *
 * @throws {RegiError} NOT_FOUND when a layer is nowhere, after a note that lists all such layers;
 *   or when an image lacks a wanted platform.
 */
export async function planBases(
  imports: readonly (PlannedImport & NamedJob)[],
  { store, omitted }: ImageSource,
  { naming, wanted, bases, stores, context }: PlanBasesOptions,
): Promise<ReadonlyMap<string, PlannedBases>> {
  const { signal } = context;
  const recorded = new Map<Digest, readonly string[]>(
    omitted.map(({ digest, repositories }) => [digest, repositories]),
  );
  const open = storesOf(stores);
  const named = await Promise.all(bases.map((repository) => open('registry', repository)));
  const needs = new Map<string, NamedNeed>();
  const byImage = new Map<string, Map<string, Digest>>();
  for (const { image, reference, destination, label, target } of imports) {
    const keys = new Map<string, Digest>();
    const root = await store.resolve(reference, { signal, whole: wanted.sparse });
    for (const layer of await missingLayers(store, root, label, wanted, signal)) {
      const key = `${destination.place} ${destination.repository} ${layer.digest}`;
      keys.set(key, layer.digest);
      if (needs.has(key)) continue;
      const repositories = (recorded.get(layer.digest) ?? []).flatMap((repository) =>
        repositoriesOfBase(repository, naming),
      );
      const likely = await Promise.all(
        repositories
          .filter(({ domain }) => domain === target.reference.domain)
          .map((repository) => open(target.kind, repository)),
      );
      // Archives of bare tags record no repository; then any destination of this one may hold the
      // layer.
      const others = repositories.length === 0 ? imports.map((other) => other.destination) : [];
      const candidates = distinct([...likely, ...named, ...others], destination);
      needs.set(key, { need: { layer, destination, candidates }, label });
    }
    byImage.set(image, keys);
  }
  const listed = [...needs];
  const origins = await locateBases(
    listed.map(([, { need }]) => need),
    { lanes: new Lanes(lanesOf(context)), signal },
  );
  const held = new Map<string, HeldBase>();
  const missing: NamedNeed[] = [];
  for (const [at, [key, named]] of listed.entries()) {
    const origin = origins[at];
    if (origin?.kind === 'nowhere') missing.push(named);
    if (origin?.kind === 'held') held.set(key, { need: named.need, by: origin.by });
  }
  if (missing.length > 0) throw missingBases(missing, recorded, context);
  return new Map(
    [...byImage].map(([image, keys]) => [
      image,
      {
        held: [...keys.keys()].flatMap((key) => held.get(key) ?? []),
        digests: new Set(keys.values()),
      },
    ]),
  );
}

async function missingLayers(
  store: Source,
  root: Descriptor,
  label: string,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  try {
    return await blobsNotCarried(store, root, wanted, { signal });
  } catch (cause) {
    if (cause instanceof PlatformNotFoundError)
      throw new RegiError(cause.code, `Cannot import ${quote(label)}: ${cause.message}`, {
        hint: cause.hint,
        cause,
      });
    // The copy reports an image that cannot be read, and the others are imported.
    if (wanted.optional && cause instanceof RegiError && UNREADABLE.has(cause.code)) return [];
    throw cause;
  }
}

const MISSING: readonly Column[] = [
  { title: 'MISSING', role: 'detail', isDigest: true },
  { title: 'SIZE', role: 'detail', align: 'right' },
  { title: 'IMAGE', role: 'name', isDigest: true, keepsEnd: true },
  { title: 'CARRIED FOR', rank: 1 },
];

/**
 * Notes which layers are missing, and returns the error that counts them. Nothing has been written
 * by then.
 */
function missingBases(
  missing: readonly NamedNeed[],
  recorded: ReadonlyMap<Digest, readonly string[]>,
  context: Context,
): RegiError {
  const { note, warn, settings } = context;
  const layers = [...new Map(missing.map(({ need }) => [need.layer.digest, need.layer])).values()];
  const rows = missing.map(({ need: { layer }, label }) => [
    layer.digest,
    formatBytes(layer.size),
    label,
    (recorded.get(layer.digest) ?? []).join(' '),
  ]);
  if (settings.json)
    for (const { need, label } of missing)
      warn(`Missing: ${need.layer.digest} (${need.layer.size} bytes) of ${label}`);
  for (const line of tableLines(MISSING, rows, pageStyle(context, 'stderr'))) note(line);
  const carried = [...new Set(layers.flatMap(({ digest }) => recorded.get(digest) ?? []))];
  const names = `${carried.slice(0, 3).join(', ')}${carried.length > 3 ? ', …' : ''}`;
  const size = formatBytes(layers.reduce((sum, layer) => sum + layer.size, 0));
  return new RegiError(
    'NOT_FOUND',
    `Cannot import: the archive leaves out ${formatCount(layers.length, 'layer')} (${size}) that the destination lacks; nothing was written`,
    {
      hint:
        carried.length === 0
          ? 'the archive is incomplete; write it again'
          : `import the earlier archive there first (${names}), name a repository that has the layers with --base REPO, or export without --since`,
    },
  );
}

/** Returns a function that opens each repository once. */
function storesOf(
  stores: Stores,
): (kind: NamedLocation['kind'], repository: Repository) => Promise<Store> {
  const opened = new Map<string, Promise<Store>>();
  return (kind, repository) => {
    const key = `${kind}:${repositoryName(repository)}`;
    const { domain, path } = repository;
    const store =
      opened.get(key) ??
      stores
        .open({ kind, reference: { domain, path } }, 'destination')
        .then((destination) => destination.store);
    opened.set(key, store);
    return store;
  };
}

function distinct(candidates: readonly Store[], { place, repository }: Store): readonly Store[] {
  const others = candidates.filter(
    (store) => store.place === place && store.repository !== repository,
  );
  return [...new Map(others.map((store) => [store.repository, store])).values()];
}
