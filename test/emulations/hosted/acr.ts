import { http } from 'msw';

import { bearer, type Bearer } from '../bearer.ts';
import { answerStorage } from '../blobs.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { refusal } from '../state.ts';

const HOST = 'myregistry.azurecr.io';
const ORIGIN = `https://${HOST}`;
const STORAGE = 'https://weumanaged1.blob.core.windows.net';
/**
 * Larger requests were refused to some clients, and taken from others: the smaller world is the one
 * to live in.
 */
const BODY_LIMIT = 20_000_000;

export const REFRESH_TOKEN = 'eyJhbGciOiJSUzI1NiJ9.canary-refresh-token.c2lnbmF0dXJl';

/** Azure Container Registry. */
export function acr(): Emulation & {
  readonly asked: Bearer['asked'];
  readonly faults: { commits: number };
} {
  const faults = { commits: 0 };
  const logins = [
    // What `az acr login --expose-token` gives is a refresh token for this user.
    { username: '00000000-0000-0000-0000-000000000000', password: REFRESH_TOKEN },
    { username: 'myregistry', password: 'canary-of-the-admin+/=' },
  ] as const;
  const core = new RegistryCore({
    origin: ORIGIN,
    storage: { origin: STORAGE },
    referrers: true,
    // An empty member that a client must carry on.
    link: ({ url, last, size }) =>
      `<${url.pathname}?last=${encodeURIComponent(last)}&n=${size}&orderby=>; rel="next"`,
  });
  const { guard, token, tokens, asked } = bearer({
    realm: `${ORIGIN}/oauth2/token`,
    service: HOST,
    logins,
    catalog: true,
    // Refresh tokens are exchanged by POST, passwords are refused there with 400; the answer says
    // nothing of its lifetime.
    post: (form, grant) => {
      if (form.get('grant_type') !== 'refresh_token')
        return refusal(400, 'BAD_REQUEST', 'grant_type is not supported');
      return form.get('refresh_token') === REFRESH_TOKEN
        ? grant((form.get('scope') ?? '').split(' '))
        : refusal(401, 'UNAUTHORIZED', 'authentication required');
    },
    answer: (value) => ({ access_token: value }),
    anonymous: () => refusal(401, 'UNAUTHORIZED', 'authentication required'),
  });
  return {
    title: 'Azure Container Registry',
    registry: HOST,
    hosts: [HOST, new URL(STORAGE).hostname],
    logins,
    repositories: ['team/app', 'team/copy'],
    core,
    asked,
    faults,
    secrets: () => [core.signature, ...tokens()],
    handlers: [
      http.all(`${ORIGIN}/oauth2/token`, ({ request }) => token(request)),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => guard(request)),
      // A chunk is named by numbers alone, and says its length.
      http.patch(`${ORIGIN}/v2/*`, ({ request }) => {
        const range = request.headers.get('content-range');
        if (range === null) return undefined;
        if (!/^\d+-\d+$/.test(range))
          return refusal(400, 'UNKNOWN', 'the Content-Range header format is invalid');
        return request.headers.has('content-length')
          ? undefined
          : refusal(400, 'CONTENT_LENGTH_INVALID', 'content length is invalid');
      }),
      http.put(`${ORIGIN}/v2/*`, ({ request }) =>
        Number(request.headers.get('content-length') ?? 0) > BODY_LIMIT ? tooLarge() : undefined,
      ),
      // Now and then the end of an upload is 416, for no reason of the client's.
      http.put(/azurecr\.io\/v2\/.+\/uploads\/.+$/, () => {
        if (faults.commits === 0) return undefined;
        faults.commits -= 1;
        return refusal(416, 'BLOB_UPLOAD_INVALID', 'blob upload invalid');
      }),
      // Tags go by Azure's own API, manifests by digest.
      http.delete(/azurecr\.io\/v2\/.+\/manifests\/(?!sha256:).+$/, () =>
        refusal(405, 'UNSUPPORTED', 'The operation is unsupported.'),
      ),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
      http.all(`${STORAGE}/*`, ({ request }) => answerStorage(core, request)),
    ],
  };
}

function tooLarge(): Response {
  const body =
    '<html><head><title>413 Request Entity Too Large</title></head><body>AzureContainerRegistry</body></html>';
  return new Response(body, { status: 413, headers: { 'content-type': 'text/html' } });
}
