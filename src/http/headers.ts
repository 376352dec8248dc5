import type { HttpHeaders } from './message.ts';

/** Makes headers of names in any case; values of a repeated name are joined with ", ". */
export function headersOf(values: Readonly<Record<string, string | readonly string[] | undefined>>): HttpHeaders {
  const byName = new Map<string, string>();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const lower = name.toLowerCase();
    const before = byName.get(lower);
    const joined = typeof value === 'string' ? value : value.join(', ');
    byName.set(lower, before === undefined ? joined : `${before}, ${joined}`);
  }
  return { get: (name) => byName.get(name.toLowerCase()), entries: () => byName.entries() };
}
