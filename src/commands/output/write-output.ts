import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import type { Bytes } from '../../store.ts';

/**
 * Writes the file of `-o`, complete or not at all.
 *
 * @param typed the path as typed.
 * @param name an example of a file name, for the hint.
 * @throws {UsageError} when its folder is missing, or the path is a folder, device or pipe.
 */
export async function writeOutput(
  typed: string,
  content: Bytes,
  { io, signal }: Context,
  name = 'blob',
): Promise<void> {
  const [{ writeAtomically }, { systemProcesses }, { TempFiles }, { ifPresent }] =
    await Promise.all([
      import('../../disk/atomic-write.ts'),
      import('../../disk/processes.ts'),
      import('../../disk/temp-files.ts'),
      import('../../disk/errno.ts'),
    ]);
  const path = resolve(io.cwd, typed);
  const folder = dirname(path);
  const [found, parent] = await Promise.all(
    [path, folder].map((each) => ifPresent('write', each, stat(each))),
  );
  const refuse = (problem: string, hint: string): UsageError =>
    new UsageError(`Cannot write to ${quote(typed)}: ${problem}`, { hint });
  if (parent === undefined)
    throw refuse(
      `there is no folder ${quote(folder)}`,
      `create it first: mkdir -p ${JSON.stringify(folder)}`,
    );
  if (found?.isDirectory() === true)
    throw refuse(
      'expected a file, found a folder',
      `name a file in it: -o ${typed.replace(/\/+$/, '')}/${name}`,
    );
  // Renaming would replace a device by a file; root could do so even to /dev/null.
  if (found?.isFile() === false)
    throw refuse(
      'expected a file, found a device or pipe',
      'drop -o, and redirect standard output',
    );
  await writeAtomically(path, await new TempFiles(folder, systemProcesses).next(), content, {
    signal,
  });
}

/**
 * Prepares bytes from a registry for standard output: unchanged for a pipe or file, as text for a terminal, whose
 * writer then escapes control characters.
 */
export function exactBytes(bytes: Uint8Array, { io }: Context): string | Uint8Array {
  return io.stdout.isTTY ? new TextDecoder().decode(bytes) : bytes;
}
