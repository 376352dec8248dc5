import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { tagFilter } from '../../operations/tags/select-tags.ts';
import { canListTags } from '../../store.ts';
import type { OpenedStore } from '../../targets/open-store.ts';

/** No tag of a repository is wanted. Nothing to move is a mistake, not a success. */
export function noTagError(name: string, patterns: readonly string[]): RegiError {
  return new RegiError(
    'NOT_FOUND',
    patterns.length === 0
      ? `Cannot find any tag in "${name}"`
      : `Cannot find a tag in "${name}" that matches ${patterns.map((pattern) => JSON.stringify(pattern)).join(' ')}`,
    {
      hint: `see what is there: regi tags list ${name}`,
    },
  );
}

/**
 * The tags of a repository that patterns take, in its own order; all without patterns.
 *
 * @throws {NoTagError} at the end, when there was none.
 */
export async function* matchingTags(
  from: OpenedStore,
  patterns: readonly string[],
  { signal }: Context,
): AsyncIterable<string> {
  const accepts = tagFilter(patterns);
  if (!canListTags(from.store))
    throw new UsageError(`Cannot list the tags of "${from.name}"`, { hint: 'name one tag' });
  let found = false;
  for await (const tag of from.store.listTags({ signal })) {
    if (!accepts(tag)) continue;
    found = true;
    yield tag;
  }
  if (!found) throw noTagError(from.name, patterns);
}
