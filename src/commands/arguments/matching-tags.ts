import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
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

/** Called with each item of a list of tags that is none. */
type OnUnusable = (item: unknown) => void;

/**
 * Lists the tags of a repository in its own order.
 *
 * @throws {UsageError} for a place that lists no tags.
 * @throws {RegiError} at the end of a list that breaks off: a part is never called the whole.
 */
export function tagsOf(
  { store, name }: OpenedStore,
  { signal }: Context,
  onUnusable?: OnUnusable,
): AsyncIterable<string> {
  if (canListTags(store)) return store.listTags({ signal, whole: true, onUnusable });
  throw new UsageError(`Cannot list the tags of "${name}"`, { hint: 'name one tag' });
}

/** Counts what was not carried because it could not be read: names that are no tags, and images. */
export class Unusable {
  #count = 0;
  #images = 0;

  add(): void {
    this.#count += 1;
  }

  /** Adds entries of an archive or layout, of which a warning has told. */
  addImages(count: number): void {
    this.#images += count;
  }

  /**
   * @throws {RegiError} PARTIAL_FAILURE if there was any; to be called when the others are done.
   */
  check(): void {
    if (this.#images > 0)
      throw new RegiError(
        'PARTIAL_FAILURE',
        `Cannot carry ${formatCount(this.#images, 'image')}: its entry in index.json cannot be read`,
        { hint: 'all other images were carried; write the archive or layout again' },
      );
    if (this.#count === 0) return;
    throw new RegiError(
      'PARTIAL_FAILURE',
      `Cannot carry ${formatCount(this.#count, 'entry', 'entries')} of the list of tags: no valid tags`,
      { hint: 'all other tags were carried; report the list to the operator of the registry' },
    );
  }
}

/**
 * Lists the tags of a repository that match patterns; all without patterns. Adds the others that
 * patterns do not exclude to `unusable`.
 *
 * @throws {RegiError} NOT_FOUND at the end, when there was none.
 */
export async function* matchingTags(
  from: OpenedStore,
  patterns: readonly string[],
  context: Context,
  unusable?: Unusable,
): AsyncIterable<string> {
  const accepts = tagFilter(patterns);
  let found = false;
  const onUnusable = (item: unknown): void => {
    if (patterns.length === 0 || (typeof item === 'string' && accepts(item))) unusable?.add();
  };
  for await (const tag of tagsOf(from, context, onUnusable)) {
    if (!accepts(tag)) continue;
    found = true;
    yield tag;
  }
  if (!found) throw noTagError(from.name, patterns);
}
