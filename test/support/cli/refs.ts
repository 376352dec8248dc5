import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { main } from '../../../src/main.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { fakeIo, type FakeIoOptions } from './io.ts';

/** Makes a folder with these files. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** A Pod with a container for each image; the first image is at 5:14. */
export function pod(...images: readonly string[]): string {
  return `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n${images.map((image) => `    - image: ${image}\n`).join('')}`;
}

/** Runs `regi refs` in a folder. */
export async function runRefs(
  cwd: string,
  args: readonly string[],
  options: FakeIoOptions = {},
): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
  const io = fakeIo({ cwd, ...options });
  const status = await main(['refs', ...args], io);
  return { status, stdout: io.stdoutText(), stderr: io.stderrText() };
}
