import { readFileSync } from 'node:fs';

import { expect } from 'vitest';
import * as z from 'zod';

/** The schemas of docs/json.schema.json by command. */
const { $defs } = JSON.parse(
  readFileSync(new URL('../../docs/json.schema.json', import.meta.url), 'utf8'),
) as {
  readonly $defs: Readonly<Record<string, object>>;
};

export function hasSchema(name: string): boolean {
  return Object.hasOwn($defs, name);
}

/** True if the object matches the schema of that name and has no other members. */
export function fitsSchema(name: string, row: unknown): boolean {
  const schema = z.fromJSONSchema({ $ref: `#/$defs/${name}`, $defs } as Parameters<
    typeof z.fromJSONSchema
  >[0]);
  return schema.safeParse(row).success;
}

/** Asserts that the object matches the schema and contains no `null`. */
export function expectSchema(name: string, row: unknown): void {
  expect(fitsSchema(name, row), `${name}: ${JSON.stringify(row)}`).toBe(true);
  JSON.stringify(row, (key, value: unknown) => {
    expect(value, `${name}: ${key}`).not.toBeNull();
    return value;
  });
}

/** Parses output with one JSON object a line. */
export function rowsOf(lines: string): readonly unknown[] {
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}
