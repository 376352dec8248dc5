import { dirname } from 'node:path';

import { bytesOf } from '../bytes.ts';
import type { CallOptions } from '../store.ts';
import { writeAtomically } from './atomic-write.ts';
import { systemProcesses } from './processes.ts';
import { TempFiles } from './temp-files.ts';

/** Writes a small file whole or not at all, in place of what was there. */
export async function replaceFile(path: string, content: Uint8Array, options: CallOptions = {}): Promise<void> {
  const temps = new TempFiles(dirname(path), systemProcesses);
  await writeAtomically(path, await temps.next(), bytesOf(content), options);
}
