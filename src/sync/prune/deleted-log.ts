import { open, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Clock } from '../../clock.ts';
import { syncFolder } from '../../disk/atomic-write.ts';
import { guarded } from '../../disk/errno.ts';
import { makeFolder } from '../../disk/make-folder.ts';
import { RegiError } from '../../errors.ts';
import { isJsonObject, tryParseJson } from '../../json.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestOf, parseDigest } from '../../oci/digest.ts';
import { explicitReference } from '../file/names.ts';

/** A manifest with its exact bytes. */
export interface KeptManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** A tag that was about to be deleted, with all that its return needs besides blobs. */
export interface DeletedTag {
  /** `registry.example/mirror/debian`. */
  readonly name: string;
  readonly tag: string;
  readonly root: KeptManifest;
  /** Manifests below the root, children first. */
  readonly children: readonly KeptManifest[];
}

/** The record of deletions: each is on the disk before its tag goes. Created with the first. */
export class DeletedLog {
  readonly path: string;
  #file: Promise<FileHandle> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
  }

  /** @returns a new path in the state folder. */
  static pathIn(folder: string, clock: Clock): string {
    const time = new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '-');
    const unique = Math.floor(clock.random() * 0xff_ff_ff)
      .toString(16)
      .padStart(6, '0');
    return join(folder, 'deleted', `${time}-${unique}.jsonl`);
  }

  /** @throws {StorageError} when it cannot be written; the tag must then stay. */
  async add(deleted: DeletedTag): Promise<void> {
    const line = `${JSON.stringify(lineOf(deleted))}\n`;
    const written = this.#last.then(async () => {
      const file = await (this.#file ??= this.#open());
      const { size } = await file.stat();
      try {
        await guarded('write', this.path, file.appendFile(line));
        await guarded('write', this.path, file.sync());
      } catch (error) {
        // Half a line would spoil the next one.
        await file.truncate(size).catch(() => undefined);
        throw error;
      }
    });
    this.#last = written.catch(() => undefined);
    await written;
  }

  /** @returns true if a deletion was recorded. */
  async close(): Promise<boolean> {
    const file = await this.#file?.catch(() => undefined);
    await file?.close();
    return file !== undefined;
  }

  async #open(): Promise<FileHandle> {
    const folder = dirname(this.path);
    await guarded('create', folder, makeFolder(folder));
    const file = await guarded('write', this.path, open(this.path, 'a', 0o600));
    await syncFolder(folder);
    return file;
  }
}

function lineOf({ name, tag, root, children }: DeletedTag): object {
  return { name, tag, ...manifestOf(root), children: children.map(manifestOf) };
}

function manifestOf({ descriptor, bytes }: KeptManifest): object {
  const { mediaType, digest } = descriptor;
  return { digest, mediaType, manifest: Buffer.from(bytes).toString('base64') };
}

/**
 * Parses a log of deletions.
 *
 * @throws {RegiError} INVALID_CONFIG at the first line that is no deletion, or whose bytes are not
 *   those of its digest.
 */
export function parseDeletedLog(text: string, file: string): readonly DeletedTag[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const value = tryParseJson(line);
    const deleted = isJsonObject(value) ? parseDeleted(value) : undefined;
    if (deleted !== undefined) return [deleted];
    // A run that was killed while it wrote: the tag of this line is still there.
    if (index === lines.length - 1) return [];
    throw new RegiError(
      'INVALID_CONFIG',
      `Cannot use line ${index + 1} of ${file}: expected a deletion that regi sync recorded`,
      { hint: 'give the file that a run with "prune" named on standard error' },
    );
  });
}

function parseDeleted(value: Readonly<Record<string, unknown>>): DeletedTag | undefined {
  const { name, tag, children } = value;
  if (typeof name !== 'string' || typeof tag !== 'string' || !Array.isArray(children))
    return undefined;
  const named = explicitReference(`${name}:${tag}`);
  const root = parseManifestLine(value);
  const below = children.map((child: unknown) =>
    isJsonObject(child) ? parseManifestLine(child) : undefined,
  );
  const known = below.filter((child) => child !== undefined);
  return named?.tag !== tag || root === undefined || known.length < below.length
    ? undefined
    : { name, tag, root, children: known };
}

function parseManifestLine({
  digest,
  mediaType,
  manifest,
}: Readonly<Record<string, unknown>>): KeptManifest | undefined {
  if (typeof digest !== 'string' || typeof mediaType !== 'string' || typeof manifest !== 'string')
    return undefined;
  const bytes = new Uint8Array(Buffer.from(manifest, 'base64'));
  try {
    const parsed = parseDigest(digest);
    const algorithm = parsed.startsWith('sha512') ? 'sha512' : 'sha256';
    if (digestOf(bytes, algorithm) !== parsed) return undefined;
    return { descriptor: { mediaType, digest: parsed, size: bytes.byteLength }, bytes };
  } catch (error) {
    if (error instanceof RegiError) return undefined;
    throw error;
  }
}
