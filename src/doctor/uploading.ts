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
import { note, ok, type Finding } from './finding.ts';

/** What is not looked at unless somebody asked for it: an upload that is begun is seen by whoever watches the registry. */
const NOT_ASKED = 'not probed: only an upload tells';

/** Begins an upload, and gives it up. */
export async function lookAtPush(
  remote: RemoteRepository,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  const name = JSON.stringify(`${remote.connection.name}/${remote.name}`);
  const session = await startUpload(remote, `Cannot push to ${name}`, { signal });
  await cancelUpload(remote, session);
  const { minimumChunk } = session;
  const chunks =
    minimumChunk === 0 ? '' : `; each chunk of an upload has at least ${formatBytes(minimumChunk)}`;
  return ok('push', `${name} may be written: an upload was begun and given up${chunks}`, {
    facts: { minimumChunk: minimumChunk || undefined },
  });
}

/** Mounts a blob of the repository where it is already, which leaves nothing behind. */
export async function lookAtMount(
  remote: RemoteRepository,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  const blob = await anyBlob(remote, signal);
  if (blob === undefined)
    return note('mount', 'not probed: the repository has no image to try it with');
  const outcome = await mountBlob(remote, blob, remote.name, { content: undefined, signal });
  if (outcome === 'mounted')
    return ok('mount', 'blobs can be taken over from other repositories', {
      facts: { supported: true },
    });
  return note(
    'mount',
    'nothing was mounted: blobs that another repository has are uploaded again',
    { facts: { supported: false } },
  );
}

export function uploadsAreNotProbed(
  { name }: Connection,
  repository = 'REPOSITORY',
): readonly Finding[] {
  return [
    note('push', NOT_ASKED, {
      hint: `to begin one, and give it up: regi doctor --push ${name}/${repository}`,
    }),
    note('mount', NOT_ASKED),
  ];
}

/** What is known beforehand of the size of requests. */
export function lookAtChunks({ uploadSizes }: Connection): Finding {
  const { known } = uploadSizes;
  if (known === undefined) return note('chunks', 'no limit of a request is known');
  const { min, max, canChunk = true } = known;
  const facts = { min, max, canChunk };
  if (!canChunk)
    return note('chunks', 'known of this registry: an upload is one request', { facts });
  const bounds = [
    ...(min === undefined ? [] : [`at least ${formatBytes(min)}`]),
    ...(max === undefined ? [] : [`at most ${formatBytes(max)}`]),
  ];
  return note(
    'chunks',
    `known of this registry: ${bounds.join(', ')} in one request of an upload in chunks`,
    { facts },
  );
}

/** The config of any image there. */
async function anyBlob(
  remote: RemoteRepository,
  signal: AbortSignal | undefined,
): Promise<Descriptor | undefined> {
  try {
    for await (const tag of listTags(remote, { signal }))
      if (isTag(tag)) return await configOf(remote, tag, signal);
  } catch (error) {
    // A repository that is to be made by the first push.
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
