import { expect, test } from 'vitest';

import { authorizeLayer } from '../../src/auth/authorizer.ts';
import { TokenCache } from '../../src/auth/token-cache.ts';
import { fakeTransport } from '../support/http/fake-transport.ts';
import { instantClock } from '../support/clock.ts';

/**
 * Artifactory may answer 403, without a challenge and on the ping too, to who has shown nothing yet
 * (RTFACT-18971).
 */
function authorize(marks: Readonly<Record<string, string>>) {
  const transport = fakeTransport(({ headers }) => ({
    status: headers?.['authorization'] === undefined ? 403 : 200,
    headers: marks,
  }));
  const clock = instantClock();
  const send = authorizeLayer({
    origin: () => new URL('https://corp.example'),
    host: 'corp.example',
    credentials: async () => ({
      credential: { kind: 'password', username: 'u', password: 'p' },
      origin: 'test',
    }),
    tokens: new TokenCache(clock),
    clock,
  })(transport.send);
  const url = new URL('https://corp.example/v2/app/manifests/1');
  return send({ method: 'GET', url });
}

test.each([
  { 'x-jfrog-version': 'Artifactory/7.90.1' },
  { 'x-artifactory-id': 'x' },
  { server: 'Artifactory/7.90.1' },
])('send() sends the password after a 403 with %j', async (marks) => {
  expect((await authorize(marks as Record<string, string>)).status).toBe(200);
});

test('send() sends no password after a 403 without a challenge from another server', async () => {
  expect((await authorize({ server: 'nginx' })).status).toBe(403);
});
