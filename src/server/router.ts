import { quote } from '../quote.ts';
import { RefusedRequestError } from './errors.ts';

/** The endpoint of a path, with its parameters. */
export type Route =
  | { readonly kind: 'version' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'manifest'; readonly repository: string; readonly reference: string }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: string }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly session: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: string };

/** Methods of each endpoint; other methods get 405 with this list. */
export const METHODS = {
  version: ['GET', 'HEAD'],
  catalog: ['GET', 'HEAD'],
  tags: ['GET', 'HEAD'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  blob: ['GET', 'HEAD', 'DELETE'],
  uploads: ['POST'],
  upload: ['GET', 'PATCH', 'PUT', 'DELETE'],
  referrers: ['GET', 'HEAD'],
} as const satisfies Record<Route['kind'], readonly string[]>;

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const NAME_LENGTH = 255;

/**
 * Parses a path. The end of the path decides where the repository name stops, because a repository
 * may itself be called `blobs` or `tags`.
 *
 * @param path percent-encoded, without query.
 * @throws {RefusedRequestError} with 404 for a path of no endpoint, 400 NAME_INVALID for a name
 *   outside the grammar.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints
 */
export function parseRoute(path: string): Route {
  if (path === '/v2' || path === '/v2/') return { kind: 'version' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  const segments = path.split('/');
  if (segments[0] !== '' || segments[1] !== 'v2') throw unknownPath();
  const rest = segments.slice(2);
  const last = decode(rest.at(-1) ?? '');
  const before = rest.at(-2);
  if (before === 'tags' && last === 'list') return { kind: 'tags', repository: nameOf(rest, 2) };
  if (before === 'manifests')
    return { kind: 'manifest', repository: nameOf(rest, 2), reference: last };
  if (before === 'referrers')
    return { kind: 'referrers', repository: nameOf(rest, 2), digest: last };
  if (before === 'uploads' && rest.at(-3) === 'blobs') {
    const repository = nameOf(rest, 3);
    return last === ''
      ? { kind: 'uploads', repository }
      : { kind: 'upload', repository, session: last };
  }
  if (before === 'blobs') {
    const repository = nameOf(rest, 2);
    // A client that omits the slash would follow a redirect and turn its POST into a GET.
    return last === 'uploads'
      ? { kind: 'uploads', repository }
      : { kind: 'blob', repository, digest: last };
  }
  throw unknownPath();
}

/**
 * True for a repository name.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
 */
export function isRepositoryName(text: string): boolean {
  return text.length <= NAME_LENGTH && NAME.test(text);
}

function nameOf(segments: readonly string[], taken: number): string {
  const name = segments
    .slice(0, segments.length - taken)
    .map(decode)
    .join('/');
  if (!isRepositoryName(name)) {
    throw new RefusedRequestError(
      'NAME_INVALID',
      `Cannot use repository name ${quote(name)}: expected lower-case path components`,
    );
  }
  return name;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    if (cause instanceof URIError) throw unknownPath();
    throw cause;
  }
}

function unknownPath(): RefusedRequestError {
  return new RefusedRequestError(
    'UNSUPPORTED',
    'Cannot find that path: expected an endpoint under /v2/',
    { status: 404 },
  );
}
