import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import type { Bytes } from '../../store.ts';

/**
 * Writes a file of `-o`. It is there whole, or not at all.
 *
 * @param typed as it was written; relative to where the command runs.
 * @param name such a file might have, for the hint.
 * @throws {UsageError} when there is no folder for it, or something that is no file has its name.
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
  const [there, parent] = await Promise.all(
    [path, folder].map(async (name) => ifPresent('write', name, stat(name))),
  );
  if (parent === undefined)
    throw new UsageError(
      `Cannot write to ${JSON.stringify(typed)}: there is no folder ${JSON.stringify(folder)}`,
      {
        hint: `make it first: mkdir -p ${JSON.stringify(folder)}`,
      },
    );
  if (there?.isDirectory() === true) {
    throw new UsageError(
      `Cannot write to ${JSON.stringify(typed)}: expected a file, found a folder`,
      {
        hint: `name a file in it: -o ${typed.replace(/\/+$/, '')}/${name}`,
      },
    );
  }
  // A device would be replaced by a file, which root may do even to /dev/null.
  if (there?.isFile() === false) {
    throw new UsageError(
      `Cannot write to ${JSON.stringify(typed)}: expected a file, found a device or pipe`,
      {
        hint: 'leave out -o, and redirect standard output',
      },
    );
  }
  await writeAtomically(path, await new TempFiles(folder, systemProcesses).next(), content, {
    signal,
  });
}

/**
 * Bytes of a registry for standard output: exactly as they are for a pipe or file; on a terminal as text, so that nothing in them
 * can move its cursor or turn its text around.
 */
export function exactBytes(bytes: Uint8Array, { io }: Context): string | Uint8Array {
  return io.stdout.isTTY ? new TextDecoder().decode(bytes) : bytes;
}
