import { RegiError } from '../../errors.ts';
import { repositoryName } from '../../oci/reference.ts';
import { tagFilter } from '../../operations/tags/select-tags.ts';
import { quote } from '../../quote.ts';
import type { PruneRule, SyncEntry } from '../file/entry.ts';
import { repositoryKey } from '../file/names.ts';
import type { PlannedRoute, RepositoryPlan } from '../plan/plan.ts';
import { matchesAny, type Route } from '../plan/routes.ts';
import { isDigestTag } from '../../oci/digest.ts';

/** A tag that only the destination still needs to lose. */
export interface Doomed {
  readonly tag: string;
  readonly reason: 'gone' | 'old';
  readonly route: Route;
}

export type PrunePlan =
  /** No entry prunes here, or another run has to decide. */
  | { readonly kind: 'none'; readonly note?: string | undefined }
  | { readonly kind: 'blocked'; readonly route: Route; readonly error: RegiError }
  | { readonly kind: 'doomed'; readonly rule: PruneRule; readonly tags: readonly Doomed[] };

export interface PruneOptions {
  /** Most deletions in one repository; a tenth of its tags when absent. */
  readonly maxDelete: number | undefined;
  /**
   * True if everything that the file writes there ran now, and nothing of it failed or was
   * deferred.
   */
  readonly isComplete: boolean;
  /** An entry of the file that may write there and did not run now. */
  readonly absentWriter: string | undefined;
}

/** So few deletions are no accident, in repositories of any size. */
const ALWAYS_ALLOWED = 3;
const SHARE = 0.1;

/**
 * Decides which tags of one destination go. Pure: each doubt means that none goes.
 *
 * A tag goes only if the patterns of an entry that prunes take it, the whole source list lacks it
 * (or `latest` dropped it, with `old`), no entry selects it, and nothing keeps it.
 */
export function planPrune(plan: RepositoryPlan, options: PruneOptions): PrunePlan {
  const pruning = plan.routes.filter(({ route }) => route.entry.prune !== undefined);
  const [first] = pruning;
  const rule = first?.route.entry.prune;
  if (first === undefined || rule === undefined) return { kind: 'none' };
  const blocked = (problem: string, hint: string): PrunePlan => ({
    kind: 'blocked',
    route: first.route,
    error: new RegiError('REFUSED', `Cannot prune ${quote(plan.name)}: ${problem}`, { hint }),
  });
  if (options.absentWriter !== undefined)
    return {
      kind: 'none',
      note: `Nothing is pruned in "${plan.name}": entry "${options.absentWriter}" may write there and did not run`,
    };
  // The failure itself decides the exit status.
  if (!options.isComplete)
    return { kind: 'none', note: `Nothing is pruned in "${plan.name}": not everything succeeded` };
  const other = pruning.find(({ route }) => !isSameRule(route.entry.prune, rule));
  if (other !== undefined)
    return blocked(
      `entries ${quote(first.route.entry.name)} and ${quote(other.route.entry.name)} prune it differently`,
      'write the same "prune" in both',
    );
  const unlisted = plan.routes.find(({ sourceTags }) => (sourceTags?.size ?? 0) === 0);
  if (unlisted !== undefined)
    return blocked(
      `the list of its source ${quote(repositoryName(unlisted.route.source))} is empty or unknown`,
      'a failed source is never taken for an empty one; check it with: regi tags list',
    );
  if (plan.destinationTags === undefined)
    return blocked('its tags cannot be listed', 'check it with: regi tags list');
  const { tags, taken } = doomedTags(plan, plan.destinationTags, pruning, rule);
  const allowed = options.maxDelete ?? Math.max(ALWAYS_ALLOWED, Math.floor(taken * SHARE));
  if (tags.length > allowed)
    return blocked(
      `expected at most ${allowed} tags to delete, found ${tags.length} of ${taken}`,
      `check them with --dry-run; to delete them: --max-delete ${tags.length}`,
    );
  return { kind: 'doomed', rule, tags };
}

function doomedTags(
  { routes }: RepositoryPlan,
  destinationTags: ReadonlySet<string>,
  pruning: readonly PlannedRoute[],
  rule: PruneRule,
): { readonly tags: readonly Doomed[]; readonly taken: number } {
  const wanted = new Set(routes.flatMap(({ images }) => images.map(({ tag }) => tag)));
  const isKept = matchesAny(rule.keep);
  const judges = pruning.map(createJudge);
  const tags: Doomed[] = [];
  let taken = 0;
  for (const tag of [...destinationTags].toSorted()) {
    if (isDigestTag(tag)) continue;
    const verdicts = judges.map((judge) => judge(tag)).filter((verdict) => verdict !== undefined);
    if (verdicts.length === 0) continue;
    taken += 1;
    if (wanted.has(tag) || isKept(tag)) continue;
    const found = verdicts.find(({ reason }) => reason !== undefined);
    // A source that has the tag and did not drop it as old speaks for it.
    const isDefended = verdicts.some(({ reason }) => reason === undefined);
    if (found?.reason === undefined || isDefended) continue;
    tags.push({ tag, reason: found.reason, route: found.route });
  }
  return { tags, taken };
}

interface Verdict {
  readonly route: Route;
  /** Undefined where the entry gives no reason to delete it. */
  readonly reason: Doomed['reason'] | undefined;
}

/** Judges a tag of the destination; undefined where the patterns of the entry do not take it. */
function createJudge({
  route,
  selected,
  sourceTags,
}: PlannedRoute): (tag: string) => Verdict | undefined {
  const { prune, selection } = route.entry;
  const accepts = tagFilter(selection.tags);
  const old = new Set(selected?.old);
  return (tag) => {
    const source = sourceTagOf(route.tag, tag);
    if (source === undefined || selected === undefined || isDigestTag(source) || !accepts(source))
      return undefined;
    if (sourceTags?.has(source) === false)
      return { route, reason: prune?.gone === true ? 'gone' : undefined };
    return { route, reason: prune?.old === true && old.has(source) ? 'old' : undefined };
  };
}

/** Undoes `up-{tag}`; undefined where the template could not have made the tag. */
function sourceTagOf(template: string, tag: string): string | undefined {
  const at = template.indexOf('{tag}');
  if (at < 0) return undefined;
  const [before, after] = [template.slice(0, at), template.slice(at + '{tag}'.length)];
  const isMade =
    tag.length > before.length + after.length && tag.startsWith(before) && tag.endsWith(after);
  return isMade && !after.includes('{tag}')
    ? tag.slice(before.length, tag.length - after.length)
    : undefined;
}

function isSameRule(one: PruneRule | undefined, other: PruneRule): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/**
 * Finds an entry that may write to a repository, for entries that did not run or could not be
 * listed.
 */
export function mayWriteTo(entries: readonly SyncEntry[], name: string): string | undefined {
  const key = repositoryKey(name);
  const short = key.replace(/^docker\.io\/library\//, 'docker.io/');
  return entries.find(({ to }) =>
    to.some((destination) => {
      const repository =
        destination.kind === 'place'
          ? nameOfPlace(destination.text)
          : repositoryKey(destination.template.replace(/:[^:/]*$/, ''));
      const text = repository
        .split(/\{\w+\}/)
        .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
        .join('.+');
      const pattern = new RegExp(`^${text}$`);
      return pattern.test(key) || pattern.test(short);
    }),
  )?.name;
}

/**
 * One folder has many spellings, and the local store has a name for every repository: any may be
 * meant.
 */
function nameOfPlace(text: string): string {
  return `${text.slice(0, text.indexOf(':'))}:{repository}`;
}
