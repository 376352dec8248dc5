import { http } from 'msw';

import { bearer, parseBasic } from '../bearer.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';

const HOST = 'corp.jfrog.io';
const ORIGIN = `https://${HOST}`;
const MARKS = {
  'x-jfrog-version': 'Artifactory/7.90.1 79001900',
  'x-artifactory-id': 'canarynode',
  server: 'Artifactory/7.90.1',
};

export interface ArtifactoryOptions {
  /** Whether everything, the ping too, is 403 without a challenge to who shows nothing. */
  readonly forbids?: boolean | undefined;
}

/**
 * JFrog Artifactory by the repository-path method: the first component of a name is the key of a
 * repository of its own.
 */
export function artifactory({ forbids = false }: ArtifactoryOptions = {}): Emulation {
  const logins = [
    { username: 'ci@corp.example', password: 'canary-AKCp8-api-key' },
    { username: 'token', password: 'cmVmdGtu-canary-reference-token' },
  ] as const;
  const core = new RegistryCore({
    origin: ORIGIN,
    referrers: true,
    refusal: problem,
    pageSize: 10,
    // The key of the repository is lost, and the page goes by number.
    link: ({ url, position, size }) =>
      `</v2/${url.pathname.replace(/^\/v2\/[^/]+\//, '')}?last=${position}&n=${size}>; rel="next"`,
  });
  const { guard, token, tokens } = bearer({
    realm: `${ORIGIN}/artifactory/api/docker/docker-local/v2/token`,
    service: HOST,
    logins,
    deleteNeeds: 'push',
    wrongPassword: () => problem(401, '', 'Bad props auth token: username or password'),
    anonymous: () => problem(401, '', 'Authentication is required'),
    // OAuth2 gets 401, with any credentials.
    post: () => problem(401, '', 'Bad credentials'),
  });
  const isKnown = (request: Request): boolean => {
    const login = parseBasic(request.headers.get('authorization'));
    return logins.some(
      ({ username, password }) => username === login?.username && password === login.password,
    );
  };
  return {
    title: 'JFrog Artifactory',
    registry: HOST,
    hosts: [HOST],
    logins,
    repositories: ['docker-local/app', 'docker-local/team/copy'],
    core,
    secrets: () => [core.signature, ...tokens()],
    handlers: [
      http.all(`${ORIGIN}/artifactory/api/docker/docker-local/v2/token`, ({ request }) =>
        token(request),
      ),
      // There is a catalog for each repository key, none for the host.
      http.get(`${ORIGIN}/v2/_catalog`, () => problem(404, '', 'Not Found')),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => {
        // Basic is taken wherever a token is.
        if (isKnown(request)) return undefined;
        const isPing = new URL(request.url).pathname === '/v2/';
        // The first answer may be a refusal and no question.
        if (!request.headers.has('authorization') && (forbids || !isPing))
          return problem(403, '', 'Forbidden');
        const challenge = guard(request);
        if (challenge === undefined) return undefined;
        const answer = problem(401, '', 'Authentication is required');
        if (!forbids)
          answer.headers.set('www-authenticate', challenge.headers.get('www-authenticate') ?? '');
        return answer;
      }),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
    ],
  };
}

/** Errors have a status where others have a code. */
function problem(status: number, _code: string, message: string): Response {
  const body = JSON.stringify({ errors: [{ status, message }] });
  return new Response(body, {
    status,
    headers: { 'content-type': 'application/json;charset=ISO-8859-1', ...MARKS },
  });
}
