import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect } from 'vitest';

import { ROOT } from './root.ts';

/** Compares text with a file of the repository; `UPDATE_GOLDEN=1` writes the file instead. */
export function expectGolden(path: string, found: string): void {
  const file = join(ROOT, path);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, found);
    return;
  }
  const wanted = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  expect(found, `${path} (UPDATE_GOLDEN=1 rewrites it)`).toBe(wanted);
}
