import { UsageError } from '../errors.ts';
import type { Location } from './location.ts';
import type { OpenedStore, Stores } from './open-store.ts';

/**
 * Opens a place whose images are read and added to: a registry with the rights of a destination, a layout or the local store only
 * when it is there.
 *
 * @throws {UsageError} for files, which are not changed.
 */
export async function openToChange(location: Location, stores: Stores): Promise<OpenedStore> {
  switch (location.kind) {
    case 'registry':
      return stores.open(location, 'destination');
    case 'oci': {
      // Proves that it is there: a destination would be made.
      await stores.open(location, 'source');
      return stores.open(location, 'destination');
    }
    case 'local': {
      const { store, reference } = await stores.open(location, 'source');
      await store.resolve(reference);
      return { ...(await stores.open(location, 'destination')), reference };
    }
    default:
      throw new UsageError(
        `Cannot change "${location.kind}:${location.path}": expected a registry, an OCI layout or the local store`,
        {
          hint: `copy it into a layout first: regi copy ${location.kind}:${location.path} oci:DIR:TAG`,
        },
      );
  }
}
