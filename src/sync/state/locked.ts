import { writeFile } from 'node:fs/promises';

import { guarded } from '../../disk/errno.ts';
import { UsageError } from '../../errors.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { imageName, repositoryName, type Reference } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import type { SyncEntry } from '../file/entry.ts';
import { formatLock, parseLock, type LockLine } from './lock-file.ts';
import { explicitReference, partsOfRepository } from '../file/names.ts';
import { isPlace } from '../file/places.ts';
import { routesOfImage, type Route } from '../plan/routes.ts';
import type { SyncRow } from '../run/row.ts';
import type { Shard } from '../plan/shard.ts';

/** A route of one locked image. */
export interface LockedRoute extends Route {
  readonly bytes: number;
}

/**
 * Makes routes of a LOCK: exactly these digests, with the settings of their entries.
 *
 * @param folder of the file of entries, where its relative paths begin.
 * @throws {RegiError} at a line without a destination, or of an entry that the file lacks.
 */
export function lockedRoutes(
  text: string,
  name: string,
  entries: readonly SyncEntry[],
  folder: string,
): readonly LockedRoute[] {
  return parseLock(text, name).flatMap((line): LockedRoute[] => {
    const entry = entries.find((one) => one.name === line.facts.get('entry'));
    const only = explicitReference(line.source);
    const { destination } = line;
    if (only === undefined || destination === undefined)
      throw new UsageError(
        `Cannot use ${name}: expected a destination beside ${quote(line.source)}`,
        {
          hint: 'write the lock with: regi sync --write-lock LOCK FILE',
        },
      );
    if (entry === undefined)
      throw new UsageError(
        `Cannot use ${name}: the file has no entry ${quote(line.facts.get('entry') ?? '')}`,
        { hint: 'write the lock again with --write-lock, or name the entries as before' },
      );
    const route = isPlace(destination)
      ? placeRoute(entry, only, destination, folder)
      : registryRoute(entry, only, destination);
    if (route === undefined)
      throw new UsageError(
        `Cannot use ${name}: entry ${quote(entry.name)} does not write to ${quote(destination)}`,
        { hint: 'write the lock again with --write-lock' },
      );
    return [{ ...route, bytes: Number(line.facts.get('bytes') ?? 0) || 0 }];
  });
}

function registryRoute(entry: SyncEntry, only: Reference, text: string): Route | undefined {
  const destination = explicitReference(text);
  if (destination === undefined) return undefined;
  const source = { domain: only.domain, path: only.path };
  const { domain, path, tag } = destination;
  return {
    entry,
    source,
    only,
    parts: partsOfRepository(source, source.path),
    destination: { kind: 'registry', reference: { domain, path } },
    name: repositoryName(destination),
    tag: tag ?? '{tag}',
  };
}

/**
 * Finds the route of the entry that gives an image this name in an archive, a layout or the local
 * store.
 */
function placeRoute(
  entry: SyncEntry,
  only: Reference,
  text: string,
  folder: string,
): Route | undefined {
  return routesOfImage(entry, only, folder).find(
    ({ name, tag }) => imageName(name, { tag: tag.replaceAll('{tag}', only.tag ?? '') }) === text,
  );
}

/**
 * Chooses the routes of one shard so that the bytes of all are about equal. All machines come to
 * the same split, for it depends on the lock alone.
 */
export function shareByBytes(
  routes: readonly LockedRoute[],
  { index, count }: Shard,
): readonly LockedRoute[] {
  const weights = new Map<string, number>();
  for (const { name, bytes } of routes) weights.set(name, (weights.get(name) ?? 0) + bytes);
  const loads = Array.from({ length: count }, () => 0);
  const chosen = new Set<string>();
  const heaviest = [...weights].toSorted(
    ([one, first], [other, second]) => second - first || (one < other ? -1 : 1),
  );
  for (const [name, bytes] of heaviest) {
    const lightest = loads.indexOf(Math.min(...loads));
    // One byte more, or repositories of unknown size would all go to the first.
    loads[lightest] = (loads[lightest] ?? 0) + bytes + 1;
    if (lightest === index - 1) chosen.add(name);
  }
  return routes.filter(({ name }) => chosen.has(name));
}

/** Collects the images of a run for `--write-lock`. */
export class LockWriter {
  readonly #lines: LockLine[] = [];
  readonly #entries: ReadonlyMap<string, SyncEntry>;

  constructor(entries: readonly SyncEntry[]) {
    this.#entries = new Map(entries.map((entry) => [entry.name, entry]));
  }

  add({ entry, source, name, tag, status, digest, sourceDigest, bytes }: SyncRow): void {
    const isThere = status === 'new' || status === 'moved' || status === 'same';
    if (!isThere || source === undefined || sourceDigest === undefined) return;
    const platforms = this.#entries.get(entry)?.platforms.map((one) => formatPlatform(one)) ?? [];
    const facts: [string, string][] = [['entry', entry]];
    if (bytes !== undefined) facts.push(['bytes', String(bytes)]);
    if (platforms.length > 0) facts.push(['platforms', platforms.join(',')]);
    if (digest !== undefined && digest !== sourceDigest) facts.push(['digest', digest]);
    this.#lines.push({
      source: source.includes('@') ? source : `${source}@${sourceDigest}`,
      destination: tag === undefined ? `${name}@${sourceDigest}` : `${name}:${tag}`,
      facts: new Map(facts),
    });
  }

  /** @throws {RegiError} when the file cannot be written. */
  async write(path: string): Promise<void> {
    await guarded('write', path, writeFile(path, formatLock(this.#lines)));
  }
}
