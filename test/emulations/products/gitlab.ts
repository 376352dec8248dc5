import { http } from 'msw';

import { bearer, type Bearer } from '../bearer.ts';
import { answerStorage } from '../blobs.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';

const ORIGIN = 'https://registry.gitlab.com';
const REALM = 'https://gitlab.com/jwt/auth';
const STORAGE = 'https://cdn.registry.gitlab-static.net';

/**
 * GitLab's container registry: its token service is another host, the one of GitLab itself.
 *
 * @see https://gitlab.com/gitlab-org/container-registry/-/blob/master/docs/auth-request-flow.md
 */
export function gitlab(): Emulation & { readonly asked: Bearer['asked'] } {
  const logins = [
    { username: 'someone', password: 'glpat-canary0123456789' },
    { username: 'gitlab-ci-token', password: 'glcbt-canary-of-the-job' },
    { username: 'gitlab+deploy-token-1', password: 'gldt-canary+0123456789' },
  ] as const;
  const core = new RegistryCore({ origin: ORIGIN, storage: { origin: STORAGE } });
  // Only GET; the answer has `token` and nothing else. A private project is 403 to who does not say
  // who they are.
  const { guard, token, tokens, asked } = bearer({
    realm: REALM,
    service: 'container_registry',
    logins,
    isPublic: (repository) => repository.startsWith('public/'),
    answer: (value) => ({ token: value }),
    wrongPassword: () =>
      Response.json(
        { errors: [{ code: 'UNAUTHORIZED', message: 'HTTP Basic: Access denied' }] },
        { status: 401 },
      ),
    anonymous: (scopes) =>
      scopes.some((scope) => scope.startsWith('repository:public/'))
        ? undefined
        : new Response('access forbidden', { status: 403 }),
  });
  return {
    title: 'GitLab',
    registry: 'registry.gitlab.com',
    hosts: ['registry.gitlab.com', 'gitlab.com', new URL(STORAGE).hostname],
    logins,
    repositories: ['group/project/app', 'group/subgroup/project/copy'],
    core,
    asked,
    secrets: () => [core.signature, ...tokens()],
    handlers: [
      http.all(REALM, ({ request }) => token(request)),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => guard(request)),
      // A tag that is a digest with a dash names the manifest of that digest (oras-go#1396).
      http.all(/\/v2\/.+\/manifests\/sha256-[0-9a-f]{64}$/, ({ request }) => {
        const isRead = request.method === 'GET' || request.method === 'HEAD';
        const url = request.url.replace(/sha256-(?=\w+$)/, 'sha256:');
        return isRead ? core.answer(new Request(url, request)) : undefined;
      }),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
      http.all(`${STORAGE}/*`, ({ request }) => answerStorage(core, request)),
    ],
  };
}
