import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { importPKCS8, SignJWT } from 'jose';

import { makeSigningCertificate, type SigningCertificate } from '../http/certificates.ts';
import { afterFile } from '../cleanup.ts';
import type { TokenAuth } from './docker-registry.ts';

/**
 * Allowed actions by repository name, or its beginning and `*`; `registry:catalog` for the catalog.
 */
export type Rights = Readonly<Record<string, readonly string[]>>;

export interface TokenServerOptions {
  readonly users?:
    | Readonly<Record<string, { readonly password: string; readonly rights: Rights }>>
    | undefined;
  /** Rights without a login. Without it a request without credentials is refused. */
  readonly anonymous?: Rights | undefined;
  /** The `expires_in` of the response, in seconds: 300 when absent; `'none'` leaves it out. */
  readonly expiresIn?: number | 'none' | undefined;
  /**
   * Lifetime of the token itself, in seconds; `expiresIn` when absent. May be negative:
   * docker-registry grants 60 s of leeway, so −57 makes a token that works for 3 s.
   */
  readonly endsIn?: number | undefined;
  /** Grants a refresh token to clients that ask for one. */
  readonly refreshTokens?: boolean | undefined;
  /** Answers 405 to the OAuth2 form, as many token servers do. */
  readonly getOnly?: boolean | undefined;
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

/** A token request and its outcome. */
export interface TokenRequest {
  readonly method: string;
  readonly grant: 'anonymous' | 'password' | 'refresh_token' | 'unknown';
  readonly user: string | undefined;
  readonly service: string | undefined;
  readonly clientId: string | undefined;
  readonly scopes: readonly string[];
  /** `repository:name:action`, one for each action that the token allows. */
  readonly granted: readonly string[];
  readonly status: number;
}

export interface TokenServer {
  /** The matching configuration of docker-registry. */
  readonly auth: TokenAuth;
  /** All requests so far, oldest first. */
  readonly requests: readonly TokenRequest[];
  forgetRequests(): void;
  /** Signs a token as the server does, for a request by hand. */
  token(scopes: readonly string[], endsIn: number): Promise<string>;
  stop(): Promise<void>;
}

interface Asked {
  readonly grant: TokenRequest['grant'];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly refreshToken: string | undefined;
  readonly service: string | undefined;
  readonly clientId: string | undefined;
  readonly scopes: readonly string[];
  readonly wantsRefreshToken: boolean;
}

interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

interface Answer {
  readonly status: number;
  readonly body: object;
  readonly access?: readonly Access[];
}

const SERVICE = 'test registry';
const ISSUER = 'test token server';

/**
 * Starts a token server on a free port of loopback, whose tokens docker-registry verifies.
 *
 * @see https://distribution.github.io/distribution/spec/auth/token/ for the GET form
 * @see https://distribution.github.io/distribution/spec/auth/oauth/ for the POST form
 */
export async function startTokenServer(options: TokenServerOptions = {}): Promise<TokenServer> {
  const signing = makeSigningCertificate();
  const requests: TokenRequest[] = [];
  const refreshTokens = new Map<string, string>();

  const handle: RequestListener = (request, response) => {
    void answer(request).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  };

  async function answer(request: IncomingMessage): Promise<Answer> {
    const asked = request.method === 'POST' ? await parsePost(request) : parseGet(request);
    const answered =
      request.method === 'POST' && options.getOnly === true
        ? refuse(405, 'method not allowed')
        : await grant(asked, request.method === 'POST');
    const { grant: kind, user, service, clientId, scopes } = asked;
    const granted = (answered.access ?? []).flatMap(({ type, name, actions }) =>
      actions.map((action) => `${type}:${name}:${action}`),
    );
    requests.push({
      method: request.method ?? '',
      grant: kind,
      user,
      service,
      clientId,
      scopes,
      granted,
      status: answered.status,
    });
    return answered;
  }

  async function grant(asked: Asked, isPost: boolean): Promise<Answer> {
    if (asked.service !== undefined && asked.service !== SERVICE)
      return refuse(400, `unknown service "${asked.service}"`);
    if (isPost && asked.clientId === undefined) return refuse(400, 'client_id is required');
    if (asked.grant === 'unknown') return refuse(400, 'unsupported grant_type');
    const user =
      asked.refreshToken === undefined ? asked.user : refreshTokens.get(asked.refreshToken);
    const rights = rightsOf(asked, user);
    if (rights === undefined) return refuse(401, 'authentication failed');

    const access = asked.scopes
      .map((scope) => allowed(scope, rights))
      .filter(({ actions }) => actions.length > 0);
    const expiresIn = options.expiresIn ?? 300;
    const token = await sign(
      signing,
      user ?? '',
      access,
      options.endsIn ?? (expiresIn === 'none' ? 60 : expiresIn),
    );
    const body: Record<string, unknown> = isPost
      ? { access_token: token, scope: asked.scopes.join(' ') }
      : { token, access_token: token };
    if (expiresIn !== 'none') body['expires_in'] = expiresIn;
    body['issued_at'] = new Date().toISOString();
    if (
      options.refreshTokens === true &&
      user !== undefined &&
      (asked.wantsRefreshToken || asked.refreshToken !== undefined)
    ) {
      body['refresh_token'] = asked.refreshToken ?? newRefreshToken(user);
    }
    return { status: 200, body, access };
  }

  function rightsOf(asked: Asked, user: string | undefined): Rights | undefined {
    if (asked.grant === 'anonymous') return options.anonymous;
    const known = user === undefined ? undefined : options.users?.[user];
    return asked.grant === 'password' && known?.password !== asked.password
      ? undefined
      : known?.rights;
  }

  function newRefreshToken(user: string): string {
    const token = randomUUID();
    refreshTokens.set(token, user);
    return token;
  }

  const server =
    options.tls === undefined ? createServer(handle) : createTlsServer({ ...options.tls }, handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    if (server.listening) await once(server.close(), 'close');
  };
  afterFile(stop);
  const { port } = server.address() as AddressInfo;
  const realm = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/token`;

  return {
    auth: { realm, service: SERVICE, issuer: ISSUER, rootcertbundle: signing.certPath },
    requests,
    forgetRequests: () => void requests.splice(0),
    token: (scopes, endsIn) => sign(signing, 'test', scopes.map(parseScope), endsIn),
    stop,
  };
}

/**
 * The claims that docker-registry 2.8 reads. `x5c` lets it verify the key by its `rootcertbundle`.
 */
async function sign(
  signing: SigningCertificate,
  subject: string,
  access: readonly Access[],
  endsIn: number,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const der = signing.cert.replace(/-----[^-]+-----|\s/g, '');
  return new SignJWT({ access })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', x5c: [der] })
    .setIssuer(ISSUER)
    .setSubject(subject)
    .setAudience(SERVICE)
    .setIssuedAt(now)
    .setNotBefore(now - 120)
    .setExpirationTime(now + endsIn)
    .setJti(randomUUID())
    .sign(await importPKCS8(signing.key, 'RS256'));
}

function parseGet(request: IncomingMessage): Asked {
  const query = new URL(request.url ?? '/', 'http://token.test').searchParams;
  const basic = /^Basic (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const [user, password] =
    basic === undefined ? [] : splitOnce(Buffer.from(basic, 'base64').toString(), ':');
  return {
    grant: basic === undefined ? 'anonymous' : 'password',
    user,
    password,
    refreshToken: undefined,
    service: query.get('service') ?? undefined,
    clientId: query.get('client_id') ?? undefined,
    scopes: query.getAll('scope').flatMap(splitScopes),
    wantsRefreshToken: query.get('offline_token') === 'true',
  };
}

async function parsePost(request: IncomingMessage): Promise<Asked> {
  const form = new URLSearchParams(await text(request));
  const grant = form.get('grant_type');
  return {
    grant: grant === 'password' || grant === 'refresh_token' ? grant : 'unknown',
    user: form.get('username') ?? undefined,
    password: form.get('password') ?? undefined,
    refreshToken: grant === 'refresh_token' ? (form.get('refresh_token') ?? '') : undefined,
    service: form.get('service') ?? undefined,
    clientId: form.get('client_id') ?? undefined,
    scopes: splitScopes(form.get('scope') ?? ''),
    wantsRefreshToken: form.get('access_type') === 'offline',
  };
}

function splitScopes(scope: string): readonly string[] {
  return scope.split(' ').filter((part) => part !== '');
}

/** `type:name:action,action`; a name may hold a colon of its own (`host:port/name`). */
function parseScope(scope: string): Access {
  const parts = scope.split(':');
  return {
    type: parts[0] ?? '',
    name: parts.slice(1, -1).join(':'),
    actions: (parts.at(-1) ?? '').split(','),
  };
}

/** The part of a scope that the rights allow. */
function allowed(scope: string, rights: Rights): Access {
  const { type, name, actions } = parseScope(scope);
  const asked = type === 'repository' ? name : `${type}:${name}`;
  const granted = Object.entries(rights)
    .filter(([pattern]) =>
      pattern.endsWith('*') ? asked.startsWith(pattern.slice(0, -1)) : asked === pattern,
    )
    .flatMap(([, granting]) => granting);
  return {
    type,
    name,
    actions: actions.filter((action) => granted.includes(action) || granted.includes('*')),
  };
}

function splitOnce(value: string, separator: string): readonly [string, string] {
  const at = value.indexOf(separator);
  return at === -1 ? [value, ''] : [value.slice(0, at), value.slice(at + 1)];
}

function refuse(status: number, details: string): Answer {
  return {
    status,
    body: {
      error: status === 401 ? 'access_denied' : 'invalid_request',
      details,
      errors: [{ code: 'UNAUTHORIZED', message: details }],
    },
  };
}
