import { http } from 'msw';

import { basicGuard } from '../bearer.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { parseRoute, refusal } from '../state.ts';

const HOST = 'zot.corp.example';
const ORIGIN = `https://${HOST}`;

/**
 * zot as it comes: OCI media types only, and each manifest must fit the schema.
 *
 * @see https://github.com/project-zot/zot/issues/724
 */
export function zot(): Emulation {
  const logins = [{ username: 'ci', password: 'canary battery staple' }] as const;
  const core = new RegistryCore({ origin: ORIGIN, referrers: true });
  const guard = basicGuard('Basic realm="Authorization Required"', logins);
  return {
    title: 'zot',
    registry: HOST,
    hosts: [HOST],
    logins,
    repositories: ['app', 'team/copy'],
    core,
    secrets: () => [core.signature],
    handlers: [
      http.all(`${ORIGIN}/v2/*`, ({ request }) => guard(request)),
      http.put(/\/v2\/.+\/manifests\/.+$/, ({ request }) => unfit(request)),
      // Blobs are shared by all repositories: a mount succeeds from any `from` that has the blob
      // or not, and the repository named there is in the catalog afterwards.
      http.post(/\/v2\/.+\/blobs\/uploads\/$/, ({ request }) => {
        const { searchParams, pathname } = new URL(request.url);
        const [digest, from] = [searchParams.get('mount'), searchParams.get('from')];
        const bytes = digest === null ? undefined : core.blob(digest);
        if (digest === null || from === null || bytes === undefined) return undefined;
        const name = parseRoute(pathname)?.repository ?? '';
        for (const repository of [from, name]) core.repository(repository).blobs.set(digest, bytes);
        return new Response(null, {
          status: 201,
          headers: { location: `${ORIGIN}/v2/${name}/blobs/${digest}` },
        });
      }),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
    ],
  };
}

/** 415 for a type of docker's, and 400 for an image without layers. */
async function unfit(request: Request): Promise<Response | undefined> {
  const type = request.headers.get('content-type') ?? '';
  if (!type.startsWith('application/vnd.oci.image.'))
    return refusal(415, 'MANIFEST_INVALID', 'manifest invalid');
  const manifest = (await request.clone().json()) as Readonly<Record<string, unknown>>;
  const { layers } = manifest;
  return type.includes('.manifest.') && !(Array.isArray(layers) && layers.length > 0)
    ? refusal(400, 'MANIFEST_INVALID', 'manifest invalid')
    : undefined;
}
