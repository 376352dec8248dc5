import { http } from 'msw';

import { bearer } from '../bearer.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { refusal } from '../state.ts';

const HOST = 'nexus.corp.example:5001';
const ORIGIN = `https://${HOST}`;

/** How Nexus names its own token service. */
export const NEXUS_REALMS = {
  /** Most versions, behind a proxy that forwards scheme and host. */
  right: `${ORIGIN}/v2/token`,
  /** Version 3.77 without a forwarded scheme: nexus-public#565. */
  null: `null://${HOST}/v2/token`,
  /** Versions 3.78 to 3.80 with a port in X-Forwarded-Host: nexus-public#611 and #651. */
  doubledPort: `${ORIGIN}:5001/v2/token`,
} as const;

export interface Nexus extends Emulation {
  /** Changes the realm of all later challenges. */
  readonly nameRealm: (kind: keyof typeof NEXUS_REALMS) => void;
}

/**
 * Sonatype Nexus behind a proxy, with a port for one repository and the Docker Bearer Token Realm.
 */
export function nexus(): Nexus {
  const logins = [{ username: 'deployer', password: 'canary+nexus/0123' }] as const;
  const core = new RegistryCore({
    origin: ORIGIN,
    pageSize: 10,
    // Absolute, with the path inside of Nexus.
    link: ({ url, last, size }) =>
      `<${ORIGIN}/repository/docker-hosted${url.pathname}?n=${size}&last=${last}>; rel="next"`,
  });
  const { guard, token, tokens } = bearer({
    realm: NEXUS_REALMS.right,
    service: NEXUS_REALMS.right,
    logins,
    catalog: true,
    anonymous: (scopes) =>
      scopes.length === 0 ? undefined : refusal(401, 'UNAUTHORIZED', 'access is not authorized'),
  });
  let realm: string = NEXUS_REALMS.right;
  return {
    title: 'Sonatype Nexus',
    registry: HOST,
    hosts: ['nexus.corp.example'],
    logins,
    repositories: ['app', 'team/copy'],
    core,
    nameRealm: (kind) => void (realm = NEXUS_REALMS[kind]),
    secrets: () => [core.signature, ...tokens()],
    handlers: [
      http.get(NEXUS_REALMS.right, ({ request }) => token(request)),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => {
        const challenge = guard(request);
        const header = challenge?.headers.get('www-authenticate') ?? '';
        challenge?.headers.set(
          'www-authenticate',
          header.replaceAll(`"${NEXUS_REALMS.right}"`, `"${realm}"`),
        );
        return challenge;
      }),
      // A blob that another client stored meanwhile cannot be stored again: nexus-public#967.
      http.put(/\/v2\/.+\/blobs\/uploads\/.+$/, async ({ request }) => {
        const url = new URL(request.url);
        const name = /\/v2\/(.+)\/blobs\/uploads\//.exec(url.pathname)?.[1] ?? '';
        const digest = url.searchParams.get('digest') ?? '';
        if (core.find(name)?.blobs.has(digest) !== true) return undefined;
        await request.arrayBuffer();
        return refusal(400, 'BLOB_UPLOAD_INVALID', 'blob upload invalid: asset cannot be updated');
      }),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
    ],
  };
}
