import { assertNever } from '../errors.ts';
import type { Place } from '../store.ts';
import type { Authenticate } from './authenticate.ts';
import { deleteBlob, getBlob } from './blobs.ts';
import { listRepositories, listTags } from './lists.ts';
import { RefusedRequestError } from './errors.ts';
import { jsonAnswer, type Answer, type Call } from './exchange.ts';
import { guardAgainstBrowsers, type ServedHosts } from './guards.ts';
import { deleteManifest, getManifest, putManifest } from './manifests.ts';
import { listReferrers } from './referrers.ts';
import { METHODS, parseRoute, type Route } from './router.ts';
import type { UploadSessions } from './upload-sessions.ts';
import { cancelUpload, finishUpload, startUpload, uploadChunk, uploadStatus } from './uploads.ts';

/** What a registry is made of and how it behaves. */
export interface RegistryOptions extends ServedHosts {
  readonly place: Place;
  /** Answers 405 to everything that writes. */
  readonly readOnly?: boolean | undefined;
  readonly authenticate?: Authenticate | undefined;
  /** The repository of the place that a name of a path stands for; `namespace` is the `ns` of the query. The name itself when absent. */
  readonly repositoryFor?: ((name: string, namespace: string | undefined) => string) | undefined;
}

/** The distribution protocol over a place: from request to answer, with no socket in sight. */
export function createEndpoints(
  options: RegistryOptions,
  sessions: UploadSessions,
): (call: Call) => Promise<Answer> {
  const { place, authenticate, repositoryFor = (name) => name } = options;
  return async (call) => {
    guardAgainstBrowsers(call, options);
    await authorize(call, authenticate);
    const route = parseRoute(call.path);
    requireMethod(call, route, options.readOnly ?? false);
    if (route.kind === 'version') return jsonAnswer(200, {});
    if (route.kind === 'catalog') return listRepositories(call, place);
    const store = place.open(repositoryFor(route.repository, call.query.get('ns') ?? undefined));
    return answerRoute(call, route, { place, store, sessions });
  };
}

type RepositoryRoute = Exclude<Route, { readonly kind: 'version' | 'catalog' }>;
type Target = Parameters<typeof startUpload>[1];

async function answerRoute(call: Call, route: RepositoryRoute, target: Target): Promise<Answer> {
  const { store, sessions } = target;
  const name = route.repository;
  switch (route.kind) {
    case 'tags':
      return listTags(call, target, name);
    case 'referrers':
      return listReferrers(call, store, { name, digest: route.digest });
    case 'manifest':
      if (call.method === 'PUT')
        return putManifest(call, store, { name, reference: route.reference });
      return call.method === 'DELETE'
        ? deleteManifest(call, store, route.reference)
        : getManifest(call, store, route.reference);
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
    throw new RefusedRequestError('DENIED', 'Cannot do that: these credentials do not allow it');
  throw new RefusedRequestError(
    'UNAUTHORIZED',
    'Cannot answer without credentials that are right',
    { headers: { 'www-authenticate': verdict.challenge } },
  );
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
  throw new RefusedRequestError('UNSUPPORTED', `Cannot ${call.method} there: ${why}`, {
    headers: { allow: allowed.join(', ') },
  });
}
