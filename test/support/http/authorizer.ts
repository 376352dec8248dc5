import type { Access } from '../../../src/auth/authorization.ts';
import { authorizeLayer, type AuthorizedRequest } from '../../../src/auth/authorizer.ts';
import type { AuthorizedResponse } from '../../../src/auth/not-authorised.ts';
import { repositoryScope } from '../../../src/auth/scope.ts';
import { TokenCache } from '../../../src/auth/token-cache.ts';
import type { Credential, CredentialSource } from '../../../src/credentials/credential.ts';
import type { HttpRequest, Method } from '../../../src/http/message.ts';
import { instantClock, type InstantClock } from '../clock.ts';
import {
  fakeTransport,
  showRequest,
  type FakeResponse,
  type FakeTransport,
} from './fake-transport.ts';

export const ORIGIN = 'https://registry.example';
export const REALM = 'https://auth.example/token';
export const BEARER = `Bearer realm="${REALM}",service="s",scope="repository:placeholder:pull"`;
export const PASSWORD: Credential = { kind: 'password', username: 'alice', password: 's3cret' };
export const BASIC_ALICE = `Basic ${Buffer.from('alice:s3cret').toString('base64')}`;
export const PULL: Access = {
  scopes: [repositoryScope('app', ['pull'])],
  repository: 'app',
};
export const PUSH: Access = {
  scopes: [repositoryScope('app', ['pull', 'push'])],
  repository: 'app',
};

export interface Setup extends FakeTransport {
  readonly authorizer: {
    send(request: HttpRequest, access: Access): Promise<AuthorizedResponse>;
  };
  readonly clock: InstantClock;
  readonly notices: string[];
  readonly lookups: string[];
  /** The requests in order, with their credentials. */
  log(): readonly string[];
}

export interface SetupOptions {
  readonly credential?: Credential | undefined;
  readonly credentials?: CredentialSource;
  readonly origin?: string;
}

export function setUp(
  handle: (request: HttpRequest, setup: Setup) => FakeResponse | Promise<FakeResponse>,
  options: SetupOptions = {},
): Setup {
  const { credential, origin = ORIGIN } = options;
  const clock = instantClock();
  const notices: string[] = [];
  const lookups: string[] = [];
  const transport: FakeTransport = fakeTransport((request) => handle(request, setup));
  const credentials: CredentialSource =
    options.credentials ??
    (async (host) => {
      lookups.push(host);
      return credential && { credential, origin: '~/.docker/config.json' };
    });
  const send = authorizeLayer({
    origin: () => new URL(origin),
    host: 'registry.example',
    credentials,
    tokens: new TokenCache(clock),
    clock,
    onNotice: (message) => void notices.push(message),
  })(transport.send);
  const setup: Setup = {
    ...transport,
    authorizer: {
      send: (original, access) => {
        const authorized: AuthorizedRequest = { ...original, access };
        return send(authorized);
      },
    },
    clock,
    notices,
    lookups,
    log: () => transport.requests.map(showRequest),
  };
  return setup;
}

export function request(
  path = '/v2/app/manifests/1',
  method: Method = 'GET',
  origin = ORIGIN,
): HttpRequest {
  return { method, url: new URL(path, origin) };
}

/**
 * A registry with token authentication: `accepts` judges the token of a request, `grants` makes the
 * response of the token service.
 */
export function tokenRegistry({
  accepts = (token) => token.startsWith('t'),
  grants,
  refusal = (token) => (token === undefined ? BEARER : `${BEARER},error="invalid_token"`),
}: {
  readonly accepts?: (token: string) => boolean;
  readonly grants?: (request: HttpRequest, count: number) => FakeResponse;
  readonly refusal?: (token: string | undefined) => string;
} = {}): (request: HttpRequest) => FakeResponse {
  let granted = 0;
  return (asked) => {
    if (asked.url.origin !== ORIGIN) {
      granted += 1;
      return grants?.(asked, granted) ?? { status: 200, body: { token: `t${granted}` } };
    }
    const token = asked.headers?.['authorization']?.replace(/^Bearer /, '');
    if (token !== undefined && accepts(token)) return { status: 200, body: 'content' };
    return {
      status: 401,
      headers: { 'www-authenticate': refusal(token) },
      body: { errors: [{ code: 'UNAUTHORIZED' }] },
    };
  };
}

export function challenge(header: string, status = 401): FakeResponse {
  return { status, headers: { 'www-authenticate': header } };
}

export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: unknown) => error,
  );
}

export async function bodyOf(answer: AuthorizedResponse): Promise<string> {
  let text = '';
  for await (const chunk of answer.body) text += new TextDecoder().decode(chunk);
  return text;
}
