import { formatBytes } from '../format.ts';
import { NotAuthorisedError } from '../auth/not-authorised.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isTag, type Tag } from '../oci/reference.ts';
import type { Connection } from '../registry/connection.ts';
import { isResponseError } from '../registry/errors.ts';
import { fetchManifest } from '../registry/manifests.ts';
import { mountBlob } from '../registry/upload/mounts.ts';
import type { RemoteRepository } from '../registry/remote-repository.ts';
import { listTags } from '../registry/lists.ts';
import { cancelUpload, startUpload } from '../registry/upload/session.ts';
import { quote } from '../quote.ts';
import { note, ok, type Finding } from './finding.ts';

/** Uploads are probed only on request, because an operator of the registry can see them. */
const NOT_PROBED = 'not probed: an upload is needed';

/** Starts an upload and cancels it. */
export async function lookAtPush(
  remote: RemoteRepository,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  const name = quote(`${remote.connection.name}/${remote.name}`);
  const session = await startUpload(remote, `Cannot push to ${name}`, { signal });
  await cancelUpload(remote, session);
  const { minimumChunk } = session;
  const chunks = minimumChunk === 0 ? '' : `; chunks have at least ${formatBytes(minimumChunk)}`;
  return ok('push', `${name} is writable: an upload was started and cancelled${chunks}`, {
    facts: { minimumChunk: minimumChunk || undefined },
  });
}

/** Mounts a blob into the repository that has it, which changes nothing. */
export async function lookAtMount(
  remote: RemoteRepository,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  const blob = await anyBlob(remote, signal);
  if (blob === undefined) return note('mount', 'not probed: the repository has no image to try');
  const outcome = await mountBlob(remote, blob, remote.name, { content: undefined, signal });
  if (outcome === 'mounted')
    return ok('mount', 'blobs can be mounted from other repositories', {
      facts: { supported: true },
    });
  return note('mount', 'not supported: blobs of other repositories are uploaded again', {
    facts: { supported: false },
  });
}

export function uploadsAreNotProbed(
  { name }: Connection,
  repository = 'REPOSITORY',
): readonly Finding[] {
  return [
    note('push', NOT_PROBED, {
      hint: `to start and cancel one: regi doctor --push ${name}/${repository}`,
    }),
    note('mount', NOT_PROBED),
  ];
}

/** Reports the size limits known for this registry, without a request. */
export function lookAtChunks({ uploadSizes }: Connection): Finding {
  const { known } = uploadSizes;
  if (known === undefined) return note('chunks', 'no limit known for requests');
  const { min, max, canChunk = true } = known;
  const facts = { min, max, canChunk };
  if (!canChunk)
    return note('chunks', 'this registry takes an upload in a single request', { facts });
  const bounds = [
    ...(min === undefined ? [] : [`at least ${formatBytes(min)}`]),
    ...(max === undefined ? [] : [`at most ${formatBytes(max)}`]),
  ];
  return note('chunks', `this registry takes ${bounds.join(', ')} in a chunk of an upload`, {
    facts,
  });
}

/** Finds the config of any image in the repository. */
async function anyBlob(
  remote: RemoteRepository,
  signal: AbortSignal | undefined,
): Promise<Descriptor | undefined> {
  try {
    for await (const tag of listTags(remote, { signal }))
      if (isTag(tag)) return await configOf(remote, tag, signal);
  } catch (error) {
    // The first push may create the repository.
    if (!isResponseError(error, 'NOT_FOUND') && !(error instanceof NotAuthorisedError)) throw error;
  }
  return undefined;
}

async function configOf(
  remote: RemoteRepository,
  tag: Tag,
  signal: AbortSignal | undefined,
): Promise<Descriptor | undefined> {
  const { bytes, descriptor } = await fetchManifest(remote, tag, { signal });
  const manifest = parseManifest(bytes, descriptor.mediaType);
  if (manifest.kind === 'image') return manifest.config;
  const [child] = manifest.manifests;
  if (child === undefined) return undefined;
  const inner = await fetchManifest(remote, child.digest, { signal });
  const image = parseManifest(inner.bytes, inner.descriptor.mediaType);
  return image.kind === 'image' ? image.config : undefined;
}
