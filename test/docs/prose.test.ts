import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** All pages except those generated from the commands. */
const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).flatMap((name) =>
    name.endsWith('.md') && !name.startsWith('commands/') ? [`docs/${name}`] : [],
  ),
];
/**
 * Words that CONTRIBUTING.md asks writers to avoid; in code and in quotation marks they are
 * examples.
 */
const AVOIDED = /\b(?:nobody|whoever|go(?:es)? on|(?:is|are) told|leaves? away|so many)\b/gi;
const MAX_COLUMNS = 120;

describe.each(PAGES)('%s', (page) => {
  const prose = readFileSync(join(ROOT, page), 'utf8')
    .replaceAll(/^ *```.*?^ *```$/gms, '')
    .split('\n')
    .filter((line) => !line.startsWith('|'));

  test('has at most 120 columns outside of tables and code', () => {
    expect(prose.filter((line) => line.length > MAX_COLUMNS)).toEqual([]);
  });

  test('uses no words that CONTRIBUTING.md advises against', () => {
    const text = prose.join('\n').replaceAll(/`[^`]*`|"[^"]*"/g, '');
    expect(text.match(AVOIDED) ?? []).toEqual([]);
  });
});
