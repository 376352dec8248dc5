import { randomUUID } from 'node:crypto';
import { parseRoute, refusal } from './state.ts';

export interface Login {
  readonly username: string;
  readonly password: string;
}

export interface BearerOptions {
  readonly realm: string;
  readonly service: string;
  readonly logins: readonly Login[];
  /** Repositories that everybody may read. */
  readonly isPublic?: ((repository: string) => boolean) | undefined;
  /** What a deletion needs; `delete` when absent. */
  readonly deleteNeeds?: 'delete' | 'push' | undefined;
  /** Whether the catalog is for those who are logged in. */
  readonly catalog?: boolean | undefined;
  /** Scope of a challenge, made of what is needed; that itself when absent. */
  readonly challengeScope?: ((needed: string) => string) | undefined;
  /** The token itself, in the words of the vendor; `token` and what goes with it when absent. */
  readonly answer?: ((token: string) => object) | undefined;
  /** Answers a POST; 404 when absent. */
  readonly post?:
    | ((form: URLSearchParams, grant: (scopes: readonly string[]) => Response) => Response)
    | undefined;
  /** Answers a wrong password; 401 in the form of the distribution-spec when absent. */
  readonly wrongPassword?: (() => Response) | undefined;
  /** Judges a request without a login; undefined gives a token. */
  readonly anonymous?: ((scopes: readonly string[]) => Response | undefined) | undefined;
  /** Judges the scopes; undefined when they are understood. */
  readonly checkScopes?: ((scopes: readonly string[]) => Response | undefined) | undefined;
}

/** A token service, and the guard of the registry that trusts it. */
export interface Bearer {
  readonly token: (request: Request) => Promise<Response>;
  /** The challenge; undefined lets the request through. */
  readonly guard: (request: Request) => Response | undefined;
  /** Whether a request's token is one that everybody gets. */
  readonly isAnonymous: (request: Request) => boolean;
  /** Every token given. */
  readonly tokens: () => readonly string[];
  /** What the token service was asked: method and scopes. */
  readonly asked: {
    readonly method: string;
    readonly scopes: readonly string[];
    readonly account: string | undefined;
  }[];
}

/**
 * Makes the two.
 *
 * @see https://github.com/distribution/distribution/blob/v3.0.0/docs/content/spec/auth/token.md
 */
export function bearer(options: BearerOptions): Bearer {
  const granted = new Map<string, readonly string[]>();
  const anybodys = new Set<string>();
  const asked: Bearer['asked'] = [];
  const isKnown = ({ username, password }: Login): boolean =>
    options.logins.some((login) => login.username === username && login.password === password);

  function give(scopes: readonly string[], isAnybody: boolean): Response {
    const token = `token-${randomUUID()}`;
    if (isAnybody) anybodys.add(token);
    granted.set(
      token,
      scopes
        .flatMap(splitActions)
        .filter((scope) =>
          isAnybody
            ? isReadable(scope, options)
            : options.catalog === true || !scope.startsWith('registry:'),
        ),
    );
    return Response.json(
      options.answer?.(token) ?? {
        token,
        access_token: token,
        expires_in: 300,
        issued_at: new Date().toISOString(),
      },
    );
  }

  async function token(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const form = new URLSearchParams(request.method === 'POST' ? await request.text() : '');
    const scopes = [...url.searchParams.getAll('scope'), ...form.getAll('scope')]
      .flatMap((scope) => scope.split(' '))
      .filter((scope) => scope !== '');
    asked.push({
      method: request.method,
      scopes,
      account: url.searchParams.get('account') ?? undefined,
    });
    if (request.method === 'POST')
      return (
        options.post?.(form, (wanted) => give(wanted, false)) ??
        new Response('not found', { status: 404 })
      );
    const refused = options.checkScopes?.(scopes);
    if (refused !== undefined) return refused;
    const login = parseBasic(request.headers.get('authorization'));
    if (login === undefined) return options.anonymous?.(scopes) ?? give(scopes, true);
    if (!isKnown(login))
      return (
        options.wrongPassword?.() ?? refusal(401, 'UNAUTHORIZED', 'incorrect username or password')
      );
    return give(scopes, false);
  }

  function guard(request: Request): Response | undefined {
    const needed = scopesOf(request, options);
    const value = bearerOf(request);
    const held = value === undefined ? undefined : granted.get(value);
    if (held !== undefined && needed.flatMap(splitActions).every((scope) => held.includes(scope)))
      return undefined;
    const error =
      value === undefined
        ? ''
        : `,error="${held === undefined ? 'invalid_token' : 'insufficient_scope'}"`;
    const scope = options.challengeScope?.(needed.join(' ')) ?? needed.join(' ');
    const challenge = `Bearer realm="${options.realm}",service="${options.service}"${scope === '' ? '' : `,scope="${scope}"`}${error}`;
    return refusal(401, 'UNAUTHORIZED', 'authentication required', {
      'www-authenticate': challenge,
    });
  }

  return {
    token,
    guard,
    asked,
    isAnonymous: (request) => anybodys.has(bearerOf(request) ?? ''),
    tokens: () => [...granted.keys()],
  };
}

/** A guard that wants the password itself. */
export function basicGuard(
  challenge: string,
  logins: readonly Login[],
): (request: Request) => Response | undefined {
  return (request) => {
    const login = parseBasic(request.headers.get('authorization'));
    const isKnown = logins.some(
      ({ username, password }) => username === login?.username && password === login.password,
    );
    return isKnown
      ? undefined
      : refusal(401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': challenge });
  };
}

function bearerOf(request: Request): string | undefined {
  return /^Bearer (.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
}

export function parseBasic(header: string | null): Login | undefined {
  const text = Buffer.from(/^Basic (.+)$/i.exec(header ?? '')?.[1] ?? '', 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0
    ? undefined
    : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** What a request needs, in the words of a challenge. */
function scopesOf(request: Request, { deleteNeeds = 'delete' }: BearerOptions): readonly string[] {
  const { pathname } = new URL(request.url);
  const route = parseRoute(pathname);
  if (route === undefined) return [];
  if (route.kind === 'catalog') return ['registry:catalog:*'];
  const name = `repository:${route.repository}`;
  if (request.method === 'GET' || request.method === 'HEAD')
    return route.kind === 'uploads' ? [`${name}:pull,push`] : [`${name}:pull`];
  if (request.method === 'DELETE' && route.kind !== 'uploads') return [`${name}:${deleteNeeds}`];
  return [`${name}:pull,push`];
}

function splitActions(scope: string): readonly string[] {
  const end = scope.lastIndexOf(':');
  return scope
    .slice(end + 1)
    .split(',')
    .map((action) => `${scope.slice(0, end)}:${action}`);
}

/** Whether anybody gets it: `pull` of what is public. */
function isReadable(scope: string, { isPublic = () => false }: BearerOptions): boolean {
  const [, name = '', action] = /^repository:(.+):([^:]+)$/.exec(scope) ?? [];
  return action === 'pull' && isPublic(name);
}
