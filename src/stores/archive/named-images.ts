import type { Descriptor } from '../../oci/descriptor.ts';
import { isTag, type Repository } from '../../oci/reference.ts';
import { descriptorOf, type LayoutIndex } from '../layout/index-json.ts';
import type { EntryName } from '../layout/names.ts';

/** One name of an image in an archive or layout. */
export interface NamedImage {
  /** `docker.io/library/debian:12`, or what else it is called there; undefined for an image without a name. */
  readonly name: string | undefined;
  /** The tag part of the name. */
  readonly tag: string | undefined;
  /** The registry and repository of a full name; undefined for bare tags, and for names that are no references. */
  readonly repository: Repository | undefined;
  /** As index.json has it; what a tag means to `resolve()` may be one platform of it. */
  readonly root: Descriptor;
}

/** Every entry of an index.json with its name, in its order. @param names those that are references or tags. */
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
