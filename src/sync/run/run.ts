import pLimit from 'p-limit';

import { inOrder } from '../../concurrency/in-order.ts';
import type { LaneWidths } from '../../concurrency/lanes.ts';
import { eitherSignal } from '../../concurrency/together.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { repositoryName } from '../../oci/reference.ts';
import { PartialFailureError } from '../../operations/copy/copy-images.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';
import { CopySession } from '../../operations/copy/session.ts';
import { leftOutError } from '../../operations/referrers/left-out.ts';
import { PullsKeptError } from '../../registry/pull-quota.ts';
import { isArchive } from '../../targets/location.ts';
import { openGate } from '../../targets/open-gate.ts';
import type { Stores } from '../../targets/opened-store.ts';
import type { Gate } from '../../trust/gate.ts';
import type { TrustPolicy, TrustRule } from '../../trust/policy.ts';
import { ruleOf } from './rule-of.ts';
import type { FactCache } from '../state/cache.ts';
import type { PlannedManifests } from '../state/planned-manifests.ts';
import type { DeletedLog } from '../prune/deleted-log.ts';
import type { SyncEntry } from '../file/entry.ts';
import { syncImage, type ImageWork } from './image.ts';
import {
  planRepository,
  planSources,
  sourceName,
  type PlanOptions,
  type RepositoryPlan,
} from '../plan/plan.ts';
import { syncArchive } from './archive.ts';
import { createdDates } from './created.ts';
import { describePlan } from './describe.ts';
import { RegistryPrograms } from './registry-programs.ts';
import { pruneRepository } from '../prune/prune-repository.ts';
import { groupRoutes, type Route, type SyncWork } from '../plan/routes.ts';
import { destinationOf, SyncTotals, type SyncRow } from './row.ts';
import type { RegistryTable } from '../file/settings.ts';

export interface SyncOptions {
  readonly dryRun: boolean;
  /** A dry run that reads no manifest. */
  readonly heads: boolean;
  readonly force: boolean;
  /** Asks for the digest of every tag, also of immutable ones. */
  readonly needsDigests: boolean;
  readonly failFast: boolean;
  /** False leaves every tag, whatever the entries say. */
  readonly prune: boolean;
  readonly maxDelete: number | undefined;
  readonly log: DeletedLog;
  /** Entries of the file that do not run now. Where they may write, nothing is pruned. */
  readonly absent: readonly SyncEntry[];
  readonly registries: RegistryTable;
  /** Relative paths of the file begin here. */
  readonly folder: string;
  /** Rules that entries name with `verify`. */
  readonly policies: ReadonlyMap<string, TrustRule>;
  /** The policy of the command line, for all images. */
  readonly policy: TrustPolicy | undefined;
  /** The folder of the file, for its programs; undefined runs none. */
  readonly programsIn: string | undefined;
  readonly cache: FactCache;
  readonly manifests: PlannedManifests;
  readonly lanes: ((place: string) => LaneWidths) | LaneWidths | undefined;
}

/** Repositories whose lists and rows are held at once: this bounds memory. */
const REPOSITORIES_AT_ONCE = 16;
/**
 * Images walked at once, over all repositories. A link of long round trips needs that many to fill
 * its lanes.
 */
const IMAGES_AT_ONCE = 64;

/**
 * Makes the destinations of the entries equal to their sources, and yields a row for each image in
 * the order of the entries. A dry run is the same walk over destinations that only remember.
 *
 * @throws {PartialFailureError} at the end, when anything failed; {RegiError} RATE_LIMITED when
 *   only limits of registries stopped it.
 */
export async function* runSync(
  work: SyncWork,
  options: SyncOptions,
  stores: Stores,
  context: Context,
): AsyncGenerator<SyncRow> {
  const run = new SyncRun(options, stores, context);
  yield* run.rows(work);
}

/** Bytes of one image, and the entry that its warnings are about. */
interface Account {
  readonly entry: SyncEntry;
  bytes: number;
  mounted: number;
}

class SyncRun {
  readonly #options: SyncOptions;
  readonly #stores: Stores;
  readonly #context: Context;
  readonly #session: CopySession;
  readonly #totals = new SyncTotals();
  readonly #limit = pLimit(IMAGES_AT_ONCE);
  readonly #warned = new Set<string>();
  readonly #programs: RegistryPrograms;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** Entries that may write to any repository that their `to` describes, and did not run. */
  #absent: readonly SyncEntry[];

