import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { LIMITS } from '../src/limits.ts';

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url));
const FILES = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && name !== 'limits.ts',
);
const USED = FILES.map((name) => readFileSync(join(SOURCE, name), 'utf8')).join('\n');
const TEXT = readFileSync(join(SOURCE, 'limits.ts'), 'utf8');

test.each(Object.entries(LIMITS))('%s is a bound that is kept, and says why', (name, value) => {
  expect(Number.isSafeInteger(value) && value > 0).toBe(true);
  expect(USED).toContain(`LIMITS.${name}`);
  expect(TEXT).toMatch(new RegExp(`/\\*\\*(?:(?!\\*/)[^])+\\*/\\n {2}${name}:`));
});
