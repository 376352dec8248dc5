import { repositoryScope, type Scope } from '../auth/scope.ts';
import { discard } from '../http/body.ts';
import type { Method } from '../http/message.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { imageName, repositoryName, type Tag } from '../oci/reference.ts';
import type { CallOptions } from '../store.ts';
import type { CallDetails, Connection, RegistryResponse } from './connection.ts';
import { invalidResponse, isWebPage, responseError } from './errors.ts';

/** One repository of a registry, as the endpoint functions take it. */
export interface RemoteRepository {
  readonly connection: Connection;
  /**
   * Checked by the reference grammar. Paths contain it verbatim: registries respond 404 to `%2F`.
   */
  readonly name: string;
  /**
   * `write` makes reads ask for a token that may also push, so that a destination needs only one.
   */
  readonly access: 'read' | 'write';
  /** Remembers unfinished uploads; without it they are deleted. */
  readonly uploads?: UploadJournal | undefined;
}

/**
 * Remembers unfinished uploads of one repository for the next run. It never fails: it only saves
 * bytes.
 */
export interface UploadJournal {
  /** Finds the location of an earlier upload of `target`: a URL on the registry's own origin. */
  find(target: Descriptor): Promise<URL | undefined>;
  /** @param offset bytes that the registry is known to have. */
  write(target: Descriptor, location: URL, offset: number): Promise<void>;
  /** Called when `target` exists, or will not be uploaded any more. */
  remove(target: Descriptor): Promise<void>;
}

export type RepositoryCall = Omit<CallDetails, 'repository' | 'scopes'>;

/** Sends a request that only reads. */
export function sendToRead(
  repository: RemoteRepository,
  method: Method,
  path: string,
  call: RepositoryCall,
): Promise<RegistryResponse> {
  return send(repository, method, path, { ...call, scopes: scopesToRead(repository) });
}

/** Sends a request that changes something. */
export function sendToWrite(
  repository: RemoteRepository,
  method: Method,
  target: string | URL,
  call: RepositoryCall,
): Promise<RegistryResponse> {
  return send(repository, method, target, { ...call, scopes: scopesToWrite(repository) });
}

function send(
  { connection, name }: RemoteRepository,
  method: Method,
  target: string | URL,
  details: CallDetails,
): Promise<RegistryResponse> {
  return connection.send(method, target, { ...details, repository: name });
}

export function scopesToRead({ name, access }: RemoteRepository): readonly Scope[] {
  return [repositoryScope(name, access === 'write' ? ['pull', 'push'] : ['pull'])];
}

/**
 * Covers deleting too: a registry that wants `delete` says so in its challenge, and Quay's token
 * service responds 400 to that word.
 */
export function scopesToWrite({ name }: RemoteRepository): readonly Scope[] {
  return [repositoryScope(name, ['pull', 'push'])];
}

export function manifestPath({ name }: RemoteRepository, identifier: Tag | Digest): string {
  return `/v2/${name}/manifests/${identifier}`;
}

export function blobPath({ name }: RemoteRepository, digest: Digest): string {
  return `/v2/${name}/blobs/${digest}`;
}

/** The last slash matters: without it distribution redirects, and the POST becomes a GET. */
export function uploadsPath({ name }: RemoteRepository): string {
  return `/v2/${name}/blobs/uploads/`;
}

/** Quotes the name of an image for messages: `"registry.example/team/app:1"`. */
export function display({ connection, name }: RemoteRepository, identifier?: Tag | Digest): string {
  const repository = repositoryName({ domain: connection.name, path: name });
  const isByDigest = identifier !== undefined && isDigest(identifier);
  return `"${imageName(repository, isByDigest ? { digest: identifier } : { tag: identifier })}"`;
}

export interface PingOptions extends CallOptions {
  /** False requires the credentials to be accepted; otherwise anonymous access is enough. */
  readonly canRetryAnonymously?: boolean | undefined;
}

/**
 * Checks that a registry responds and gives access. Nothing else needs it: the first real request
 * finds the scheme, and is challenged.
 *
 * @throws {NotAuthorisedError} when the credentials are not accepted.
 * @throws {RegistryResponseError} with code INVALID_RESPONSE when it is no registry.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#determining-support
 */
export async function ping(
  connection: Connection,
  { signal, canRetryAnonymously }: PingOptions = {},
): Promise<void> {
  const action = `Cannot use "${connection.name}" as a registry`;
  const response = await connection.send('GET', '/v2/', {
    scopes: [],
    canRetryAnonymously,
    signal,
  });
  if (response.status !== 200) throw await responseError(action, response);
  await discard(response);
  if (isWebPage(response)) throw invalidResponse(action, response, 'expected JSON');
}
