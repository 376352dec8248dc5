import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import {
  isArchive,
  parseLocation,
  parseRepositoryLocation,
  type ArchiveLocation,
  type LayoutLocation,
} from '../../targets/location.ts';
import { kindOfPath } from '../../targets/path.ts';

/** The value of `--output`, parsed. */
export type OutputDestination =
  | { readonly kind: 'layout'; readonly location: LayoutLocation }
  | { readonly kind: 'archive'; readonly location: ArchiveLocation };

/**
 * Parses `--output`: a layout folder when it ends with "/" or is one, else an archive. Prefixes are
 * accepted.
 *
 * @throws {UsageError} when it names neither.
 */
export async function parseOutput(output: string, { io }: Context): Promise<OutputDestination> {
  if (/^(?:oci|local|dir|(?:docker-|oci-)?archive):/.test(output)) {
    const location = output.startsWith('oci:')
      ? parseRepositoryLocation(output)
      : parseLocation(output);
    if (location.kind === 'oci') return { kind: 'layout', location };
    if (isArchive(location)) return { kind: 'archive', location };
    throw new UsageError(`Cannot write into ${quote(output)}: expected a file or a folder`, {
      hint: 'regi pull without -o pulls into the local store',
    });
  }
  const isFolder =
    /[\\/]$/.test(output) || (await kindOfPath(resolve(io.cwd, output))) === 'folder';
  return isFolder
    ? {
        kind: 'layout',
        location: { kind: 'oci', path: output.replace(/(?<=.)[\\/]+$/, '') },
      }
    : { kind: 'archive', location: { kind: 'archive', path: output } };
}
