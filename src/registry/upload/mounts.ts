import { NotAuthorisedError } from '../../auth/not-authorised.ts';
import { repositoryScope, type Scope } from '../../auth/scope.ts';
import { verified } from '../../bytes.ts';
import { discard } from '../../http/body.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Bytes, CallOptions } from '../../store.ts';
import { responseError } from '../errors.ts';
import { UploadContent } from './content.ts';
import {
  display,
  scopesToWrite,
  uploadsPath,
  type RemoteRepository,
} from '../remote-repository.ts';
import { cancelUpload, sessionOf, type UploadSession } from './session.ts';
import { uploadBlob } from './upload.ts';

type MountOutcome =
  | { readonly kind: 'mounted' }
  | { readonly kind: 'session'; readonly session: UploadSession }
  | { readonly kind: 'refused' };

/**
 * Statuses for unknown parameters, an unknown source, or no access to it: a plain upload may still
 * work.
 */
const NOT_MOUNTED: ReadonlySet<number> = new Set([400, 401, 403, 404, 405]);

/**
 * Mounts a blob from another repository of the same registry. If the registry does not mount it,
 * `content` is uploaded, in the session that the registry opened instead, if any. Without `content`
 * nothing is left behind.
 *
 * @param from name of the other repository.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository
 */
export async function mountBlob(
  repository: RemoteRepository,
  target: Descriptor,
  from: string,
  { content, signal }: CallOptions & { readonly content: Bytes | undefined },
): Promise<'mounted' | 'copied' | 'refused'> {
  const scopes = [...scopesToWrite(repository), repositoryScope(from, ['pull'])];
  const outcome = await requestMount(repository, target, from, { scopes, signal });
  if (outcome.kind === 'mounted') return 'mounted';
  const session = outcome.kind === 'session' ? outcome.session : undefined;
  if (content === undefined) {
    if (session !== undefined) await cancelUpload(repository, session);
    return 'refused';
  }
  await uploadBlob(repository, target, content, { session, signal });
  return 'copied';
}

/**
 * Uploads a blob unless it exists. The request that opens the upload finds out: it is a mount from
 * the repository into itself. A registry without mounts may get an existing blob again, so this is
 * for small blobs.
 *
 * @param options.opensAhead opens the content while the request is in progress; false where the
 *   blob probably exists.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository
 */
export async function offerBlob(
  repository: RemoteRepository,
  target: Descriptor,
  content: Bytes,
  { opensAhead, signal }: CallOptions & { readonly opensAhead: boolean },
): Promise<'there' | 'copied'> {
  const whole = verified(content, target);
  const opened = opensAhead ? new UploadContent(whole, target).openAhead() : undefined;
  try {
    const outcome = await requestMount(repository, target, repository.name, {
      scopes: scopesToWrite(repository),
      signal,
    });
    if (outcome.kind === 'mounted') return 'there';
    const session = outcome.kind === 'session' ? outcome.session : undefined;
    await uploadBlob(repository, target, whole, { session, opened, signal });
    return 'copied';
  } finally {
    opened?.close();
  }
}

async function requestMount(
  repository: RemoteRepository,
  target: Descriptor,
  from: string,
  { scopes, signal }: CallOptions & { readonly scopes: readonly Scope[] },
): Promise<MountOutcome> {
  const { connection, name } = repository;
  const blob = display(repository, target.digest);
  // Into itself, it is the beginning of an upload.
  const action = from === name ? `Cannot upload ${blob}` : `Cannot mount ${blob} from "${from}"`;
  const path = `${uploadsPath(repository)}?mount=${encodeURIComponent(target.digest)}&from=${encodeURIComponent(from)}`;
  try {
    const response = await connection.send('POST', path, {
      scopes,
      repository: name,
      body: new Uint8Array(0),
      signal,
    });
    if (response.status === 202)
      return { kind: 'session', session: await sessionOf(connection, action, response) };
    if (response.status !== 201 && !NOT_MOUNTED.has(response.status))
      throw await responseError(action, response);
    await discard(response);
    return response.status === 201 ? { kind: 'mounted' } : { kind: 'refused' };
  } catch (error) {
    // The token service may refuse the other repository, and the whole request with it.
    if (error instanceof NotAuthorisedError) return { kind: 'refused' };
    throw error;
  }
}
