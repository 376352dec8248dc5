import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { CopySession } from '../../operations/copy/session.ts';
import type { SyncEntry } from '../file/entry.ts';
import type { RepositoryPlan } from '../plan/plan.ts';
import type { Route } from '../plan/routes.ts';
import type { SyncRow } from '../run/row.ts';
import type { DeletedLog } from './deleted-log.ts';
import { deleteTag, orphanedTags, type PruneTarget } from './prune.ts';
import { mayWriteTo, planPrune } from './prune-plan.ts';

export interface PruneRepositoryOptions {
  readonly session: CopySession;
  readonly context: Context;
  readonly signal: AbortSignal;
  readonly dryRun: boolean;
  readonly log: DeletedLog;
  readonly maxDelete: number | undefined;
  /** Entries that did not run now. */
  readonly absent: readonly SyncEntry[];
  /** Runs a program of the user for a deletion; undefined where none is set for the registry. */
  readonly deleteTag: PruneTarget['deleteTag'];
  readonly failed: (route: Route, error: RegiError, tag?: string) => SyncRow;
}

/**
 * Deletes what the entries of one destination no longer want, after everything else of it has
 * ended.
 *
 * @param rows of what else was done there.
 */
export async function pruneRepository(
  plan: RepositoryPlan,
  rows: readonly SyncRow[],
  options: PruneRepositoryOptions,
): Promise<readonly SyncRow[]> {
  const { session, context, signal, dryRun, log, maxDelete, absent, failed } = options;
  const { name, destination } = plan;
  const isComplete = rows.every(({ status }) => status !== 'failed' && status !== 'deferred');
  const absentWriter = mayWriteTo(absent, name);
  const decided = planPrune(plan, { maxDelete, isComplete, absentWriter });
  if (decided.kind === 'blocked') return [failed(decided.route, decided.error)];
  if (decided.kind === 'none') {
    if (decided.note !== undefined) context.note(decided.note);
    return [];
  }
  const { viaDummy } = decided.rule;
  const target = { destination, name, viaDummy, deleteTag: options.deleteTag };
  const { clock } = context.io;
  const deleted: Descriptor[] = [];
  const pruned: SyncRow[] = [];
  for (const doomed of decided.tags) {
    const { tag, reason, route } = doomed;
    try {
      const root = await deleteTag(doomed, target, session, { signal, dryRun, log, clock });
      if (root === undefined) continue;
      deleted.push(root);
      const why = reason === 'gone' ? 'its source lacks it' : '"latest" dropped it';
      if (dryRun) context.note(`Would delete ${name}:${tag}: ${why}`);
      const { digest } = root;
      const entry = route.entry.name;
      pruned.push({ entry, source: undefined, name, tag, status: 'deleted', digest });
    } catch (error) {
      if (!(error instanceof RegiError) || signal.aborted) throw error;
      pruned.push(failed(route, error, tag));
    }
  }
  const orphans = orphanedTags(plan.destinationTags ?? new Set(), deleted);
  if (orphans > 0)
    context.note(`${orphans} tags of signatures and other referrers stay in "${name}"`);
  return pruned;
}
