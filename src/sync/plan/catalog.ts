import { RegiError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import type { CallOptions } from '../../store.ts';
import type { Stores } from '../../targets/opened-store.ts';

/**
 * Lists the repositories of a registry, whole.
 *
 * @throws {RegiError} where it keeps no list, refuses it, or breaks off.
 */
export async function listCatalog(
  host: string,
  stores: Stores,
  { signal }: CallOptions,
): Promise<readonly string[]> {
  if (host === 'ghcr.io')
    throw new RegiError(
      'UNSUPPORTED',
      `Cannot list the repositories of "${host}": it keeps no list`,
      {
        hint: 'write an entry for each repository',
      },
    );
  const place = await stores.openRegistry(host);
  const names: string[] = [];
  try {
    for await (const name of place.repositories({ signal, whole: true })) names.push(name);
  } catch (error) {
    if (!(error instanceof RegiError) || error.code !== 'NOT_FOUND') throw error;
    throw new RegiError(
      'UNSUPPORTED',
      `Cannot list the repositories of ${quote(host)}: it keeps no catalog`,
      { hint: 'write an entry for each repository', cause: error },
    );
  }
  return [...new Set(names)].toSorted();
}
