import { TokenCache } from '../../../src/auth/token-cache.ts';
import type { Transport } from '../../../src/http/message.ts';
import {
  createConnection,
  type Connection,
  type ConnectionOptions,
} from '../../../src/registry/connection.ts';
import type { RemoteRepository } from '../../../src/registry/remote-repository.ts';
import { instantClock } from '../clock.ts';

/**
 * A connection over `transport` without credentials or waits. The default registry is
 * `registry.example` by https.
 */
export function testConnection(
  transport: Transport,
  options: Partial<ConnectionOptions> = {},
): Connection {
  const clock = options.clock ?? instantClock();
  return createConnection({
    host: 'registry.example',
    schemes: ['https'],
    transport,
    credentials: async () => undefined,
    tokens: new TokenCache(clock),
    clock,
    ...options,
  });
}

/** A repository on a connection of `testConnection()`. */
export function testRepository(
  transport: Transport,
  options: Partial<ConnectionOptions> = {},
): RemoteRepository {
  return { connection: testConnection(transport, options), name: 'team/app', access: 'read' };
}
