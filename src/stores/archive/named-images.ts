import { isTag } from '../../oci/reference.ts';
import type { NamedImage } from '../../store.ts';
import { descriptorOf, type LayoutIndex } from '../layout/index-json.ts';
import type { EntryName } from '../layout/names.ts';

/** Lists the entries of an index.json by name, in their order. @param names the names that are references or tags. */
export function namedImages(
  { entries }: LayoutIndex,
  names: readonly EntryName[],
): readonly NamedImage[] {
  const byEntry = new Map(names.map((named) => [named.entry, named]));
  return entries.map((entry) => {
    const named = byEntry.get(entry);
    const text = named?.text ?? entry.imageName ?? entry.refName;
    return {
      name: text,
      tag: named?.tag,
      repository: named === undefined || isTag(named.text) ? undefined : named.repository,
      root: descriptorOf(entry),
    };
  });
}
