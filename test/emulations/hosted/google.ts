import { http } from 'msw';

import { bearer, type Bearer } from '../bearer.ts';
import { answerStorage } from '../blobs.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { digestNamed, tagsOf } from '../manifests.ts';
import { parseRoute, refusal } from '../state.ts';

const STORAGE = 'https://storage.googleapis.com';

/**
 * A service account's key file is the password: JSON, with everything that a header or a form could
 * stumble over.
 */
const KEY = JSON.stringify({
  type: 'service_account',
  private_key: '-----BEGIN PRIVATE KEY-----\ncanary+/=&%\n-----END PRIVATE KEY-----\n',
});

/**
 * Google Artifact Registry, and Container Registry, which is served by it: they differ in name and
 * in the catalog.
 */
export function google(
  host: 'gcr.io' | 'europe-docker.pkg.dev',
): Emulation & { readonly asked: Bearer['asked'] } {
  const origin = `https://${host}`;
  const isGcr = host === 'gcr.io';
  const logins = [
    { username: '_json_key', password: KEY },
    { username: '_json_key_base64', password: Buffer.from(KEY).toString('base64') },
    { username: 'oauth2accesstoken', password: 'ya29.canary-0123456789_-' },
  ] as const;
  const core = new RegistryCore({
    origin,
    storage: { origin: STORAGE, status: 302 },
    referrers: !isGcr,
  });
  // A POST is not found; tokens come by GET.
  const { guard, token, tokens, asked } = bearer({
    realm: `${origin}/v2/token`,
    service: host,
    logins,
    catalog: isGcr,
  });
  const repositories = isGcr
    ? (['project/app', 'project/copy'] as const)
    : (['project/repo/app', 'project/repo/copy'] as const);
  return {
    title: isGcr ? 'Google Container Registry' : 'Google Artifact Registry',
    registry: host,
    hosts: [host, 'storage.googleapis.com'],
    logins,
    repositories,
    core,
    asked,
    secrets: () => [core.signature, ...tokens()],
    handlers: [
      http.all(`${origin}/v2/token`, ({ request }) => token(request)),
      ...(isGcr
        ? []
        : [http.get(`${origin}/v2/_catalog`, () => refusal(404, 'NAME_UNKNOWN', 'Not found.'))]),
      http.all(`${origin}/v2/*`, ({ request }) => {
        const refused = guard(request);
        if (
          refused === undefined ||
          !isGcr ||
          new URL(request.url).pathname === '/v2/' ||
          request.headers.has('authorization')
        )
          return refused;
        // Some 401 come without a challenge: that of the ping counts.
        return refusal(401, 'UNAUTHORIZED', 'Unauthenticated request.');
      }),
      // An upload is one body: the second piece of one is refused.
      http.patch(`${origin}/v2/*`, ({ request }) =>
        request.headers.has('content-range')
          ? refusal(400, 'UNSUPPORTED', 'Chunked uploads are not supported.')
          : undefined,
      ),
      // What a tag still names cannot be deleted by its digest.
      http.delete(/\/v2\/.+\/manifests\/sha256:.+$/, ({ request }) => {
        const { repository = '', reference = '' } = parseRoute(new URL(request.url).pathname) ?? {};
        const kept = core.find(repository);
        const [tag] =
          kept === undefined || digestNamed(kept, reference) === undefined
            ? []
            : tagsOf(kept, reference);
        return tag === undefined
          ? undefined
          : refusal(
              400,
              'GOOGLE_MANIFEST_DANGLING_TAG',
              `Manifest is still referenced by tag: ${tag}`,
            );
      }),
      // Tags come with members that nobody else has.
      http.get(`${origin}/v2/*`, async ({ request }) => {
        if (!request.url.includes('/tags/list')) return undefined;
        const answer = await core.answer(request);
        if (answer.status !== 200) return answer;
        const body = (await answer.json()) as object;
        return Response.json({
          ...body,
          child: [],
          manifest: { 'sha256:00': { imageSizeBytes: '1', tag: [], timeCreatedMs: '0' } },
        });
      }),
      http.all(`${origin}/v2/*`, ({ request }) => core.answer(request)),
      http.all(`${STORAGE}/*`, ({ request }) => answerStorage(core, request)),
    ],
  };
}
