import { http } from 'msw';

import { bearer, type Bearer } from '../bearer.ts';
import { answerStorage } from '../blobs.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { parseRoute, refusal } from '../state.ts';

const ORIGIN = 'https://quay.io';
/** Not a name below quay.io: Go's clients send their token there too, and S3 does not take it. */
const STORAGE = 'https://quayio-production-s3.s3.us-east-1.amazonaws.com';

/** Quay. @see https://github.com/quay/quay/tree/ffba0c7/endpoints/v2 */
export function quay(): Emulation & { readonly asked: Bearer['asked'] } {
  const logins = [
    { username: 'ns+robot', password: 'CANARY0123456789ABCDEF' },
    // A literal "$": the password is an application's token.
    { username: '$oauthtoken', password: 'canary-of-an-application' },
  ] as const;
  const core = new RegistryCore({
    origin: ORIGIN,
    storage: { origin: STORAGE, status: 302 },
    tagOrder: 'oldest-first',
    // Whatever is asked for, 100 come.
    pageSize: 100,
    link: ({ url, last, size, position }) =>
      url.pathname === '/v2/_catalog'
        ? `<${ORIGIN}/v2/_catalog?n=${size}&next_page=opaque-${position}&last=${position}>; rel="next"`
        : `<${ORIGIN}${url.pathname}?n=${size}&last=${encodeURIComponent(last)}>; rel="next"`,
  });
  const { guard, token, tokens, asked } = bearer({
    realm: `${ORIGIN}/v2/auth`,
    service: 'quay.io',
    logins,
    isPublic: (repository) => repository.startsWith('public/'),
    answer: (value) => ({ token: value }),
    // The grammar of scopes knows pull, push and *; a deletion is a push.
    deleteNeeds: 'push',
    checkScopes: (scopes) => {
      const strange = scopes.find(
        (scope) => !/^repository:[^:]+(?::\d+\/[^:]+)?:(?:(?:pull|push|\*)(?:,|$))+$/.test(scope),
      );
      return strange === undefined
        ? undefined
        : refusal(400, 'INVALID_REQUEST', `Unable to decode repository and actions: ${strange}`);
    },
    anonymous: (scopes) =>
      scopes.length === 0 ? refusal(401, 'UNAUTHORIZED', 'Unauthorized') : undefined,
  });
  return {
    title: 'Quay',
    registry: 'quay.io',
    hosts: ['quay.io', new URL(STORAGE).hostname],
    logins,
    repositories: ['ns/app', 'ns/copy'],
    core,
    asked,
    secrets: () => [core.signature, ...tokens()],
    handlers: [
      http.all(`${ORIGIN}/v2/auth`, ({ request }) =>
        request.method === 'GET'
          ? token(request)
          : refusal(405, 'METHOD NOT ALLOWED', 'The method is not allowed'),
      ),
      // Everybody may list what they may see.
      http.get(`${ORIGIN}/v2/_catalog`, ({ request }) => core.answer(request)),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => guard(request)),
      http.all(`${ORIGIN}/v2/*`, async ({ request }) => {
        const route = parseRoute(new URL(request.url).pathname);
        if (route === undefined) return undefined;
        // Nested names are switched off unless somebody switches them on.
        if (route.repository.split('/').length > 2)
          return refusal(400, 'NAME_INVALID', 'Nested repositories are not supported');
        if (route.kind === 'uploads') return withQuayRange(await core.answer(request), request);
        return undefined;
      }),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
      http.all(`${STORAGE}/*`, ({ request }) => answerStorage(core, request)),
    ],
  };
}

/**
 * A start says `bytes=0--1`; a status names the count where others name the last byte, and no
 * Location.
 */
function withQuayRange(answer: Response, { method }: Request): Response {
  const headers = new Headers(answer.headers);
  if (method === 'POST' && answer.status === 202) headers.set('range', 'bytes=0--1');
  if (method === 'GET' && answer.status === 204) {
    headers.delete('location');
    headers.set(
      'range',
      `bytes=0-${Number(/(\d+)$/.exec(headers.get('range') ?? '')?.[1] ?? 0) + 1}`,
    );
  }
  return new Response(answer.body, { status: answer.status, headers });
}
