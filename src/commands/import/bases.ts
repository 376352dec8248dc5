import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { formatBytes, formatCount } from '../../format.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { quote } from '../../quote.ts';
import type { Reference, Repository } from '../../oci/reference.ts';
import {
  blobsNotCarried,
  locateBases,
  type BaseNeed,
} from '../../operations/archive/base-layers.ts';
import { PlatformNotFoundError } from '../../operations/copy/choose-platform.ts';
import { Lanes } from '../../concurrency/lanes.ts';
import type { Store } from '../../store.ts';
import type { NamedJob } from '../copy/jobs.ts';
import { lanesOf } from '../arguments/copy-options.ts';
import type { ImageSource } from '../../targets/image-source.ts';
import { repositoriesOfBase, type ImportNaming, type PlannedImport } from './names.ts';
import type { Stores } from '../../targets/open-store.ts';
import { tableLines } from '../../render/text.ts';

/** A layer that the archive leaves out, and the repository beside its destination that has it. */
export interface HeldBase {
  readonly need: BaseNeed;
  readonly by: Store;
}

/** What an archive leaves out of one image. */
export interface PlannedBases {
  /** What has to be brought to its repository first. */
  readonly held: readonly HeldBase[];
  /** All of it: what is there then. */
  readonly digests: ReadonlySet<Digest>;
}

/** Layers that an archive leaves out, and that are not where it goes. Nothing has been written. */
class MissingBaseError extends RegiError {
  readonly layers: readonly Descriptor[];

  constructor(layers: readonly Descriptor[], carried: readonly string[]) {
    const bytes = layers.reduce((sum, { size }) => sum + size, 0);
    super(
      'NOT_FOUND',
      `Cannot import: ${formatCount(layers.length, 'layer')} (${formatBytes(bytes)}) that the archive leaves out ${layers.length === 1 ? 'is' : 'are'} not there; nothing was written`,
      {
        hint:
          carried.length === 0
            ? 'the archive is not whole; write it again'
            : `import the archive before it there first (${carried.slice(0, 3).join(', ')}${carried.length > 3 ? ', …' : ''}), name a repository that has them with --base REPO, or export without --since`,
      },
    );
    this.layers = layers;
  }
}

/** An image that cannot be imported: which. Code and hint are the cause's. */
class ImportError extends RegiError {
  /** What the archive calls it. */
  readonly image: string;

  constructor(image: string, cause: RegiError) {
    super(cause.code, `Cannot import ${quote(image)}: ${cause.message}`, {
      hint: cause.hint,
      cause,
    });
    this.image = image;
  }
}

interface PlanBasesOptions {
  readonly naming: ImportNaming;
  /** Those that are wanted; all when there are none. */
  readonly platforms: readonly Platform[];
  readonly bases: readonly Repository[];
  readonly stores: Stores;
  readonly context: Context;
}

/**
 * Finds what an archive leaves out, for all images before any is begun. By the name of the image at its destination.
 *
 * @throws {MissingBaseError} when a layer is nowhere; the list is told before.
 * @throws {ImportError} when an image has not the platforms that are wanted.
 */
export async function planBases(
  imports: readonly (PlannedImport & { readonly job: NamedJob })[],
  { store, omitted }: ImageSource,
  { naming, platforms, bases, stores, context }: PlanBasesOptions,
): Promise<ReadonlyMap<string, PlannedBases>> {
  const { signal } = context;
  const recorded = new Map<Digest, readonly string[]>(
    omitted.map(({ digest, repositories }) => [digest, repositories]),
  );
  const open = storesOf(stores);
  const named = await Promise.all(bases.map((repository) => open('registry', repository)));
  const needs = new Map<string, NamedNeed>();
  const byImage = new Map<string, Map<string, Digest>>();
  for (const { job, name, target } of imports) {
    const { destination } = job;
    const keys = new Map<string, Digest>();
    for (const layer of await missingLayers({ store, job, name, platforms }, signal)) {
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
      // Archives of bare tags record none; then it may be anywhere that this one goes.
      const others =
        repositories.length === 0 ? imports.map(({ job: other }) => other.destination) : [];
      needs.set(key, {
        need: {
          layer,
          destination,
          candidates: distinct([...likely, ...named, ...others], destination),
        },
        name,
      });
    }
    byImage.set(job.image, keys);
  }
  const listed = [...needs];
  const origins = await locateBases(
    listed.map(([, { need }]) => need),
    { lanes: new Lanes(lanesOf(context)), signal },
  );
  const missing = listed.flatMap(([, need], at) => (origins[at]?.kind === 'nowhere' ? [need] : []));
  if (missing.length > 0) throw refusal(missing, recorded, context);
  const held = new Map(
    listed.flatMap(([key, { need }], at) => {
      const origin = origins[at];
      return origin?.kind === 'held' ? [[key, { need, by: origin.by }] as const] : [];
    }),
  );
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
  {
    store,
    job,
    name,
    platforms,
  }: {
    readonly store: Store;
    readonly job: NamedJob;
    readonly name: string;
    readonly platforms: readonly Platform[];
  },
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  const root = await store.resolve(job.reference, { signal });
  try {
    return await blobsNotCarried(store, root, platforms, { signal });
  } catch (error) {
    throw error instanceof PlatformNotFoundError ? new ImportError(name, error) : error;
  }
}

interface NamedNeed {
  readonly need: BaseNeed;
  /** The first image that needs it. */
  readonly name: string;
}

function refusal(
  missing: readonly NamedNeed[],
  recorded: ReadonlyMap<Digest, readonly string[]>,
  { note, warn, settings }: Context,
): MissingBaseError {
  const layers = [...new Map(missing.map(({ need }) => [need.layer.digest, need.layer])).values()];
  const rows = missing.map(({ need: { layer }, name }) => [
    layer.digest,
    formatBytes(layer.size),
    name,
    (recorded.get(layer.digest) ?? []).join(' '),
  ]);
  if (settings.json)
    for (const { need, name } of missing)
      warn(`Missing: ${need.layer.digest} (${need.layer.size} bytes) of ${name}`);
  for (const line of tableLines([['MISSING', 'SIZE', 'IMAGE', 'CARRIED FOR'], ...rows]))
    note(line.trimEnd());
  return new MissingBaseError(layers, [
    ...new Set(layers.flatMap(({ digest }) => recorded.get(digest) ?? [])),
  ]);
}

/** Each repository is opened once. */
function storesOf(
  stores: Stores,
): (kind: PlannedImport['target']['kind'], repository: Repository) => Promise<Store> {
  const opened = new Map<string, Promise<Store>>();
  return (kind, { domain, path }) => {
    const key = `${kind}:${domain}/${path}`;
    const known = opened.get(key);
    if (known !== undefined) return known;
    const reference: Reference = { domain, path };
    const made = stores.open({ kind, reference }, 'destination').then(({ store }) => store);
    opened.set(key, made);
    return made;
  };
}

function distinct(candidates: readonly Store[], { place, repository }: Store): readonly Store[] {
  const others = candidates.filter(
    (store) => store.place === place && store.repository !== repository,
  );
  return [...new Map(others.map((store) => [store.repository, store])).values()];
}
