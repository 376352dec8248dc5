import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';

import { owned } from '../../../src/bytes.ts';
import {
  jsonResponse,
  type Authenticate,
  type Call,
  type CallResponse,
  type Verdict,
} from '../../../src/server/exchange.ts';
import { parseBasic } from '../../../src/server/htpasswd.ts';

/** The authentication of the fake registry. */
export type FakeAuth =
  | { readonly kind: 'basic'; readonly users: Readonly<Record<string, string>> }
  | {
      /** A token service at `/token` of the same origin. */
      readonly kind: 'bearer';
      /** User → password, or the refresh token. */
      readonly users?: Readonly<Record<string, string>> | undefined;
      /** Actions granted without credentials: Docker Hub grants `pull`. */
      readonly anonymous?: readonly string[] | undefined;
      /** Makes the text of a token; `token-1`, `token-2` and so on when absent. */
      readonly tokenOf?: ((serial: number) => string) | undefined;
      /** Lifetime in the response, in seconds. */
      readonly expiresIn?: number | undefined;
      /** Another realm than `/token`, such as one on another origin. */
      readonly realm?: string | undefined;
      /** Replaces the response of the token service; `undefined` keeps the normal one. */
      readonly answer?: ((request: TokenRequest) => CallResponse | undefined) | undefined;
    };

/** A request to the token service. */
export interface TokenRequest {
  readonly method: string;
  readonly query: URLSearchParams;
  /** The form of a POST. */
  readonly form: URLSearchParams;
  readonly authorization: string | undefined;
  readonly scopes: readonly string[];
}

export interface FakeAuthority {
  readonly authenticate: Authenticate;
  /** Makes the response for `/token`; undefined for other paths. */
  readonly token: (call: Call) => Promise<CallResponse | undefined>;
  readonly requests: readonly TokenRequest[];
  /** Makes all earlier tokens invalid: they expired, or the registry restarted with another key. */
  readonly revokeTokens: () => void;
}

const SERVICE = 'fake-registry';

/** @param origin of the registry; known only once it listens. */
export function fakeAuthority(auth: FakeAuth, origin: () => string): FakeAuthority {
  const granted = new Map<string, readonly string[]>();
  const requests: TokenRequest[] = [];
  let serial = 0;

  const authenticate: Authenticate = async ({ method, path, query, headers }) => {
    if (auth.kind === 'basic') {
      const given = parseBasic(headers.authorization);
      return given !== undefined && auth.users[given.username] === given.password
        ? ALLOWED
        : { kind: 'challenge', challenge: 'Basic realm="fake"' };
    }
    const needed = scopesOf(method, path, query);
    const token = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
    const held = token === undefined ? undefined : granted.get(token);
    if (held !== undefined && needed.every((scope) => held.includes(scope))) return ALLOWED;
    const error =
      token === undefined
        ? ''
        : `,error="${held === undefined ? 'invalid_token' : 'insufficient_scope'}"`;
    const scope = needed.length === 0 ? '' : `,scope="${joinActions(needed)}"`;
    return {
      kind: 'challenge',
      challenge: `Bearer realm="${auth.realm ?? `${origin()}/token`}",service="${SERVICE}"${scope}${error}`,
    };
  };

  const token = async (call: Call): Promise<CallResponse | undefined> => {
    if (auth.kind === 'basic' || call.path !== '/token') return undefined;
    const form = new URLSearchParams(
      call.method === 'POST' ? await text(Readable.from(owned(call.body.content))) : '',
    );
    const scopes = [...call.query.getAll('scope'), ...form.getAll('scope')]
      .flatMap((scope) => scope.split(' '))
      .flatMap(splitActions);
    const request: TokenRequest = {
      method: call.method,
      query: call.query,
      form,
      authorization: call.headers.authorization,
      scopes,
    };
    requests.push(request);
    const scripted = auth.answer?.(request);
    if (scripted !== undefined) return scripted;
    const known = isKnown(request, auth.users ?? {});
    if (known === false || (known === undefined && auth.anonymous === undefined)) {
      return jsonResponse(401, {
        errors: [{ code: 'UNAUTHORIZED', message: 'incorrect username or password' }],
      });
    }
    const given =
      known === true
        ? scopes
        : scopes.filter((scope) => auth.anonymous?.some((action) => scope.endsWith(`:${action}`)));
    serial += 1;
    const value = auth.tokenOf?.(serial) ?? `token-${serial}`;
    granted.set(value, given);
    return jsonResponse(200, {
      token: value,
      access_token: value,
      expires_in: auth.expiresIn ?? 300,
      issued_at: new Date().toISOString(),
    });
  };

  return { authenticate, token, requests, revokeTokens: () => granted.clear() };
}

const ALLOWED: Verdict = { kind: 'allowed' };

/** True for right credentials, false for wrong ones, undefined without any. */
function isKnown(
  { form, authorization }: TokenRequest,
  users: Readonly<Record<string, string>>,
): boolean | undefined {
  const refreshToken = form.get('refresh_token');
  if (refreshToken !== null) return Object.values(users).includes(refreshToken);
  const given =
    form.get('grant_type') === 'password'
      ? { username: form.get('username') ?? '', password: form.get('password') }
      : parseBasic(authorization);
  return given === undefined
    ? undefined
    : users[given.username] !== undefined && users[given.username] === given.password;
}

/** One `repository:name:action` for each right that a request needs. */
function scopesOf(method: string, path: string, query: URLSearchParams): readonly string[] {
  if (path === '/v2/_catalog') return ['registry:catalog:*'];
  const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(path)?.[1];
  if (name === undefined) return [];
  const from = query.get('from');
  const mount = from === null ? [] : [`repository:${from}:pull`];
  if (method === 'GET' || method === 'HEAD') return [`repository:${name}:pull`];
  if (method === 'DELETE' && !path.includes('/blobs/uploads/'))
    return [`repository:${name}:delete`];
  return [`repository:${name}:pull`, `repository:${name}:push`, ...mount];
}

function splitActions(scope: string): readonly string[] {
  const end = scope.lastIndexOf(':');
  return scope
    .slice(end + 1)
    .split(',')
    .map((action) => `${scope.slice(0, end)}:${action}`);
}

function joinActions(scopes: readonly string[]): string {
  const actions = new Map<string, string[]>();
  for (const scope of scopes) {
    const end = scope.lastIndexOf(':');
    const name = scope.slice(0, end);
    actions.set(name, [...(actions.get(name) ?? []), scope.slice(end + 1)]);
  }
  return [...actions].map(([name, list]) => `${name}:${list.join(',')}`).join(' ');
}
