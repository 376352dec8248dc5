import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { Io } from '../../io.ts';

/** What a value could become. */
export interface CompletedValue {
  readonly value: string;
  readonly note?: string | undefined;
}

/** A folder of more entries than this is no help to look at. */
const MOST = 1000;

/**
 * The files and folders that a path could become; a folder ends with "/". Hidden ones only when their dot is typed.
 *
 * @param lead stands before the path in the same word: `oci:`. No shell expands `~` behind one.
 */
export async function pathValues(
  lead: string,
  path: string,
  { cwd, home }: Pick<Io, 'cwd' | 'home'>,
): Promise<readonly CompletedValue[]> {
  const slash = path.lastIndexOf('/') + 1;
  const [folder, name] = [path.slice(0, slash), path.slice(slash)];
  const expanded =
    lead === '' && folder.startsWith('~/') ? resolve(home, folder.slice(2)) : resolve(cwd, folder);
  try {
    const entries = await readdir(expanded, { withFileTypes: true });
    return entries
      .filter(
        (entry) =>
          entry.name.startsWith(name) && (name.startsWith('.') || !entry.name.startsWith('.')),
      )
      .slice(0, MOST)
      .map((entry) => ({
        value: `${lead}${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`,
      }));
  } catch {
    // No such folder, or not ours to read: nothing to offer.
    return [];
  }
}
