import { http } from 'msw';

import { basicGuard, bearer, parseBasic, type Bearer } from '../bearer.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { parseRoute, refusal } from '../state.ts';

const HOST = 'harbor.corp.example';
const ORIGIN = `https://${HOST}`;
const PROJECTS = ['proj', 'public'];

export interface Harbor extends Emulation {
  readonly asked: Bearer['asked'];
  /** Refuses all later questions for referrers: goharbor/harbor#18305. */
  readonly refuseReferrers: (refuses: boolean) => void;
}

/**
 * Harbor. @see https://github.com/goharbor/harbor/tree/c50c7dd/src/server/middleware/v2auth
 */
export function harbor(): Harbor {
  const logins = [
    { username: 'admin', password: 'canary-Harbor12345' },
    // A robot of the system, and one of a project: shells and forms must leave "$" and "+" alone.
    { username: 'robot$ci', password: 'canary+of the robot$' },
    { username: 'robot$proj+ci', password: 'canary$of&the+other' },
  ] as const;
  const core = new RegistryCore({ origin: ORIGIN, referrers: true });
  const { guard, token, tokens, asked } = bearer({
    realm: `${ORIGIN}/service/token`,
    service: 'harbor-registry',
    logins,
    isPublic: (repository) => repository.startsWith('public/'),
    wrongPassword: () => new Response(null, { status: 401 }),
    // There is no action of its own for deleting in what a client may ask for by habit; "push"
    // brings it.
    deleteNeeds: 'push',
  });
  // The catalog is for administrators, who show their password: no token is good enough.
  const catalogGuard = basicGuard('Basic realm="harbor"', [logins[0]]);
  let refusesReferrers = false;
  return {
    title: 'Harbor',
    refuseReferrers: (refuses) => void (refusesReferrers = refuses),
    registry: HOST,
    hosts: [HOST],
    logins,
    repositories: ['proj/app', 'proj/deeper/nested/copy'],
    core,
    asked,
    secrets: () => [core.signature, ...tokens()],
    handlers: [
      http.get(`${ORIGIN}/service/token`, ({ request }) =>
        new URL(request.url).searchParams.get('service') === 'harbor-registry'
          ? token(request)
          : new Response('unable to handle service', { status: 400 }),
      ),
      http.get(`${ORIGIN}/v2/_catalog`, ({ request }) => catalogGuard(request)),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => {
        const url = new URL(request.url);
        const route = parseRoute(url.pathname);
        if (route?.kind === 'catalog') return undefined;
        // A project that is not there: a challenge, and nothing in it.
        if (route !== undefined && !PROJECTS.includes(route.repository.split('/', 1)[0] ?? '')) {
          return refusal(
            401,
            'UNAUTHORIZED',
            `project ${route.repository.split('/', 1)[0]} not found`,
            { 'www-authenticate': '' },
          );
        }
        const login = parseBasic(request.headers.get('authorization'));
        if (
          logins.some(
            ({ username, password }) => username === login?.username && password === login.password,
          )
        )
          return undefined;
        const refused = guard(request);
        if (refused === undefined || !request.headers.has('authorization')) return refused;
        // A client whose credentials were not enough is asked for Basic from then on.
        return refusal(401, 'UNAUTHORIZED', 'unauthorized to access repository', {
          'www-authenticate': 'Basic realm="harbor"',
        });
      }),
      // A manifest goes with all its tags; a tag alone only by Harbor's own API.
      http.delete(/\/v2\/.+\/manifests\/(?!sha256:).+$/, () =>
        refusal(400, 'UNSUPPORTED', 'deleting by tag is not supported'),
      ),
      http.get(`${ORIGIN}/v2/*`, async ({ request }) => {
        const n = new URL(request.url).searchParams.get('n');
        if (n !== null && Number(n) < 0) return refusal(400, 'BAD_REQUEST', 'invalid n');
        if (!request.url.includes('/referrers/')) return undefined;
        if (refusesReferrers) return refusal(401, 'UNAUTHORIZED', 'unauthorized to list referrers');
        const answer = await core.answer(request);
        const headers = new Headers(answer.headers);
        headers.set('x-total-count', '1');
        return new Response(answer.body, { status: answer.status, headers });
      }),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
    ],
  };
}
