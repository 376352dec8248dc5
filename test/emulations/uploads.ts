import { randomUUID } from 'node:crypto';

import { digestOf, type KeptUpload, type RegistryState, type Route } from './state.ts';

/** Starts an upload, takes its bytes, and ends it. */
export async function answerUpload(
  core: RegistryState,
  route: Route,
  request: Request,
): Promise<Response> {
  const url = new URL(request.url);
  if (request.method === 'POST') return start(core, route.repository, url);
  const upload = core.uploads.get(route.reference);
  if (upload === undefined)
    return core.refuse(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
  switch (request.method) {
    case 'GET':
      return new Response(null, {
        status: 204,
        headers: progressOf(core, route.reference, upload),
      });
    case 'PATCH':
      return append(core, route.reference, upload, request);
    case 'PUT':
      return end(core, route.reference, upload, request);
    case 'DELETE':
      core.uploads.delete(route.reference);
      return new Response(null, { status: 204 });
    default:
      return core.refuse(405, 'UNSUPPORTED', 'The operation is unsupported.');
  }
}

function start(core: RegistryState, repository: string, { searchParams }: URL): Response {
  const kept =
    core.options.repositories === undefined ? core.repository(repository) : core.find(repository);
  if (kept === undefined)
    return core.refuse(
      404,
      'NAME_UNKNOWN',
      `The repository with name '${repository}' does not exist`,
    );
  const mount = searchParams.get('mount');
  const from = searchParams.get('from');
  const held =
    mount === null || from === null || core.options.mounts === false
      ? undefined
      : core.find(from)?.blobs.get(mount);
  if (mount !== null && held !== undefined) {
    kept.blobs.set(mount, held);
    return created(core, repository, mount);
  }
  const id = randomUUID();
  core.uploads.set(id, { repository, chunks: [], size: 0 });
  return new Response(null, {
    status: 202,
    headers: { location: locationOf(core, id, repository), range: '0-0' },
  });
}

async function append(
  core: RegistryState,
  id: string,
  upload: KeptUpload,
  request: Request,
): Promise<Response> {
  const first = /^(\d+)-\d+$/.exec(request.headers.get('content-range') ?? '')?.[1];
  if (first !== undefined && Number(first) !== upload.size)
    return core.refuse(416, 'RANGE_INVALID', 'invalid content range');
  keep(upload, new Uint8Array(await request.arrayBuffer()));
  return new Response(null, { status: 202, headers: progressOf(core, id, upload) });
}

async function end(
  core: RegistryState,
  id: string,
  upload: KeptUpload,
  request: Request,
): Promise<Response> {
  keep(upload, new Uint8Array(await request.arrayBuffer()));
  core.uploads.delete(id);
  const bytes = new Uint8Array(Buffer.concat(upload.chunks));
  const wanted = new URL(request.url).searchParams.get('digest') ?? '';
  if (digestOf(bytes) !== wanted)
    return core.refuse(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  core.repository(upload.repository).blobs.set(wanted, bytes);
  return created(core, upload.repository, wanted);
}

function keep(upload: KeptUpload, bytes: Uint8Array): void {
  if (bytes.byteLength > 0) upload.chunks.push(bytes);
  upload.size += bytes.byteLength;
}

function created(core: RegistryState, repository: string, digest: string): Response {
  const location = `${core.options.origin}/v2/${repository}/blobs/${digest}`;
  return new Response(null, {
    status: 201,
    headers: { location, 'docker-content-digest': digest },
  });
}

function progressOf(
  core: RegistryState,
  id: string,
  { repository, size }: KeptUpload,
): Record<string, string> {
  return { location: locationOf(core, id, repository), range: `0-${Math.max(size - 1, 0)}` };
}

/** `_state` is what makes the session ours, so it is as secret as a signature. */
function locationOf({ options, signature }: RegistryState, id: string, repository: string): string {
  return `${options.origin}/v2/${repository}/blobs/uploads/${id}?_state=${signature}`;
}
