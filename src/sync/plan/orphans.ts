import { RegiError } from '../../errors.ts';
import type { SyncEntry } from '../file/entry.ts';
import { repositoryKey } from '../file/names.ts';
import { mayWriteTo } from '../prune/prune-plan.ts';
import type { Catalogs } from './catalog.ts';
import type { Route } from './routes.ts';

/**
 * Finds repositories of destinations whose source has left the list of a wildcard. Nothing deletes
 * them: a list is no proof that a repository is gone. A destination that keeps no catalog is not
 * searched.
 *
 * @param entries of the whole file.
 */
export async function findOrphans(
  entries: readonly SyncEntry[],
  routes: readonly Route[],
  catalogs: Catalogs,
): Promise<readonly string[]> {
  const written = new Set(routes.map(({ name }) => repositoryKey(name)));
  const wild = entries.filter(({ from, prune }) => from.kind === 'wildcard' && prune !== undefined);
  const found = new Set<string>();
  for (const entry of wild) {
    // One whose own list failed has no routes.
    if (!routes.some((route) => route.entry === entry)) continue;
    const others = entries.filter((other) => other !== entry);
    for (const to of entry.to) {
      const template = to.kind === 'registry' ? templateOf(to.template) : undefined;
      if (template === undefined) continue;
      for (const path of await listed(catalogs, template.host)) {
        const name = `${template.host}/${path}`;
        const isOrphan = template.pattern.test(path) && !written.has(repositoryKey(name));
        if (isOrphan && mayWriteTo(others, name) === undefined) found.add(name);
      }
    }
  }
  return [...found].toSorted();
}

interface Template {
  readonly host: string;
  readonly pattern: RegExp;
}

/** Undefined where the registry itself depends on the source, or nothing of the name does. */
function templateOf(text: string): Template | undefined {
  const repository = text.replace(/:[^:/]*$/, '');
  const slash = repository.indexOf('/');
  const [host, path] = [repository.slice(0, slash), repository.slice(slash + 1)];
  if (slash < 0 || host.includes('{') || !/\{(?:rest|repository)\}/.test(path)) return undefined;
  const parts = path
    .split(/\{\w+\}/)
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return { host, pattern: new RegExp(`^${parts.join('.+')}$`) };
}

async function listed(catalogs: Catalogs, host: string): Promise<readonly string[]> {
  try {
    return await catalogs.catalog(host);
  } catch (error) {
    if (error instanceof RegiError) return [];
    throw error;
  }
}
