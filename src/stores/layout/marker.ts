import { readdir } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';

import { bytesOf } from '../../bytes.ts';
import { syncFolder, writeAtomically } from '../../disk/atomic-write.ts';
import { guarded, ifPresent } from '../../disk/errno.ts';
import { makeFolder } from '../../disk/make-folder.ts';
import { readRegular } from '../../disk/regular-file.ts';
import type { TempFiles } from '../../disk/temp-files.ts';
import { RegiError } from '../../errors.ts';
import { quotePath } from '../../quote.ts';
import { describeNames } from '../not-found.ts';
import { parseJsonObject } from './index-json.ts';

const VERSION = '1.0.0';

/** An `oci-layout` file has one member; the limit leaves room for spaces and future members. */
const MARKER_BYTES = 64 * 1024;

/** A path without an image layout. */
export class LayoutNotFoundError extends RegiError {
  constructor(path: string, found: string, hint: string) {
    super(
      'NOT_FOUND',
      `Cannot open the image layout ${quotePath(path)}: expected a folder with an oci-layout file, found ${found}`,
      { hint },
    );
  }
}

/**
 * Checks that a folder is an image layout of a known version.
 *
 * @throws {LayoutNotFoundError} when it is none.
 * @throws {RegiError} UNSUPPORTED when it is of another version.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md#oci-layout-file
 */
export async function checkMarker(root: string): Promise<void> {
  if (await hasMarker(root)) return;
  const names = await listFolder(root);
  if (names === undefined)
    throw new LayoutNotFoundError(
      root,
      'nothing',
      'check the path; oci: takes the folder that holds index.json',
    );
  throw new LayoutNotFoundError(
    root,
    'none',
    names.length === 0
      ? 'the folder is empty'
      : `${describeNames(names)}; oci: takes the folder that holds index.json`,
  );
}

/**
 * Makes an empty layout in a new or empty folder, or checks an existing one.
 *
 * @throws {RegiError} REFUSED when the folder holds other files: a mistyped path must not be
 *   littered.
 */
export async function createMarker(root: string, temps: TempFiles): Promise<void> {
  const made = await guarded('create', root, makeFolder(root));
  if (made !== undefined) await syncParents(root, made);
  if (await hasMarker(root)) return;
  const others = ((await listFolder(root)) ?? []).filter((name) => !name.startsWith('.'));
  // Another process may be making the same layout.
  if (others.length > 0 && !(await hasMarker(root))) {
    throw new RegiError(
      'REFUSED',
      `Cannot make an image layout in ${quotePath(root)}: expected an empty folder, found ${quotePath(others[0] ?? '')}`,
      {
        hint: 'name a new or empty folder, or one that holds an image layout',
      },
    );
  }
  const marker = new TextEncoder().encode(JSON.stringify({ imageLayoutVersion: VERSION }));
  await writeAtomically(join(root, 'oci-layout'), await temps.next(), bytesOf(marker));
}

async function hasMarker(root: string): Promise<boolean> {
  const bytes = await readRegular(join(root, 'oci-layout'), MARKER_BYTES);
  if (bytes === undefined) return false;
  const version = parseJsonObject(bytes, 'oci-layout')['imageLayoutVersion'];
  if (version !== VERSION) {
    throw new RegiError(
      'UNSUPPORTED',
      `Cannot open the image layout ${quotePath(root)}: expected version ${VERSION}, found ${JSON.stringify(version)}`,
      {
        hint: 'write it again with a tool that makes layouts of version 1.0.0',
      },
    );
  }
  return true;
}

async function listFolder(root: string): Promise<readonly string[] | undefined> {
  return ifPresent('read', root, readdir(root));
}

/**
 * Syncs the parents of `root` and of the folders above it, up to `made`, the topmost that was
 * created.
 */
async function syncParents(root: string, made: string): Promise<void> {
  for (let folder = root; folder !== parse(folder).root; folder = dirname(folder)) {
    await syncFolder(dirname(folder));
    if (folder === made) return;
  }
}
