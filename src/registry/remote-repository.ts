import { repositoryScope, type Scope } from '../auth/scope.ts';
import { discard } from '../http/body.ts';
import type { Method } from '../http/message.ts';
import type { Digest } from '../oci/digest.ts';
import type { CallOptions } from '../store.ts';
import type { CallDetails, Connection, RegistryResponse } from './connection.ts';
import { invalidResponse, isWebPage, responseError } from './errors.ts';
import type { UploadJournal } from './upload/journal.ts';

/** One repository of a registry, as the endpoint functions take it. */
export interface RemoteRepository {
  readonly connection: Connection;
  /** Checked by the reference grammar. It goes into paths verbatim: registries answer 404 to `%2F`. */
  readonly name: string;
  /** `write`: reads ask for a token that may also push, so that a destination needs only one. */
  readonly access: 'read' | 'write';
  /** Remembers uploads that are not finished; without it they are deleted. */
  readonly uploads?: UploadJournal | undefined;
}

export type RepositoryCall = Omit<CallDetails, 'repository' | 'scopes'>;

/** Sends a request that only reads. */
export async function sendToRead(
  repository: RemoteRepository,
  method: Method,
  path: string,
  call: RepositoryCall,
): Promise<RegistryResponse> {
  return repository.connection.send(method, path, {
    ...call,
    repository: repository.name,
    scopes: scopesToRead(repository),
  });
}

/** Sends a request that changes something. */
export async function sendToWrite(
  repository: RemoteRepository,
  method: Method,
  path: string,
  call: RepositoryCall,
): Promise<RegistryResponse> {
  return repository.connection.send(method, path, {
    ...call,
    repository: repository.name,
    scopes: scopesToWrite(repository),
  });
}

export function scopesToRead({ name, access }: RemoteRepository): readonly Scope[] {
  return [repositoryScope(name, access === 'write' ? ['pull', 'push'] : ['pull'])];
}

/** Also for deleting: a registry that wants `delete` says so in its challenge, and Quay's token service answers 400 to that word. */
export function scopesToWrite({ name }: RemoteRepository): readonly Scope[] {
  return [repositoryScope(name, ['pull', 'push'])];
}

/** @param reference a tag or digest, checked. */
export function manifestPath({ name }: RemoteRepository, reference: string): string {
  return `/v2/${name}/manifests/${reference}`;
}

export function blobPath({ name }: RemoteRepository, digest: Digest): string {
  return `/v2/${name}/blobs/${digest}`;
}

/** The last slash matters: without it distribution redirects, and the POST becomes a GET. */
export function uploadsPath({ name }: RemoteRepository): string {
  return `/v2/${name}/blobs/uploads/`;
}

/** For messages, quoted: `"registry.example/team/app:1"`; the repository alone without `reference`. */
export function display({ connection, name }: RemoteRepository, reference?: string): string {
  const suffix =
    reference === undefined ? '' : `${reference.includes(':') ? '@' : ':'}${reference}`;
  return JSON.stringify(`${connection.name}/${name}${suffix}`);
}

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
export async function ping(
  connection: Connection,
  { signal, canRetryAnonymously }: PingOptions = {},
): Promise<void> {
  const action = `Cannot use ${JSON.stringify(connection.name)} as a registry`;
  const response = await connection.send('GET', '/v2/', {
    scopes: [],
    canRetryAnonymously,
    signal,
  });
  if (response.status !== 200) throw await responseError(action, response);
  await discard(response);
  if (isWebPage(response)) throw invalidResponse(action, response, 'expected JSON');
}
