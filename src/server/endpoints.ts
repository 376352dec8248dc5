import { assertNever } from '../errors.ts';
import type { Place } from '../store.ts';
import { deleteBlob, getBlob } from './blobs.ts';
import { listReferrers, listRepositories, listTags } from './lists.ts';
import { RefusedRequestError } from './errors.ts';
import { jsonResponse, type Authenticate, type Call, type CallResponse } from './exchange.ts';
import { guardAgainstBrowsers, type ServedHosts } from './guards.ts';
import { deleteManifest, getManifest, putManifest } from './manifests.ts';
import type { Admits } from './verified-manifests.ts';
import { METHODS, parseRoute, type Route } from './router.ts';
import type { UploadSessions } from './upload-sessions.ts';
import { cancelUpload, finishUpload, startUpload, uploadChunk, uploadStatus } from './uploads.ts';

/** The content of a registry, and its rules. */
export interface RegistryOptions extends ServedHosts {
  /** The repositories to serve. */
  readonly place: Place;
  /** Refuses every writing request with 405. */
  readonly readOnly?: boolean | undefined;
  /** Accepts manifests whose blobs or images are absent. */
  readonly sparse?: boolean | undefined;
  /** Decides about each request; all are allowed when absent. */
  readonly authenticate?: Authenticate | undefined;
  /** Decides whether a manifest may be served; all may when absent. */
  readonly admits?: Admits | undefined;
  /**
   * Maps a name in a path to a repository of the place; `namespace` is the `ns` of the query. By
   * default the name itself.
   */
  readonly repositoryFor?: ((name: string, namespace: string | undefined) => string) | undefined;
}

/** The distribution protocol over a place, from request to response, without sockets. */
export function createEndpoints(
  options: RegistryOptions,
  sessions: UploadSessions,
): (call: Call) => Promise<CallResponse> {
  const { place, authenticate, repositoryFor = (name) => name } = options;
  return async (call) => {
    guardAgainstBrowsers(call, options);
    await authorize(call, authenticate);
    const route = parseRoute(call.path);
    requireMethod(call, route, options.readOnly ?? false);
    if (route.kind === 'version') return jsonResponse(200, {});
    if (route.kind === 'catalog') return listRepositories(call, place);
    const store = place.open(repositoryFor(route.repository, call.query.get('ns') ?? undefined));
    return serveRoute(call, route, { place, store, sessions }, options);
  };
}

type RepositoryRoute = Exclude<Route, { readonly kind: 'version' | 'catalog' }>;
type Target = Parameters<typeof startUpload>[1];

async function serveRoute(
  call: Call,
  route: RepositoryRoute,
  target: Target,
  { sparse, admits }: RegistryOptions,
): Promise<CallResponse> {
  const { store, sessions } = target;
  const name = route.repository;
  switch (route.kind) {
    case 'tags':
      return listTags(call, target, name);
    case 'referrers':
      return listReferrers(call, store, { name, digest: route.digest });
    case 'manifest':
      if (call.method === 'PUT')
        return putManifest(call, store, { name, reference: route.reference, sparse });
      return call.method === 'DELETE'
        ? deleteManifest(call, store, route.reference)
        : getManifest(call, store, { reference: route.reference, admits });
    case 'blob':
      return call.method === 'DELETE'
        ? deleteBlob(call, store, route.digest)
        : getBlob(call, store, route.digest);
    case 'uploads':
      return startUpload(call, target, name);
    case 'upload': {
      const at = { name, session: route.session };
      if (call.method === 'PATCH') return uploadChunk(call, target, at);
      if (call.method === 'PUT') return finishUpload(call, target, at);
      return call.method === 'DELETE'
        ? cancelUpload(sessions, store.repository, at)
        : uploadStatus(sessions, store.repository, at);
    }
    default:
      return assertNever(route);
  }
}

async function authorize(call: Call, authenticate: Authenticate | undefined): Promise<void> {
  const verdict = await authenticate?.(call);
  if (verdict === undefined || verdict.kind === 'allowed') return;
  if (verdict.kind === 'denied')
    throw new RefusedRequestError('DENIED', 'Cannot allow this: the credentials lack permission');
  throw new RefusedRequestError('UNAUTHORIZED', 'Cannot continue without valid credentials', {
    headers: { 'www-authenticate': verdict.challenge },
  });
}

function requireMethod(call: Call, route: Route, readOnly: boolean): void {
  const reading = ['GET', 'HEAD'];
  const methods: readonly string[] = METHODS[route.kind];
  const allowed = readOnly ? methods.filter((method) => reading.includes(method)) : methods;
  if (allowed.includes(call.method)) return;
  const why =
    readOnly && methods.includes(call.method)
      ? 'this registry is read-only'
      : `expected ${methods.join(', ')}`;
  throw new RefusedRequestError('UNSUPPORTED', `Cannot ${call.method} this path: ${why}`, {
    headers: { allow: allowed.join(', ') },
  });
}
