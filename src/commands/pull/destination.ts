import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import {
  parseLocation,
  parseRepositoryLocation,
  type ArchiveLocation,
} from '../../targets/location.ts';

/** Where `regi pull` puts images. */
export type PullDestination =
  | { readonly kind: 'local' }
  | { readonly kind: 'layout'; readonly path: string }
  | { readonly kind: 'archive'; readonly to: ArchiveLocation };

/**
 * What `--output` means: a folder when it ends with "/" or is one, else a file. Without it the local store.
 *
 * @throws {UsageError} when it names neither.
 */
export async function pullDestination(
  output: string | undefined,
  { io }: Context,
): Promise<PullDestination> {
  if (output === undefined) return { kind: 'local' };
  if (/^(?:oci|local|dir|(?:docker-|oci-)?archive):/.test(output)) {
    const location = output.startsWith('oci:')
      ? parseRepositoryLocation(output)
      : parseLocation(output);
    if (location.kind === 'oci') return { kind: 'layout', path: location.path };
    if ('path' in location && location.kind !== 'dir')
      return { kind: 'archive', to: { ...location, kind: location.kind } };
    throw new UsageError(`Cannot pull into "${output}": expected a file or a folder`, {
      hint: 'leave out -o for the local store',
    });
  }
  if (/[\\/]$/.test(output)) return { kind: 'layout', path: output.replace(/(?<=.)[\\/]+$/, '') };
  if (await isFolder(resolve(io.cwd, output))) return { kind: 'layout', path: output };
  return { kind: 'archive', to: { kind: 'archive', path: output } };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    // What cannot be looked at is made, or refused, when it is opened.
    return false;
  }
}
