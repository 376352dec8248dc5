import { http } from 'msw';

import { basicGuard } from '../bearer.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { parseRoute, refusal } from '../state.ts';

/**
 * GitHub's old Docker registry: docker.pkg.github.com, and `docker.HOST` of GitHub Enterprise
 * Server, which still serves it.
 */
export function githubPackages(
  host: 'docker.pkg.github.com' | 'docker.github.corp.example' = 'docker.pkg.github.com',
): Emulation {
  const origin = `https://${host}`;
  const logins = [{ username: 'octocat', password: 'ghp_canary-classic-token' }] as const;
  const core = new RegistryCore({ origin });
  // Also for what is public.
  const guard = basicGuard('Basic realm="GitHub Package Registry"', logins);
  return {
    title:
      host === 'docker.pkg.github.com'
        ? 'GitHub Packages (docker.pkg.github.com)'
        : 'GitHub Enterprise Server (docker.HOST)',
    registry: host,
    hosts: [host],
    logins,
    repositories: ['octocat/repo/app', 'octocat/other/copy'],
    core,
    secrets: () => [core.signature],
    handlers: [
      http.all(`${origin}/v2/*`, ({ request }) => guard(request)),
      http.all(`${origin}/v2/*`, ({ request }) => {
        const route = parseRoute(new URL(request.url).pathname);
        if (route === undefined) return undefined;
        // OWNER/REPOSITORY/IMAGE, and nothing deeper; no catalog.
        if (route.repository.split('/').length !== 3)
          return refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry');
        // Manifests are known by tag only.
        if (route.kind === 'manifests' && route.reference.includes(':')) {
          return refusal(
            404,
            'MANIFEST_UNKNOWN',
            'must pull using IMAGE_NAME:VERSION and not IMAGE_NAME:SHA',
          );
        }
        if (request.method === 'DELETE' && route.kind === 'manifests')
          return refusal(405, 'UNSUPPORTED', 'The operation is unsupported.');
        return undefined;
      }),
      http.all(`${origin}/v2/*`, ({ request }) => core.answer(request)),
    ],
  };
}
