import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import { selectDeletable, type TaggedImage } from '../../operations/tags/select-deletable.ts';
import { tagFilter } from '../../operations/tags/select-tags.ts';
import { parseAge } from '../../option-values.ts';
import { quote } from '../../quote.ts';
import { canListTags } from '../../store.ts';
import type { OpenedStore, Stores } from '../../targets/opened-store.ts';
import { parseSourceRepository } from '../../targets/path.ts';
import { flag, value, values } from '../arguments/arguments.ts';

/** Tags that are resolved at the same time. */
export const AT_ONCE = 16;
/** More names would hide the question. */
const NAMES_SHOWN = 10;

/** True if tags are selected by name or age, and the arguments are repositories. */
export function selectsTags(args: ParsedArguments): boolean {
  return values(args, 'match').length > 0 || value(args, 'older-than') !== undefined;
}

/** The selected tags of a repository. */
export interface SelectedTags {
  readonly opened: OpenedStore;
  readonly tags: readonly TaggedImage[];
}

/**
 * Selects the tags of `--match` and `--older-than` in each repository, notes what stays and why,
 * and asks once.
 *
 * @param what is deleted: `tag`, or `image`.
 * @throws {RegiError} FAILED when the person does not confirm.
 */
export async function confirmedTags(
  args: ParsedArguments,
  what: 'tag' | 'image',
  stores: Stores,
  context: Context,
): Promise<readonly SelectedTags[]> {
  const { io, signal, settings, note } = context;
  const isDryRun = flag(args, 'dry-run');
  const isSure = flag(args, 'yes') || isDryRun;
  if (!isSure && !io.stdin.isTTY) throw cannotAsk();
  const age = value(args, 'older-than');
  const before = age === undefined ? undefined : io.clock.now() - parseAge('--older-than', age);
  const accepts = tagFilter(values(args, 'match'));
  const limit = settings.concurrency ?? AT_ONCE;
  const locations = await Promise.all(
    args.positionals.map((text) => parseSourceRepository(text, io)),
  );
  const selected: SelectedTags[] = [];
  for (const location of locations) {
    const opened = await stores.open(location, 'change');
    const { store, name } = opened;
    if (!canListTags(store))
      throw new UsageError(`Cannot list the tags of "${name}"`, { hint: 'name each tag' });
    const found = await selectDeletable(store, { accepts, before, limit, signal });
    for (const { tag, by } of found.shared)
      note(`Kept ${name}:${tag}: the tag ${quote(by)}, which stays, needs the same image`);
    for (const tag of found.undated) note(`Kept ${name}:${tag}: its image has no date`);
    if (found.tags.length === 0) note(`No tag of ${name} is to be deleted`);
    else {
      note(
        `Selected ${formatCount(found.tags.length, 'tag')} of ${name}: ${shortened(found.tags)}`,
      );
      selected.push({ opened, tags: found.tags });
    }
  }
  const all = selected.flatMap(({ opened: { name }, tags }) =>
    tags.map(({ tag, root }) => (what === 'tag' ? `${name}:${tag}` : `${name}@${root.digest}`)),
  );
  if (!isSure && all.length > 0) await confirm(formatCount(new Set(all).size, what), context);
  return selected;
}

/** The command cannot ask, and may not delete unasked. */
export function cannotAsk(): UsageError {
  return new UsageError('Cannot ask whether to delete: standard input is no terminal', {
    hint: 'add --yes to delete without confirmation, or --dry-run to see what would be deleted',
  });
}

function shortened(tags: readonly TaggedImage[]): string {
  const rest = tags.length - NAMES_SHOWN;
  const shown = tags.slice(0, NAMES_SHOWN).map(({ tag }) => tag);
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

async function confirm(count: string, { io, signal }: Context): Promise<void> {
  const reply = await io.stdin.ask(`Delete ${count}? [y/N] `, { hidden: false, signal });
  if (!/^y(?:es)?$/i.test(reply?.trim() ?? ''))
    throw new RegiError('FAILED', `Cannot delete ${count}: it was not confirmed`, {
      hint: 'nothing was deleted; reply y, or add --yes',
    });
}
