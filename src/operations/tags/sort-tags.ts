import type SemVer from 'semver/classes/semver.js';

import { versionOf } from './select-tags.ts';

export const TAG_ORDERS = ['name', 'semver', 'created'] as const;
/** `name`, `semver` or `created`. */
export type TagOrder = (typeof TAG_ORDERS)[number];

/** A tag with its sort keys. */
export interface SortableTag {
  /** The tag. */
  readonly tag: string;
  /** Creation time of the image, from its config; used only for that order. */
  readonly created?: string | undefined;
}

/**
 * Sorts tags by name like `LC_ALL=C sort`, or by version or age with the newest first, so that a
 * limit keeps the newest. Tags without a version or date come last. Equal tags are sorted by name.
 */
export function sortTags<Row extends SortableTag>(
  rows: readonly Row[],
  order: TagOrder,
): readonly Row[] {
  if (order === 'name') return rows.toSorted(byName);
  if (order === 'created')
    return sortedBy(
      rows,
      ({ created }) => dateOf(created),
      (a, b) => b - a,
    );
  return sortedBy(
    rows,
    ({ tag }) => versionOf(tag),
    (a: SemVer, b: SemVer) => b.compare(a),
  );
}

function sortedBy<Row extends SortableTag, Key>(
  rows: readonly Row[],
  keyOf: (row: Row) => Key | undefined,
  compare: (a: Key, b: Key) => number,
): readonly Row[] {
  const keyed = rows.map((row) => ({ row, key: keyOf(row) }));
  return keyed
    .toSorted((a, b) => {
      if (a.key !== undefined && b.key !== undefined)
        return compare(a.key, b.key) || byName(a.row, b.row);
      return Number(a.key === undefined) - Number(b.key === undefined) || byName(a.row, b.row);
    })
    .map(({ row }) => row);
}

function byName(a: SortableTag, b: SortableTag): number {
  return a.tag < b.tag ? -1 : Number(a.tag > b.tag);
}

function dateOf(text: string | undefined): number | undefined {
  const date = Date.parse(text ?? '');
  return Number.isNaN(date) ? undefined : date;
}
