import { AsyncLocalStorage } from 'node:async_hooks';

import pLimit from 'p-limit';

import { inOrder } from '../../concurrency/in-order.ts';
import type { LaneWidths } from '../../concurrency/lanes.ts';
import { eitherSignal } from '../../concurrency/together.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { repositoryName } from '../../oci/reference.ts';
import { PartialFailureError } from '../../operations/copy/copy-images.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';
import { CopySession } from '../../operations/copy/session.ts';
import { leftOutError } from '../../operations/referrers/left-out.ts';
import { readCreated } from '../../operations/inspect/read-created.ts';
import type { Store } from '../../store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import type { FactCache } from '../state/cache.ts';
import type { DeletedLog } from '../prune/deleted-log.ts';
import type { SyncEntry } from '../file/entry.ts';
import { syncImage, type ImageWork } from './image.ts';
import { planRepository, sourceName, type PlanOptions, type RepositoryPlan } from '../plan/plan.ts';
import { RegistryPrograms } from './registry-programs.ts';
import { deleteTag, orphanedTags } from '../prune/prune.ts';
import { mayWriteTo, planPrune } from '../prune/prune-plan.ts';
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
  /** The folder of the file, for its programs; undefined runs none. */
  readonly programsIn: string | undefined;
  readonly cache: FactCache;
  readonly lanes: ((place: string) => LaneWidths) | LaneWidths | undefined;
}

/** Repositories whose lists and rows are held at once: this bounds memory. */
const REPOSITORIES_AT_ONCE = 16;
/** Images walked at once, over all repositories. */
const IMAGES_AT_ONCE = 64;

/**
 * Makes the destinations of the entries equal to their sources, and yields a row for each image in the
 * order of the entries. A dry run is the same walk over destinations that only remember.
 *
 * @throws {PartialFailureError} at the end, when anything failed; {RegiError} RATE_LIMITED when only
 *   limits of registries stopped it.
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
  /** A node that several images share is counted for the one that brings it. */
  readonly #accounts = new AsyncLocalStorage<Account>();
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
      onEvent: (event) => this.#onEvent(event),
    });
  }

  async *rows({ routes, unlisted }: SyncWork): AsyncGenerator<SyncRow> {
    const { io, signal, note } = this.#context;
    const begun = io.clock.now();
    for (const { entry, error } of unlisted)
      yield this.#counted(failedRow(entry, undefined, entry.to.map(textOf).join(' '), error));
    this.#absent = [...this.#absent, ...unlisted.map(({ entry }) => entry)];
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
      return await this.#syncRepository(group);
    } catch (error) {
      if (this.#signal.aborted) return [];
      const [first] = group;
      if (first === undefined || !(error instanceof RegiError)) {
        this.#stop.abort(error);
        return [];
      }
      return [this.#failed(first, undefined, repositoryName(first.destination), error)];
    }
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
    return [...all, ...(await this.#prune(plan, all))];
  }

  /** Runs when everything else of the repository has ended. */
  async #prune(plan: RepositoryPlan, rows: readonly SyncRow[]): Promise<readonly SyncRow[]> {
    const { dryRun, log, maxDelete } = this.#options;
    const { name, destination } = plan;
    const isComplete = rows.every(({ status }) => status !== 'failed' && status !== 'deferred');
    const absentWriter = mayWriteTo(this.#absent, name);
    const decided = planPrune(plan, { maxDelete, isComplete, absentWriter });
    if (decided.kind === 'blocked')
      return [this.#failed(decided.route, undefined, name, decided.error)];
    if (decided.kind === 'none') {
      if (decided.note !== undefined) this.#context.note(decided.note);
      return [];
    }
    const target = {
      destination,
      name,
      viaDummy: decided.rule.viaDummy,
      deleteTag: this.#programs.deleting(name),
    };
    const { clock } = this.#context.io;
    const options = { signal: this.#signal, dryRun, log, clock };
    const deleted: Descriptor[] = [];
    const pruned: SyncRow[] = [];
    for (const doomed of decided.tags) {
      const { tag, reason, route } = doomed;
      try {
        const root = await deleteTag(doomed, target, this.#session, options);
        if (root === undefined) continue;
        deleted.push(root);
        const why = reason === 'gone' ? 'its source lacks it' : '"latest" dropped it';
        if (dryRun) this.#context.note(`Would delete ${name}:${tag}: ${why}`);
        const { digest } = root;
        pruned.push({
          entry: route.entry.name,
          source: undefined,
          name,
          tag,
          status: 'deleted',
          digest,
        });
      } catch (error) {
        if (!(error instanceof RegiError) || this.#signal.aborted) throw error;
        pruned.push(this.#failed(route, undefined, name, error, tag));
      }
    }
    const orphans = orphanedTags(plan.destinationTags ?? new Set(), deleted);
    if (orphans > 0)
      this.#context.note(`${orphans} tags of signatures and other referrers stay in "${name}"`);
    return pruned;
  }

  #planOptions(): PlanOptions {
    return {
      signal: this.#signal,
      asksAll: this.#options.force || this.#options.needsDigests,
      prune: this.#options.prune,
      createdOf: (source, tags) => this.#createdOf(source, tags),
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
      const options = { signal: this.#signal, force, heads, cache };
      const synced = await this.#accounts.run(account, () =>
        this.#programs.creating(name, this.#signal, () => syncImage(work, this.#session, options)),
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
    this.#context.onEvent({ kind: 'failed', image: destinationOf(row), error });
    if (this.#options.failFast) this.#stop.abort(error);
    return row;
  }

  /** Shows what a selection did, and warns of patterns that took nothing. */
  #describe({ routes, name }: RepositoryPlan): void {
    for (const { route, selected } of routes) {
      if (selected === undefined) continue;
      const source = repositoryName(route.source);
      for (const pattern of selected.idle)
        this.#warnOnce(
          `Pattern ${JSON.stringify(pattern)} of "${route.entry.name}" takes no tag of ${source}`,
        );
      if (!this.#options.dryRun) continue;
      const steps = selected.steps.map(({ step, before, after, samples }) => {
        const dropped = before - after;
        return dropped === 0
          ? undefined
          : `${step} dropped ${dropped} (${samples.join(', ')}${dropped > samples.length ? ', …' : ''})`;
      });
      const found = selected.steps[0]?.before ?? selected.tags.length;
      this.#context.note(
        [
          `${source} -> ${name}: ${found} tags found`,
          ...steps.filter((step) => step !== undefined),
          `${selected.tags.length} selected`,
        ].join('; '),
      );
    }
  }

  async #createdOf(
    source: Store,
    tags: readonly string[],
  ): Promise<ReadonlyMap<string, string | undefined>> {
    const { cache } = this.#options;
    const signal = this.#signal;
    const pairs = await Promise.all(
      tags.map((tag) =>
        this.#limit(async (): Promise<readonly [string, string | undefined]> => {
          const root = await this.#session.ask(source, signal, () =>
            source.resolve(tag, { signal }),
          );
          const known = cache.get(root.digest)?.created;
          if (known !== undefined) return [tag, known === '' ? undefined : known];
          const created = await this.#session.ask(source, signal, () =>
            readCreated(source, root, { signal }),
          );
          cache.set(root.digest, { created: created ?? '' });
          return [tag, created];
        }),
      ),
    );
    return new Map(pairs);
  }

  #onEvent(event: CopyEvent): void {
    const account = this.#accounts.getStore();
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
    if (event.kind === 'unchanged' || event.kind === 'kept') return;
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

function textOf(to: SyncEntry['to'][number]): string {
  return to.kind === 'place' ? to.text : to.template;
}
