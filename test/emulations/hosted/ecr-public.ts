import { http } from 'msw';

import { bearer, type Bearer } from '../bearer.ts';
import { answerStorage } from '../blobs.ts';
import { RegistryCore } from '../core.ts';
import type { Emulation } from '../emulation.ts';
import { refusal } from '../state.ts';

const ORIGIN = 'https://public.ecr.aws';
const STORAGE = 'https://d2glxqk2uabbnd.cloudfront.net';

/** Amazon's public gallery. */
export function ecrPublic(): Emulation & { readonly asked: Bearer['asked'] } {
  const logins = [{ username: 'AWS', password: 'eyJwYXlsb2FkIjoi-canary-of-us-east-1' }] as const;
  const repositories = ['alias/app', 'alias/copy'] as const;
  const core = new RegistryCore({
    origin: ORIGIN,
    storage: { origin: STORAGE },
    repositories: [...repositories, 'public/app'],
    pageSize: 1000,
    referrers: true,
  });
  // The scope of every challenge is `aws`, which is not of the form type:name:action.
  const { guard, token, tokens, asked } = bearer({
    realm: `${ORIGIN}/token/`,
    service: 'public.ecr.aws',
    logins,
    isPublic: (repository) => repository.startsWith('public/'),
    challengeScope: () => 'aws',
    deleteNeeds: 'push',
    wrongPassword: () => refusal(401, 'DENIED', 'Not Authorized'),
  });
  return {
    title: 'Amazon ECR Public',
    registry: 'public.ecr.aws',
    hosts: ['public.ecr.aws', new URL(STORAGE).hostname],
    logins,
    repositories,
    core,
    asked,
    secrets: () => [core.signature, ...tokens()],
    handlers: [
      http.all(`${ORIGIN}/token/`, ({ request }) => token(request)),
      http.get(`${ORIGIN}/v2/_catalog`, () =>
        refusal(404, 'UNSUPPORTED', 'The operation is unsupported.'),
      ),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => guard(request)),
      // Deleting is for Amazon's own API.
      http.delete(/public\.ecr\.aws\/v2\/.+\/manifests\/.+$/, () =>
        refusal(405, 'UNSUPPORTED', 'The operation is unsupported.'),
      ),
      http.all(`${ORIGIN}/v2/*`, ({ request }) => core.answer(request)),
      http.all(`${STORAGE}/*`, ({ request }) => answerStorage(core, request)),
    ],
  };
}
