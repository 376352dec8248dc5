import { resolve } from 'node:path';

import { DEFAULT_LANES, type LaneWidths } from '../../concurrency/lanes.ts';
import type { Context } from '../../context.ts';
import { parseHost, parsePasswordPointer } from '../../option-values.ts';
import { lanesOf } from '../../targets/host-lanes.ts';
import type { RegistrySettings } from './schema.ts';

export type RegistryTable = ReadonlyMap<string, RegistrySettings>;

/** Returns the settings for a repository: those of the longest name that begins it. */
export function settingsFor(table: RegistryTable, name: string): RegistrySettings {
  const found = [...table.keys()]
    .filter((key) => name === key || name.startsWith(`${key}/`))
    .toSorted((one, other) => other.length - one.length)[0];
  return (found === undefined ? undefined : table.get(found)) ?? {};
}

/**
 * Returns the context of a run whose connections obey `registries` of the file.
 *
 * @param folder of the file, where its relative paths begin.
 * @throws {UsageError} for a host or credentials that do not parse.
 */
export function withRegistries(context: Context, table: RegistryTable, folder: string): Context {
  if (table.size === 0) return context;
  const hosts = [...table].map(([key, settings]) => ({
    key,
    host: parseHost('registries', key.split('/', 1)[0] ?? ''),
    settings,
  }));
  const authorities = new Map<string, string>();
  const keptPulls = new Map<string, number>();
  for (const { host, settings } of hosts) {
    const { caFile, keepPulls } = settings;
    if (caFile !== undefined) authorities.set(host, resolve(folder, caFile));
    // A limit belongs to the registry, however many names of it the file has.
    if (keepPulls !== undefined) keptPulls.set(host, Math.max(keepPulls, keptPulls.get(host) ?? 0));
  }
  const { settings } = context;
  return {
    ...context,
    settings: {
      ...settings,
      plainHttp: [
        ...settings.plainHttp,
        ...hosts.filter((one) => one.settings.plainHttp === true).map(({ host }) => host),
      ],
      tlsSkipVerify: [
        ...settings.tlsSkipVerify,
        ...hosts.filter((one) => one.settings.tlsSkipVerify === true).map(({ host }) => host),
      ],
      registryAuthorities: authorities,
      keptPulls,
      registryCredentials: new Map(
        hosts.flatMap(({ key, settings: { credentials } }) =>
          credentials === undefined
            ? []
            : [[key, parsePasswordPointer(`credentials of ${key}`, credentials)] as const],
        ),
      ),
    },
  };
}

/** Lanes of a run: `--concurrency`, else that of the file, else the defaults. */
export function lanesWith(context: Context, table: RegistryTable): (place: string) => LaneWidths {
  const lanes = lanesOf(context);
  return (place) => {
    const both = settingsFor(table, place.replace(/^registry:/, '')).concurrency;
    if (both !== undefined && context.settings.concurrency === undefined) return { both };
    return typeof lanes === 'function' ? lanes(place) : (lanes ?? DEFAULT_LANES);
  };
}
