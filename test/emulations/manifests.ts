import { digestOf, type KeptRepository, type RegistryState, type Route } from './state.ts';

/** Manifests by tag and by digest. */
export async function answerManifest(
  core: RegistryState,
  route: Route,
  request: Request,
): Promise<Response> {
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return read(core, route, request);
    case 'PUT':
      return put(core, route, request);
    case 'DELETE':
      return remove(core, route);
    default:
      return core.refuse(405, 'UNSUPPORTED', 'The operation is unsupported.');
  }
}

/** What a tag or digest of a repository names; undefined when it names nothing there. */
export function digestNamed(
  repository: KeptRepository | undefined,
  reference: string,
): string | undefined {
  const digest = reference.startsWith('sha256:') ? reference : repository?.tags.get(reference);
  return digest !== undefined && repository?.manifests.has(digest) === true ? digest : undefined;
}

function read(core: RegistryState, { repository, reference }: Route, request: Request): Response {
  const kept = core.find(repository);
  const digest = digestNamed(kept, reference);
  const manifest = digest === undefined ? undefined : kept?.manifests.get(digest);
  if (digest === undefined || manifest === undefined)
    return core.refuse(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  return new Response(request.method === 'HEAD' ? null : Buffer.from(manifest.bytes), {
    headers: {
      'content-type': manifest.mediaType,
      'content-length': String(manifest.bytes.byteLength),
      'docker-content-digest': digest,
    },
  });
}

async function put(
  core: RegistryState,
  { repository, reference }: Route,
  request: Request,
): Promise<Response> {
  const kept =
    core.options.repositories === undefined ? core.repository(repository) : core.find(repository);
  if (kept === undefined)
    return core.refuse(
      404,
      'NAME_UNKNOWN',
      `The repository with name '${repository}' does not exist`,
    );
  const bytes = new Uint8Array(await request.arrayBuffer());
  const digest = digestOf(bytes);
  if (reference.startsWith('sha256:') && reference !== digest)
    return core.refuse(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  const manifest = JSON.parse(Buffer.from(bytes).toString()) as Manifest;
  const missing = [manifest.config, ...(manifest.layers ?? [])].filter(
    (node) => node !== undefined && !kept.blobs.has(node.digest),
  );
  if (missing.length > 0)
    return core.refuse(400, 'MANIFEST_BLOB_UNKNOWN', 'blob unknown to registry');
  if (manifest.manifests?.some((child) => !kept.manifests.has(child.digest)) === true)
    return core.refuse(400, 'MANIFEST_UNKNOWN', 'manifest unknown');
  kept.manifests.set(digest, { mediaType: request.headers.get('content-type') ?? '', bytes });
  if (!reference.startsWith('sha256:')) kept.tags.set(reference, digest);
  const subject = core.options.referrers === true ? manifest.subject?.digest : undefined;
  const location = `${core.options.origin}/v2/${repository}/manifests/${digest}`;
  return new Response(null, {
    status: 201,
    headers: {
      location,
      'docker-content-digest': digest,
      ...(subject && { 'oci-subject': subject }),
    },
  });
}

/** A tag alone, or a manifest with all its tags. */
function remove(core: RegistryState, { repository, reference }: Route): Response {
  const kept = core.find(repository);
  const digest = digestNamed(kept, reference);
  if (kept === undefined || digest === undefined)
    return core.refuse(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  if (digest === reference) {
    kept.manifests.delete(digest);
    for (const tag of tagsOf(kept, digest)) kept.tags.delete(tag);
  } else {
    kept.tags.delete(reference);
  }
  return new Response(null, { status: 202 });
}

/** The tags that name a digest. */
export function tagsOf({ tags }: KeptRepository, digest: string): readonly string[] {
  return [...tags].filter(([, named]) => named === digest).map(([tag]) => tag);
}

interface Manifest {
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config?: { readonly digest: string; readonly mediaType: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly manifests?: readonly { readonly digest: string }[];
  readonly subject?: { readonly digest: string };
}

/** The manifests whose subject is `digest`, as descriptors. */
export function referrersOf(
  repository: KeptRepository | undefined,
  subject: string,
): readonly object[] {
  return [...(repository?.manifests ?? [])].flatMap(([digest, { mediaType, bytes }]) => {
    const manifest = JSON.parse(Buffer.from(bytes).toString()) as Manifest;
    if (manifest.subject?.digest !== subject) return [];
    return [
      {
        mediaType,
        digest,
        size: bytes.byteLength,
        artifactType: manifest.artifactType ?? manifest.config?.mediaType,
      },
    ];
  });
}
