import { discard } from '../http/body.ts';
import type { CallOptions } from '../store.ts';
import type { Connection } from './connection.ts';
import { invalidResponse, isWebPage, responseError } from './errors.ts';

export interface PingOptions extends CallOptions {
  /** Whether it is enough that the registry lets everybody in, when it refuses the credentials. It is when absent. */
  readonly canRetryAnonymously?: boolean | undefined;
}

/**
 * Asks whether a registry is there and lets us in. Nothing else needs it: the first real request finds the scheme, and is
 * challenged.
 *
 * @throws {NotAuthorisedError} when the credentials do not do.
 * @throws {InvalidResponseError} when something else answers than a registry.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#determining-support
 */
export async function ping(connection: Connection, { signal, canRetryAnonymously }: PingOptions = {}): Promise<void> {
  const action = `Cannot use ${JSON.stringify(connection.name)} as a registry`;
  const response = await connection.send('GET', '/v2/', { scopes: [], canRetryAnonymously, signal });
  if (response.status !== 200) throw await responseError(action, response);
  await discard(response);
  if (isWebPage(response)) throw invalidResponse(action, response, 'expected JSON');
}
