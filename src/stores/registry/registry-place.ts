import { listRepositories } from '../../registry/lists.ts';
import type { Connection } from '../../registry/connection.ts';
import { listVendorRepositories } from '../../registry/repositories.ts';
import type { NamespaceLister, Place } from '../../store.ts';
import { createRegistryStore, type RegistryStore } from './registry-store.ts';

export interface RegistryPlaceOptions {
  readonly connection: Connection;
  readonly access?: 'read' | 'write' | undefined;
}

/** A whole registry. */
export interface RegistryPlace extends Place, NamespaceLister {
  /** Opens one repository. Nothing is sent yet. */
  open(repository: string): RegistryStore;
}

/**
 * Makes the Place of a whole registry. It lists its repositories only where it has a catalog that
 * the user may read.
 */
export function createRegistryPlace({ connection, access }: RegistryPlaceOptions): RegistryPlace {
  return {
    name: connection.name,
    repositories: (options) => listRepositories(connection, options),
    repositoriesIn: (namespace, options) => listVendorRepositories(connection, namespace, options),
    open: (repository) => createRegistryStore({ connection, repository, access }),
  };
}
