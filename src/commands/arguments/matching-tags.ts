import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { tagFilter } from '../../operations/tags/select-tags.ts';
import { quote } from '../../quote.ts';
import { canListTags } from '../../store.ts';
import type { OpenedStore } from '../../targets/opened-store.ts';

/** No tag matches. Copying nothing is a mistake, not a success. */
export function noTagError(name: string, patterns: readonly string[]): RegiError {
  return new RegiError(
    'NOT_FOUND',
    patterns.length === 0
      ? `Cannot find any tag in "${name}"`
      : `Cannot find a tag in "${name}" that matches ${patterns.map(quote).join(' ')}`,
    { hint: `list them with: regi tags list ${name}` },
  );
}

/** Lists the tags of a repository in its own order. @throws {UsageError} for a place that lists no tags. */
export function tagsOf({ store, name }: OpenedStore, { signal }: Context): AsyncIterable<string> {
  if (canListTags(store)) return store.listTags({ signal });
  throw new UsageError(`Cannot list the tags of "${name}"`, { hint: 'name one tag' });
}

/**
 * Lists the tags of a repository that match patterns; all without patterns.
 *
 * @throws {RegiError} NOT_FOUND at the end, when there was none.
 */
export async function* matchingTags(
  from: OpenedStore,
  patterns: readonly string[],
  context: Context,
): AsyncIterable<string> {
  const accepts = tagFilter(patterns);
  let found = false;
  for await (const tag of tagsOf(from, context)) {
    if (!accepts(tag)) continue;
    found = true;
    yield tag;
  }
  if (!found) throw noTagError(from.name, patterns);
}
