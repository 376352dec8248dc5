import { http } from 'msw';

import { bearer, type Bearer } from '../bearer.ts';
import { answerStorage } from '../blobs.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { digestNamed, tagsOf } from '../manifests.ts';
import { refusal, parseRoute } from '../state.ts';

const ORIGIN = 'https://registry-1.docker.io';
const REALM = 'https://auth.docker.io/token';
const STORAGE = 'https://production.cloudflare.docker.com';
const LIMIT_TEXT =
  'You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limits';

export interface DockerHub extends Emulation {
  readonly asked: Bearer['asked'];
  /** What is left of the pulls of six hours; undefined where nothing is limited. */
  readonly pulls: { limit: number; remaining: number | undefined };
}

/** Docker Hub: the registry, its token service and its CDN. */
export function dockerHub(): DockerHub {
  const logins = [
    { username: 'somebody', password: 'dckr_pat_canary-0123456789' },
    // An organisation's own token: the user name is the organisation.
    { username: 'someorg', password: 'dckr_oat_canary-0123456789' },
  ] as const;
  const core = new RegistryCore({ origin: ORIGIN, storage: { origin: STORAGE } });
  const { guard, token, tokens, asked, isAnonymous } = bearer({
    realm: REALM,
    service: 'registry.docker.io',
    logins,
    isPublic: (repository) => repository.startsWith('library/') || repository.startsWith('public/'),
    // OAuth2 works as well as GET, for passwords and for refresh tokens.
    post: (form, grant) =>
      logins.some(({ password }) =>
        [form.get('password'), form.get('refresh_token')].includes(password),
      )
        ? grant((form.get('scope') ?? '').split(' '))
        : refusal(401, 'UNAUTHORIZED', 'incorrect username or password'),
  });
  const pulls: DockerHub['pulls'] = { limit: 100, remaining: undefined };

  /**
   * HEAD tells the quota and costs nothing; each GET of a manifest is a pull. A 429 of the six
   * hours comes without Retry-After.
   */
  async function pull(request: Request): Promise<Response> {
    if (pulls.remaining === undefined) return core.answer(request);
    if (request.method === 'GET') {
      if (pulls.remaining === 0)
        return withQuota(refusal(429, 'TOOMANYREQUESTS', LIMIT_TEXT), request);
      pulls.remaining -= 1;
    }
    return withQuota(await core.answer(request), request);
  }

  /** What is counted is an address, or the user who is logged in. */
  function withQuota(answer: Response, request: Request): Response {
    const headers = new Headers(answer.headers);
    headers.set('ratelimit-limit', `${pulls.limit};w=21600`);
    headers.set('ratelimit-remaining', `${pulls.remaining};w=21600`);
    headers.set(
      'docker-ratelimit-source',
      isAnonymous(request) ? '192.0.2.1' : 'f2cf3f3a-1b1b-4d34-9a5e-0123456789ab',
    );
    return new Response(answer.body, { status: answer.status, headers });
  }

  return {
    title: 'Docker Hub',
    registry: 'docker.io',
    hosts: ['registry-1.docker.io', 'auth.docker.io', 'production.cloudflare.docker.com'],
    logins,
    repositories: ['somebody/app', 'somebody/copy'],
    core,
    asked,
    pulls,
    secrets: () => [core.signature, ...tokens()],
    handlers: [
      http.all(REALM, ({ request }) => token(request)),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => guard(request)),
      http.get(/^https:\/\/registry-1\.docker\.io\/v2\/.+\/manifests\/.+$/, ({ request }) =>
        pull(request),
      ),
      http.head(/^https:\/\/registry-1\.docker\.io\/v2\/.+\/manifests\/.+$/, ({ request }) =>
        pull(request),
      ),
      // By digest only, and not while a tag names it.
      http.delete(/^https:\/\/registry-1\.docker\.io\/v2\/.+\/manifests\/.+$/, ({ request }) => {
        const route = parseRoute(new URL(request.url).pathname);
        const kept = core.find(route?.repository ?? '');
        const digest = digestNamed(kept, route?.reference ?? '');
        if (kept === undefined || digest === undefined) return undefined;
        if (digest !== route?.reference)
          return refusal(405, 'UNSUPPORTED', 'The operation is unsupported.');
        return tagsOf(kept, digest).length > 0
          ? refusal(403, 'DENIED', 'requested access to the resource is denied')
          : undefined;
      }),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
      http.all(`${STORAGE}/*`, ({ request }) => answerStorage(core, request)),
    ],
  };
}
