import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';

import { bytesOf } from '../../bytes.ts';
import { writeAtomically } from '../../disk/atomic-write.ts';
import { guarded } from '../../disk/errno.ts';
import { makeFolder } from '../../disk/make-folder.ts';
import { systemProcesses } from '../../disk/processes.ts';
import { readRegular } from '../../disk/regular-file.ts';
import { TempFiles } from '../../disk/temp-files.ts';
import { RegiError } from '../../errors.ts';
import { isJsonObject, tryParseJson } from '../../json.ts';
import { isDigest } from '../../oci/digest.ts';

/**
 * Facts about content that never change: a cache, by digest. A line of JSON each, the newest last.
 */
const FILE = 'facts.jsonl';
/** One line has about 250 bytes, so this many facts are about 25 MB. */
const MAX_FACTS = 100_000;
const FILE_LIMIT_BYTES = 64 * 1024 * 1024;
/** New facts are written in portions, so that a killed run keeps most of them. */
const PORTION = 200;

/** What is known of the content of one digest. */
export interface Fact {
  /** The digest after narrowing to platforms; empty where the image has none of them. */
  readonly narrowed?: string | undefined;
  readonly created?: string | undefined;
}

/**
 * The cache of `regi sync`, shared by files and shards. Losing it costs requests, never
 * correctness.
 *
 * Lines are appended whole, in one write; a line that another process or a crash left broken is
 * skipped.
 */
export class FactCache {
  readonly #folder: string;
  readonly #facts = new Map<string, Fact>();
  readonly #pending: string[] = [];
  #lines = 0;
  #writing: Promise<void> = Promise.resolve();
  #failure: RegiError | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads what earlier runs have learned; nothing where the folder cannot be read. */
  static async open(folder: string): Promise<FactCache> {
    const cache = new FactCache(folder);
    try {
      const bytes = await readRegular(join(folder, FILE), FILE_LIMIT_BYTES);
      if (bytes !== undefined) cache.#read(new TextDecoder().decode(bytes));
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
    }
    return cache;
  }

  get(key: string): Fact | undefined {
    return this.#facts.get(key);
  }

  set(key: string, fact: Fact): void {
    this.#facts.set(key, fact);
    this.#pending.push(`${JSON.stringify({ key, ...fact })}\n`);
    if (this.#pending.length >= PORTION) this.#flush();
  }

  /** Writes what is left. @returns the reason when the folder could not be written. */
  async close(): Promise<RegiError | undefined> {
    this.#flush();
    await this.#writing;
    if (this.#failure === undefined && this.#lines > 2 * MAX_FACTS) await this.#compact();
    return this.#failure;
  }

  #read(text: string): void {
    for (const line of text.split('\n')) {
      const value = line === '' ? undefined : tryParseJson(line);
      if (!isJsonObject(value)) continue;
      const { key, narrowed, created } = value;
      const isNarrowed = narrowed === undefined || narrowed === '' || isNarrowedDigest(narrowed);
      if (typeof key !== 'string' || !isNarrowed) continue;
      this.#lines += 1;
      // Set again, so that the newest are the last to be dropped.
      this.#facts.delete(key);
      this.#facts.set(key, {
        ...(typeof narrowed === 'string' && { narrowed }),
        ...(typeof created === 'string' && { created }),
      });
    }
    for (const oldest of this.#facts.keys()) {
      if (this.#facts.size <= MAX_FACTS) return;
      this.#facts.delete(oldest);
    }
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    const text = this.#pending.splice(0).join('');
    this.#writing = this.#writing.then(() => this.#attempt(() => this.#append(text)));
  }

  async #append(text: string): Promise<void> {
    await makeFolder(this.#folder);
    const path = join(this.#folder, FILE);
    await guarded('write', path, appendFile(path, text));
    this.#lines += text.split('\n').length - 1;
  }

  async #compact(): Promise<void> {
    await this.#attempt(async () => {
      const text = [...this.#facts]
        .slice(-MAX_FACTS)
        .map(([key, fact]) => `${JSON.stringify({ key, ...fact })}\n`)
        .join('');
      const temps = new TempFiles(this.#folder, systemProcesses);
      const content = bytesOf(new TextEncoder().encode(text));
      await writeAtomically(join(this.#folder, FILE), await temps.next(), content);
    });
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      this.#failure ??= error;
    }
  }
}

function isNarrowedDigest(value: unknown): boolean {
  return typeof value === 'string' && isDigest(value);
}
