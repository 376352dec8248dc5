import type { Context } from '../../context.ts';
import { RegistryResponseError } from '../../registry/errors.ts';
import { runProgram } from './programs.ts';
import { settingsFor, type RegistryTable } from '../file/settings.ts';

/** A repository that was just created may be unknown for this long. */
const CREATED_WAIT_MS = 10_000;
const CREATED_POLL_MS = 500;

/**
 * The programs of `registries`: those of a registry's own API, for what its registry API cannot do.
 */
export class RegistryPrograms {
  readonly #table: RegistryTable;
  readonly #folder: string | undefined;
  readonly #context: Context;
  readonly #created = new Map<string, Promise<void>>();

  /** @param folder of the file; undefined runs none. */
  constructor(table: RegistryTable, folder: string | undefined, context: Context) {
    this.#table = table;
    this.#folder = folder;
    this.#context = context;
  }

  /**
   * Runs `createRepository` once, where a push says that there is no such repository, and pushes
   * again.
   */
  async creating<T>(name: string, signal: AbortSignal, push: () => Promise<T>): Promise<T> {
    const argv = settingsFor(this.#table, name).createRepository;
    const folder = this.#folder;
    if (argv === undefined || folder === undefined) return push();
    try {
      return await push();
    } catch (error) {
      if (!isUnknownRepository(error)) throw error;
    }
    const words = wordsOf(name);
    const creating = this.#created.get(name) ?? runProgram(argv, { folder, words }, this.#context);
    this.#created.set(name, creating);
    await creating;
    for (let waited = 0; ; waited += CREATED_POLL_MS) {
      try {
        return await push();
      } catch (error) {
        if (!isUnknownRepository(error) || waited >= CREATED_WAIT_MS) throw error;
      }
      await this.#context.io.clock.sleep(CREATED_POLL_MS, signal);
    }
  }

  /** Returns what deletes a tag of a repository; undefined where the registry's API does. */
  deleting(name: string): ((tag: string) => Promise<void>) | undefined {
    const argv = settingsFor(this.#table, name).deleteTag;
    const folder = this.#folder;
    if (argv === undefined || folder === undefined) return undefined;
    return (tag) => runProgram(argv, { folder, words: { ...wordsOf(name), tag } }, this.#context);
  }
}

/** What `{registry}` and `{repository}` of a program stand for. */
function wordsOf(name: string): { readonly registry: string; readonly repository: string } {
  const slash = name.indexOf('/');
  return { registry: name.slice(0, slash), repository: name.slice(slash + 1) };
}

/** True if a registry refused a push because it has no such repository. */
function isUnknownRepository(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < 5 && cause instanceof Error; depth += 1) {
    if (cause instanceof RegistryResponseError)
      return (
        cause.status === 404 &&
        ['POST', 'PUT', 'PATCH'].includes(cause.method) &&
        cause.problems.some(({ code }) => code === 'NAME_UNKNOWN')
      );
    cause = cause.cause;
  }
  return false;
}
