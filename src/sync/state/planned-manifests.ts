import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { guarded, ifPresent } from '../../disk/errno.ts';
import { makeFolder } from '../../disk/make-folder.ts';
import { readRegular } from '../../disk/regular-file.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { algorithmOf, digestOf, encodedOf, type Digest } from '../../oci/digest.ts';
import type { KeptManifests } from '../../operations/copy/read-manifest.ts';

/** Most manifests that are kept; a manifest has a few kilobytes. */
const MOST_KEPT = 20_000;

/**
 * Manifests that a dry run has read, for the run after it: Docker Hub counts each GET of one. A
 * cache by content, whose loss costs requests.
 */
export class PlannedManifests implements KeptManifests {
  readonly #folder: string;
  readonly #writes: boolean;
  #made: Promise<unknown> | undefined;
  #hasFailed = false;
  #hasWritten = false;

  /** @param writes true in a dry run: other runs only read. */
  constructor(state: string, writes: boolean) {
    this.#folder = join(state, 'manifests');
    this.#writes = writes;
  }

  async get(digest: Digest): Promise<Uint8Array | undefined> {
    try {
      const bytes = await readRegular(this.#pathOf(digest), LIMITS.manifestBytes);
      if (bytes === undefined) return undefined;
      return digestOf(bytes, algorithmOf(digest)) === digest ? bytes : undefined;
    } catch (error) {
      if (error instanceof RegiError) return undefined;
      throw error;
    }
  }

  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    if (!this.#writes || this.#hasFailed) return;
    try {
      await (this.#made ??= guarded('create', this.#folder, makeFolder(this.#folder)));
      // A file that a crash left broken has another digest, and is then read from the registry.
      const path = this.#pathOf(digest);
      await guarded('write', path, writeFile(path, bytes, { mode: 0o600 }));
      this.#hasWritten = true;
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      this.#hasFailed = true;
    }
  }

  /** Drops the oldest of too many. */
  async close(): Promise<void> {
    if (!this.#hasWritten) return;
    const names = await readdir(this.#folder);
    if (names.length <= MOST_KEPT) return;
    const aged = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#folder, name);
        return { path, time: (await ifPresent('read', path, stat(path)))?.mtimeMs ?? 0 };
      }),
    );
    const oldest = aged.toSorted((one, other) => one.time - other.time);
    for (const { path } of oldest.slice(0, names.length - MOST_KEPT))
      await rm(path, { force: true });
  }

  #pathOf(digest: Digest): string {
    return join(this.#folder, `${algorithmOf(digest)}-${encodedOf(digest)}`);
  }
}
