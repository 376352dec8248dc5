import { http } from 'msw';

import { bearer } from '../bearer.ts';
import { answerStorage } from '../blobs.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { refusal } from '../state.ts';

const ORIGIN = 'https://ghcr.io';
const STORAGE = 'https://pkg-containers.githubusercontent.com';
const CHUNK_LIMIT = 4 * 1024 * 1024;

/** GitHub's container registry. */
export function ghcr(): Emulation & { readonly CHUNK_LIMIT: number } {
  const logins = [{ username: 'octocat', password: 'ghp_canary0123456789' }] as const;
  const core = new RegistryCore({
    origin: ORIGIN,
    storage: { origin: STORAGE },
    tagOrder: 'oldest-first',
  });
  // Any user name goes with a classic token, public images still need the anonymous one, and the
  // scope of a ping is a placeholder.
  const { guard, token, tokens } = bearer({
    realm: `${ORIGIN}/token`,
    service: 'ghcr.io',
    logins,
    isPublic: (repository) => repository.startsWith('public/'),
    challengeScope: (needed) => (needed === '' ? 'repository:user/image:pull' : needed),
  });
  return {
    title: 'GitHub Container Registry',
    registry: 'ghcr.io',
    hosts: ['ghcr.io', 'pkg-containers.githubusercontent.com', 'github.com'],
    logins,
    repositories: ['octocat/app', 'octocat/nested/copy'],
    core,
    CHUNK_LIMIT,
    secrets: () => [core.signature, ...tokens()],
    handlers: [
      http.all(`${ORIGIN}/token`, ({ request }) => token(request)),
      http.get(
        `${ORIGIN}/v2/_catalog`,
        () =>
          new Response('404 page not found\n', {
            status: 404,
            headers: { 'content-type': 'text/plain' },
          }),
      ),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => guard(request)),
      // A chunk with Content-Range may have 4 MiB; without that header, as docker sends it, any
      // size.
      http.patch(`${ORIGIN}/v2/*`, ({ request }) =>
        request.headers.has('content-range') &&
        Number(request.headers.get('content-length')) > CHUNK_LIMIT
          ? refusal(
              416,
              'REQUESTED_RANGE_NOT_SATISFIABLE',
              'content range exceeds the maximum permissible limit of 4.00MiB',
            )
          : undefined,
      ),
      // The same for a PUT with the whole blob (wasmCloud/wash-archive#268). Reports disagree whether
      // it meets every client; this is the harsher of them.
      http.put(/^https:\/\/ghcr\.io\/v2\/.+\/blobs\/uploads\/.+$/, ({ request }) =>
        Number(request.headers.get('content-length')) > CHUNK_LIMIT
          ? refusal(
              416,
              'REQUESTED_RANGE_NOT_SATISFIABLE',
              'the request body is too large and exceeds the maximum permissible limit of 4.00MiB',
            )
          : undefined,
      ),
      // Nothing is deleted by the distribution API, only by that of the packages.
      http.delete(`${ORIGIN}/v2/:owner/*`, ({ request }) =>
        request.url.includes('/uploads/')
          ? undefined
          : refusal(405, 'UNSUPPORTED', 'The operation is unsupported.'),
      ),
      // Instead of referrers there is a way to a web page of another host, which must never see a
      // token.
      http.get(/^https:\/\/ghcr\.io\/v2\/.+\/referrers\/.+$/, ({ request }) => {
        const [, name = ''] = /\/v2\/(.+)\/referrers\//.exec(request.url) ?? [];
        const page = `https://github.com/-/v2/packages/container/package/${encodeURIComponent(`${name}/referrers/sha256`)}`;
        return new Response(null, { status: 303, headers: { location: page } });
      }),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
      http.all(
        'https://github.com/*',
        () =>
          new Response('<!DOCTYPE html><title>GitHub</title>', {
            headers: { 'content-type': 'text/html; charset=utf-8' },
          }),
      ),
      http.all(`${STORAGE}/*`, ({ request }) => answerStorage(core, request)),
    ],
  };
}
