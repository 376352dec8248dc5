import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { Io } from '../../io.ts';

/** A possible completion of a word. */
export interface CompletedValue {
  /** The completed word. After "/", ":" or "=" at its end, the word continues. */
  readonly value: string;
  /** Its description. */
  readonly note?: string | undefined;
}

/** A longer list would be no help. */
const MOST = 1000;

/**
 * Completes a path. A folder ends with "/". Hidden files are listed only if their dot is typed.
 *
 * @param lead precedes the path in the same word: `oci:`. No shell expands `~` after it.
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
    // The folder does not exist or is not readable.
    return [];
  }
}
