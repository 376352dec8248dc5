import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { algorithmOf, digestOf, encodedOf, type Digest } from '../../../src/oci/digest.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** The path of a blob in a layout. */
export function blobPath(folder: string, digest: Digest): string {
  return join(folder, 'blobs', algorithmOf(digest), encodedOf(digest));
}

/** The part of index.json that tests read. */
export interface IndexJson {
  readonly [member: string]: unknown;
  readonly manifests: readonly {
    readonly [member: string]: unknown;
    readonly digest: string;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}

export function readIndexJson(folder: string): IndexJson {
  return JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as IndexJson;
}

/** A layout written by hand, by another tool or by an attacker. */
export function writeLayout(
  index: unknown,
  { version = '1.0.0' }: { readonly version?: unknown } = {},
): string {
  const folder = temporaryFolder('layout');
  mkdirSync(join(folder, 'blobs', 'sha256'), { recursive: true });
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: version }));
  writeFileSync(
    join(folder, 'index.json'),
    typeof index === 'string' ? index : JSON.stringify(index),
  );
  return folder;
}

/** Writes bytes under their digest, bypassing any store. */
export function writeBlob(folder: string, bytes: Uint8Array): Digest {
  const digest = digestOf(bytes);
  writeFileSync(blobPath(folder, digest), bytes);
  return digest;
}

/** Lists files that should not remain in a layout: locks and unfinished files. */
export function leftovers(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes('.regi'),
  );
}

/** @throws {Error} when a lock or an unfinished file remains. */
export function assertNoLeftovers(folder: string): void {
  const names = leftovers(folder);
  if (names.length > 0)
    throw new Error(`Expected nothing to be left in ${folder}, found ${names.join(', ')}`);
}

/** Lists the blobs whose bytes do not match their digest. */
export function damagedBlobs(folder: string): readonly string[] {
  const blobs = join(folder, 'blobs', 'sha256');
  if (!existsSync(blobs)) return [];
  return readdirSync(blobs).filter(
    (name) => digestOf(readFileSync(join(blobs, name))) !== `sha256:${name}`,
  );
}
