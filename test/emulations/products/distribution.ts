import { http } from 'msw';

import { basicGuard } from '../bearer.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { digestNamed } from '../manifests.ts';
import { parseRoute, refusal } from '../state.ts';

const ORIGIN = 'http://registry.local:5000';

/**
 * distribution 2.8.3 in a local network: plain http under a name, Basic from an htpasswd file,
 * nothing may be deleted.
 */
export function distribution(): Emulation {
  const logins = [{ username: 'ci', password: 'canary horse battery' }] as const;
  const core = new RegistryCore({ origin: ORIGIN, tagOrder: 'oldest-first' });
  const guard = basicGuard('Basic realm="Registry Realm"', logins);
  return {
    title: 'distribution 2.8 (registry.local:5000)',
    registry: 'registry.local:5000',
    scheme: 'http',
    hosts: ['registry.local'],
    logins,
    repositories: ['app', 'team/deeper/copy'],
    core,
    secrets: () => [core.signature],
    handlers: [
      http.all(`${ORIGIN}/v2/*`, ({ request }) => guard(request)),
      // Without its last slash a POST is redirected, and becomes a GET.
      http.all(
        /\/(?:v2|uploads)$/,
        ({ request }) =>
          new Response(null, {
            status: 301,
            headers: { location: `${new URL(request.url).pathname}/` },
          }),
      ),
      // Accept is taken by the letter: an OCI manifest is only for who names its type.
      http.get(/\/v2\/.+\/manifests\/.+$/, ({ request }) => withoutItsType(core, request)),
      http.head(/\/v2\/.+\/manifests\/.+$/, ({ request }) => withoutItsType(core, request)),
      // Deleting is switched off unless somebody switches it on.
      http.delete(/\/v2\/.+\/manifests\/.+$/, () =>
        refusal(405, 'UNSUPPORTED', 'The operation is unsupported.'),
      ),
      // Tags come all at once, unsorted, whatever page is asked for; catalog pages are of at most
      // 1000.
      http.get(`${ORIGIN}/v2/*`, ({ request }) => {
        const url = new URL(request.url);
        if (url.pathname === '/v2/_catalog' && Number(url.searchParams.get('n') ?? 0) > 1000) {
          return refusal(400, 'PAGINATION_NUMBER_INVALID', 'invalid number of results requested');
        }
        if (!url.pathname.endsWith('/tags/list')) return undefined;
        return core.answer(new Request(`${ORIGIN}${url.pathname}?n=1000000`));
      }),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
    ],
  };
}

function withoutItsType(core: RegistryCore, request: Request): Response | undefined {
  const { repository = '', reference = '' } = parseRoute(new URL(request.url).pathname) ?? {};
  const kept = core.find(repository);
  const mediaType = kept?.manifests.get(digestNamed(kept, reference) ?? '')?.mediaType ?? '';
  if (
    !mediaType.startsWith('application/vnd.oci.') ||
    request.headers.get('accept')?.includes(mediaType) !== false
  )
    return undefined;
  return refusal(
    404,
    'MANIFEST_UNKNOWN',
    'OCI manifest found, but accept header does not support OCI manifests',
  );
}
