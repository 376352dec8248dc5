import { createRegistryStore } from '../../src/stores/registry-store.ts';
import { storeContract, type StoreUnderTest } from '../contract/store-contract.ts';
import { startFakeRegistry } from '../support/fake-registry.ts';
import { testConnection } from '../support/registry-connection.ts';
import { testTransport } from '../support/transport.ts';

async function create(): Promise<StoreUnderTest> {
  const registry = await startFakeRegistry();
  const connection = testConnection(testTransport().send, { host: registry.host, schemes: ['http', 'https'] });
  return {
    store: createRegistryStore({ connection, repository: 'team/app', access: 'write' }),
    sibling: createRegistryStore({ connection, repository: 'team/other', access: 'write' }),
    close: () => registry.stop(),
  };
}

storeContract('a repository of a registry', create, { knowsWhatItHas: false });