  constructor(options: SyncOptions, stores: Stores, context: Context) {
    this.#options = options;
    this.#stores = stores;
    this.#absent = options.absent;
    this.#context = context;
    this.#programs = new RegistryPrograms(options.registries, options.programsIn, context);
    this.#signal = eitherSignal(this.#stop.signal, context.signal);
    this.#session = new CopySession({
      force: options.force,
      lanes: options.lanes,
      keptManifests: options.manifests,
      onEvent: (event) => this.#onEvent(event),
    });
  }

  async *rows({ routes, unlisted, orphans = [] }: SyncWork): AsyncGenerator<SyncRow> {
    const { io, signal, note } = this.#context;
    const begun = io.clock.now();
    for (const { entry, error } of unlisted)
      yield this.#counted(failedRow(entry, undefined, entry.to.map(textOf).join(' '), error));
    this.#absent = [...this.#absent, ...unlisted.map(({ entry }) => entry)];
    if (this.#options.prune)
      for (const name of orphans)
        note(`Repository ${name} is left as it is: its source is in the list of no wildcard`);
    const groups = groupRoutes(routes);
    async function* listed(): AsyncGenerator<readonly Route[]> {
      yield* groups;
    }
    const limits = { limit: REPOSITORIES_AT_ONCE, signal: this.#signal };
    for await (const rows of inOrder(listed(), limits, (group) => this.#attempt(group)))
      for (const row of rows) yield this.#counted(row);
    signal.throwIfAborted();
    const { dryRun, heads } = this.#options;
    note(this.#totals.text(io.clock.now() - begun, { dryRun, heads }));
    this.#throwOutcome();
  }

  #throwOutcome(): void {
    const failed = this.#totals.count('failed') + this.#totals.count('deferred');
    if (this.#totals.outcome === 'done') return;
    if (this.#totals.outcome === 'failed')
      throw new PartialFailureError(this.#totals.count('failed'), this.#totals.images);
    if (this.#totals.outcome === 'lacking') throw leftOutError(this.#totals.lacking);
    throw new RegiError(
      'RATE_LIMITED',
      `Cannot finish: limits of registries stopped ${failed} of ${this.#totals.images} images`,
      { hint: 'run the same command again later: content that arrived is not copied twice' },
    );
  }

  #counted(row: SyncRow): SyncRow {
    const full = this.#options.dryRun ? { ...row, dryRun: true } : row;
    this.#totals.add(full);
    return full;
  }

  /** Never rejects: what is no failure of an image ends the run. */
  async #attempt(group: readonly Route[]): Promise<readonly SyncRow[]> {
    try {
      return await (isArchiveGroup(group) ? this.#syncArchive(group) : this.#syncRepository(group));
    } catch (error) {
      if (this.#signal.aborted) return [];
      const [first] = group;
      if (first === undefined || !(error instanceof RegiError)) {
        this.#stop.abort(error);
        return [];
      }
      return [this.#failed(first, undefined, first.name, error)];
    }
  }

  /** Writes the one archive of its routes. */
  async #syncArchive(group: readonly Route[]): Promise<readonly SyncRow[]> {
    const plan = await planSources(group, this.#session, this.#stores, this.#planOptions());
    const { name, routes, failures } = plan;
    const rows = failures.map(({ route, reference, error }) =>
      this.#failed(route, reference, name, error),
    );
    this.#describe(plan);
    const images = routes.flatMap((planned) => planned.images.map((image) => ({ planned, image })));
    const written = await syncArchive(images, {
      ...this.#options,
      session: this.#session,
      stores: this.#stores,
      context: this.#context,
      signal: this.#signal,
      limit: this.#limit,
      failed: ({ planned: { route }, image }, error) =>
        this.#failed(route, image.reference, name, error, image.tag),
      gateOf: (route, reference) => this.#gateOf(route, reference),
    });
    return [...rows, ...written];
  }

  async #syncRepository(group: readonly Route[]): Promise<readonly SyncRow[]> {
    const plan = await planRepository(group, this.#session, this.#stores, this.#planOptions());
    const rows = plan.failures.map(({ route, reference, error }) =>
      this.#failed(route, reference, plan.name, error),
    );
    this.#describe(plan);
    const works = plan.routes.flatMap((planned) =>
      planned.images.map((image) => ({
        planned,
        image,
        destination: plan.destination,
        name: plan.name,
        destinationTags: plan.destinationTags,
      })),
    );
    const synced = await Promise.all(works.map((work) => this.#limit(() => this.#syncOne(work))));
    const all = [...rows, ...synced.filter((row) => row !== undefined)];
    if (!this.#options.prune || this.#signal.aborted) return all;
    return [
      ...all,
      ...(await pruneRepository(plan, all, {
        ...this.#options,
        session: this.#session,
        context: this.#context,
        signal: this.#signal,
        absent: this.#absent,
        deleteTag: this.#programs.deleting(plan.name),
        failed: (route, error, tag) => this.#failed(route, undefined, plan.name, error, tag),
      })),
    ];
  }

  #planOptions(): PlanOptions {
    return {
      signal: this.#signal,
      asksAll: this.#options.force || this.#options.needsDigests,
      prune: this.#options.prune,
      createdOf: (source, tags) =>
        createdDates(source, tags, {
          session: this.#session,
          cache: this.#options.cache,
          signal: this.#signal,
          limit: this.#limit,
        }),
    };
  }

  /** Returns undefined once the run is stopped. */
  async #syncOne(work: ImageWork): Promise<SyncRow | undefined> {
    const { planned, image, name } = work;
    const { route } = planned;
    if (this.#signal.aborted) return undefined;
    const account: Account = { entry: route.entry, bytes: 0, mounted: 0 };
    const { force, heads, cache } = this.#options;
    try {
      const gate = await this.#gateOf(route, image.reference);
      const options = {
        signal: this.#signal,
        force,
        heads,
        cache,
        stores: this.#stores,
        gate,
      };
      // A node that several images share is counted for the one that brings it.
      const session = this.#session.withEvents((event) => this.#onEvent(event, account));
      const synced = await this.#programs.creating(name, this.#signal, () =>
        syncImage(work, session, options),
      );
      return {
        entry: route.entry.name,
        source: sourceName(route, image.reference),
        name,
        tag: image.tag,
        ...synced,
        ...(!heads && { bytes: account.bytes, mounted: account.mounted }),
      };
    } catch (error) {
      if (this.#signal.aborted) return undefined;
      if (error instanceof RegiError)
        return this.#failed(route, image.reference, name, error, image.tag);
      this.#stop.abort(error);
      return undefined;
    }
  }

  async #gateOf(route: Route, reference: string): Promise<Gate | undefined> {
    const found = ruleOf(route, reference, this.#options);
    return found && openGate(found, sourceName(route, reference), this.#stores);
  }

  #failed(
    { entry, source }: Route,
    reference: string | undefined,
    name: string,
    error: RegiError,
    tag = reference,
  ): SyncRow {
    const from =
      reference === undefined
        ? repositoryName(source)
        : `${repositoryName(source)}${reference.includes(':') ? '@' : ':'}${reference}`;
    const row = failedRow(entry, from, name, error, tag);
    if (isKeptPull(error)) return { ...row, status: 'deferred' };
    this.#context.onEvent({ kind: 'failed', image: destinationOf(row), error });
    if (this.#options.failFast) this.#stop.abort(error);
    return row;
  }

  #describe(plan: Pick<RepositoryPlan, 'name' | 'routes'>): void {
    describePlan(plan, this.#options.dryRun, this.#context, (message) => this.#warnOnce(message));
  }

  #onEvent(event: CopyEvent, account?: Account): void {
    if (event.kind === 'copied' && account !== undefined) account.bytes += event.target.size;
    if (event.kind === 'mounted' && account !== undefined) account.mounted += event.target.size;
    if (event.kind === 'warning') {
      const about = account === undefined ? '' : ` (entry "${account.entry.name}")`;
      // The number of manifests in it differs from image to image.
      const key = `${account?.entry.name ?? ''} ${event.message.replaceAll(/\d+/g, '')}`;
      if (!this.#warned.has(key)) {
        this.#warned.add(key);
        this.#context.warn(`${event.message}${about}`, event.hint);
      }
      return;
    }
    // A row says so.
    if (event.kind === 'unchanged' || event.kind === 'kept' || event.kind === 'note') return;
    this.#context.onEvent(event);
  }

  #warnOnce(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#context.warn(message);
  }
}

function failedRow(
  { name: entry }: SyncEntry,
  source: string | undefined,
  name: string,
  error: RegiError,
  tag?: string,
): SyncRow {
  return { entry, source, name, tag, status: 'failed', error };
}

function isArchiveGroup([first]: readonly Route[]): boolean {
  return first !== undefined && isArchive(first.destination);
}

/** True if `keepPulls` stopped an image. */
function isKeptPull(error: unknown): boolean {
  return error instanceof PullsKeptError || (error instanceof Error && isKeptPull(error.cause));
}

function textOf(to: SyncEntry['to'][number]): string {
  return to.kind === 'place' ? to.text : to.template;
}
