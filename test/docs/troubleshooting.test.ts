import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What stands between numbers and omissions: those are filled in when regi speaks. */
function piecesOf(phrase: string): readonly string[] {
  return phrase.split(/\d+|…/).filter((piece) => piece.trim().length > 5);
}

test('docs/troubleshooting.md quotes what regi says', () => {
  const page = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8');
  const phrases = [...page.matchAll(/^\| [^|]*`(?<phrase>[^`|]+)`[^|]* \|/gm)].map(
    ({ groups }) => groups?.['phrase'] ?? '',
  );
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts'),
  );
  const source = files.map((name) => readFileSync(join(ROOT, 'src', name), 'utf8')).join('\n');
  expect(phrases.length).toBeGreaterThan(10);
  expect(
    phrases.filter((phrase) => !piecesOf(phrase).every((piece) => source.includes(piece.trim()))),
  ).toEqual([]);
});
