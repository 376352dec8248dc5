import type { Context } from '../../context.ts';
import { repositoryName } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import type { PlannedRoute, RepositoryPlan } from '../plan/plan.ts';

/**
 * Warns of patterns that took nothing; in a dry run also notes what each step of a selection did.
 */
export function describePlan(
  { routes, name }: Pick<RepositoryPlan, 'name' | 'routes'>,
  dryRun: boolean,
  { note }: Pick<Context, 'note'>,
  warnOnce: (message: string) => void,
): void {
  for (const { route, selected } of routes) {
    if (selected === undefined) continue;
    const source = repositoryName(route.source);
    for (const pattern of selected.idle)
      warnOnce(`Pattern ${quote(pattern)} of ${quote(route.entry.name)} takes no tag of ${source}`);
    if (dryRun) note(`${source} -> ${name}: ${stepsOf(selected)}`);
  }
}

function stepsOf({ steps, tags }: NonNullable<PlannedRoute['selected']>): string {
  const fallen = steps.flatMap(({ step, before, after, samples }) => {
    const dropped = before - after;
    const more = dropped > samples.length ? ', …' : '';
    return dropped === 0 ? [] : [`${step} dropped ${dropped} (${samples.join(', ')}${more})`];
  });
  const found = steps[0]?.before ?? tags.length;
  return [`${found} tags found`, ...fallen, `${tags.length} selected`].join('; ');
}
