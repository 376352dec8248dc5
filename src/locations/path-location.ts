import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { Io } from '../io.ts';
import { isBarePath, parseLocation, type Location } from './location.ts';

/** What archives are called, for those that are not there. */
const TAR_NAME = /\.(?:tar|tgz|tzst)(?:\.\w+)?$/;

/** Parses a location that is only read: a path needs no prefix, for the disk knows whether it is an archive or a layout. */
export async function parseSourceLocation(text: string, { cwd }: Pick<Io, 'cwd'>): Promise<Location> {
  if (!isBarePath(text)) return parseLocation(text);
  const isArchive = (await isFile(resolve(cwd, text))) ?? TAR_NAME.test(text);
  return parseLocation(`${isArchive ? 'archive' : 'oci'}:${text}`);
}

/** Undefined for what is not there, or cannot be looked at: why is told when it is opened. */
async function isFile(path: string): Promise<boolean | undefined> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return undefined;
  }
}
