import { http } from 'msw';

import { basicGuard } from '../bearer.ts';
import { answerStorage } from '../blobs.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { parseRoute, refusal } from '../state.ts';

const HOST = '123456789012.dkr.ecr.eu-central-1.amazonaws.com';
const ORIGIN = `https://${HOST}`;
const STORAGE = 'https://prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com';
const MIB = 1024 * 1024;

/** Amazon's private registry. A repository must be there before something is pushed to it. */
export function ecrPrivate(): Emulation & { readonly immutable: Set<string> } {
  const logins = [
    { username: 'AWS', password: `eyJwYXlsb2FkIjoicanary${'0'.repeat(1800)}` },
  ] as const;
  const repositories = ['team/app', 'team/nested/copy'] as const;
  const core = new RegistryCore({
    origin: ORIGIN,
    storage: { origin: STORAGE },
    repositories: [...repositories, 'immutable'],
    mounts: false,
    referrers: true,
    // `last` is no name of a tag: only the link leads to the next page.
    link: ({ url, position, size }) =>
      `<${ORIGIN}${url.pathname}?last=${position}&n=${size}>; rel="next"`,
  });
  const immutable = new Set(['immutable']);
  const guard = basicGuard(`Basic realm="${ORIGIN}/",service="ecr.amazonaws.com"`, logins);
  /** End of the first chunk of each upload, and whether one came that only the last may be. */
  const firstChunks = new Map<string, { readonly end: number; short: boolean }>();

  return {
    title: 'Amazon ECR (private)',
    registry: HOST,
    hosts: [HOST, new URL(STORAGE).hostname],
    logins,
    repositories,
    core,
    immutable,
    secrets: () => [core.signature],
    handlers: [
      http.all(`${ORIGIN}/v2/*`, ({ request }) => guard(request)),
      // More than 1000 at once is an error, and not cut down.
      http.get(`${ORIGIN}/v2/*`, ({ request }) =>
        Number(new URL(request.url).searchParams.get('n') ?? 0) > 1000
          ? refusal(
              405,
              'UNSUPPORTED',
              "Invalid parameter at 'maxResults' failed to satisfy constraint: 'must be less than or equal to 1000'",
            )
          : undefined,
      ),
      // PATCH answers 201, and its Range stays at the end of the first chunk; each chunk but the
      // last has 5 to 20 MiB.
      http.patch(`${ORIGIN}/v2/*`, async ({ request }) => {
        const { pathname } = new URL(request.url);
        const size = Number(request.headers.get('content-length') ?? 0);
        const first = /^(\d+)-/.exec(request.headers.get('content-range') ?? '')?.[1];
        const known = firstChunks.get(pathname);
        if (known?.short === true || size > 20 * MIB)
          return refusal(
            400,
            'BLOB_UPLOAD_INVALID',
            'Layer part size is not within the allowed range',
          );
        const answer = await core.answer(request);
        if (answer.status === 416)
          return refusal(
            416,
            'BLOB_UPLOAD_INVALID',
            `First byte of the layer part is ${first} instead of the next one`,
          );
        if (answer.status !== 202) return answer;
        const chunk = known ?? {
          end: Number(/(\d+)$/.exec(answer.headers.get('range') ?? '')?.[1] ?? 0),
          short: false,
        };
        chunk.short = first !== undefined && size < 5 * MIB;
        firstChunks.set(pathname, chunk);
        return new Response(null, {
          status: 201,
          headers: { location: answer.headers.get('location') ?? '', range: `0-${chunk.end}` },
        });
      }),
      http.put(/\.amazonaws\.com\/v2\/.+\/blobs\/uploads\/.+$/, async ({ request }) => {
        const answer = await core.answer(request);
        return answer.status === 400
          ? refusal(
              400,
              'BLOB_UPLOAD_INVALID',
              'None of the provided layer digests match the calculated layer digest',
            )
          : answer;
      }),
      // The answer to a manifest has no Location; a tag of an immutable repository stays.
      http.put(/\.amazonaws\.com\/v2\/.+\/manifests\/.+$/, async ({ request }) => {
        const route = parseRoute(new URL(request.url).pathname);
        const { repository = '', reference = '' } = route ?? {};
        if (immutable.has(repository) && core.find(repository)?.tags.has(reference) === true) {
          const message = `The image tag '${reference}' already exists in the '${repository}' repository and cannot be overwritten because the repository is immutable.`;
          return refusal(400, 'TAG_INVALID', message);
        }
        const answer = await core.answer(request);
        const headers = new Headers(answer.headers);
        headers.delete('location');
        return new Response(answer.body, { status: answer.status, headers });
      }),
      // HEAD of a blob may name the type of a config.
      http.head(/\.amazonaws\.com\/v2\/.+\/blobs\/.+$/, async ({ request }) => {
        const answer = await core.answer(request);
        const headers = new Headers(answer.headers);
        if (answer.status === 200)
          headers.set('content-type', 'application/vnd.docker.container.image.v1+json');
        return new Response(null, { status: answer.status, headers });
      }),
      // Images are deleted by Amazon's own API only.
      http.delete(/\.amazonaws\.com\/v2\/.+\/manifests\/.+$/, () =>
        refusal(405, 'UNSUPPORTED', 'The operation is unsupported.'),
      ),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
      http.all(`${STORAGE}/*`, ({ request }) => answerStorage(core, request)),
    ],
  };
}
