import { readFileSync } from 'node:fs';

import { expect } from 'vitest';
import * as z from 'zod';

/** What docs/json.schema.json describes, by the name of the command. */
const { $defs } = JSON.parse(
  readFileSync(new URL('../../docs/json.schema.json', import.meta.url), 'utf8'),
) as {
  readonly $defs: Readonly<Record<string, object>>;
};

export function hasSchema(name: string): boolean {
  return Object.hasOwn($defs, name);
}

/** Whether the object is what the schema of that name says, and has no member more. */
export function fitsSchema(name: string, row: unknown): boolean {
  const schema = z.fromJSONSchema({ $ref: `#/$defs/${name}`, $defs } as Parameters<
    typeof z.fromJSONSchema
  >[0]);
  return schema.safeParse(row).success;
}

/** As `fitsSchema()`, and nothing in it is `null`. */
export function expectSchema(name: string, row: unknown): void {
  expect(fitsSchema(name, row), `${name}: ${JSON.stringify(row)}`).toBe(true);
  JSON.stringify(row, (key, value: unknown) => {
    expect(value, `${name}: ${key}`).not.toBeNull();
    return value;
  });
}

/** The objects of an answer, one a line. */
export function rowsOf(lines: string): readonly unknown[] {
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}
