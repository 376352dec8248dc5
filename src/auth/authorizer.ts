import type { Clock } from '../clock.ts';
import {
  type CredentialSource,
  type FoundCredential,
  credentialIdentity,
} from '../credentials/credential.ts';
import { assertNever } from '../errors.ts';
import { isLoopback } from '../http/hosts.ts';
import type { HttpRequest, HttpResponse, Transport } from '../http/message.ts';
import { printable, secretsIn } from '../redact.ts';
import { Account } from './account.ts';
import {
  basicAuthorization,
  parseChallenges,
  selectChallenge,
  type UsableChallenge,
} from './challenge.ts';
import {
  NotAuthorisedError,
  type AuthorizedResponse,
  type TriedCredentials,
} from './not-authorised.ts';
import { checkRealm } from './realm.ts';
import { SchemeMemory, type Scheme } from './scheme-memory.ts';
import { mergeScopes, parseScopes, sameScopes, type Scope } from './scope.ts';
import { settle } from './settle.ts';
import { SingleFlight } from '../concurrency/single-flight.ts';
import { isHeaderSafe, type Token } from './token.ts';
import type { TokenCache, TokenKey } from './token-cache.ts';
import { fetchToken } from './token-client.ts';

export interface AuthorizerOptions {
  /** Sends and retries; does not follow redirects. */
  readonly send: Transport;
  /** Scheme, host and port that secrets of this registry may go to. */
  readonly origin: URL;
  /** The registry as written in references. */
  readonly host: string;
  readonly credentials: CredentialSource;
  readonly tokens: TokenCache;
  readonly clock: Clock;
  /** How often a token is asked for again whose answer broke in its middle. */
  readonly retries?: number | undefined;
  /** Takes what a person should know: credentials that were refused, a password over plain http. */
  readonly onNotice?: ((message: string, hint?: string) => void) | undefined;
}

export interface AuthorizeOptions {
  /** What the request needs, the most needed first; none leaves the choice to the registry's challenge. */
  readonly scopes: readonly Scope[];
  readonly repository?: string | undefined;
  /** Whether it may be tried without credentials after these were refused. GET and HEAD may when absent. */
  readonly canRetryAnonymously?: boolean | undefined;
}

export interface Authorizer {
  /**
   * Sends a request, with what proves who we are where the registry asks for that. A 401 or 403 that remains is an answer like
   * any other; its `tried` says which credentials did not help. A request to another origin goes out as it is, and its challenge
   * is never answered.
   *
   * @throws {NotAuthorisedError} when the token service refuses.
   * @throws {UnsafeRealmError} when the registry names a token service that must not be asked.
   */
  send(request: HttpRequest, options: AuthorizeOptions): Promise<AuthorizedResponse>;
}

/** What a request is sent with. */
type Authorization =
  /** Nothing, because the registry has not asked. */
  | { readonly kind: 'unasked' }
  /** Nothing, because there is nothing to show. */
  | { readonly kind: 'anonymous' }
  /** The credential itself: Basic, or a registry token. */
  | { readonly kind: 'credential'; readonly header: string; readonly found: FoundCredential }
  | {
      readonly kind: 'token';
      readonly header: string;
      readonly key: TokenKey;
      readonly token: Token;
      readonly isFresh: boolean;
    };

/** One call of `send()`. Each flag is a step that is taken once, so that it ends whatever the registry answers. */
interface Journey {
  readonly request: HttpRequest;
  readonly options: AuthorizeOptions;
  readonly mayGoAnonymous: boolean;
  anonymous: boolean;
  challenged: boolean;
  widened: boolean;
  refreshed: boolean;
}

type BearerScheme = Extract<Scheme, { kind: 'bearer' }>;

/**
 * Makes what stands between a registry client and its transport and answers challenges. It learns from them: the first request
 * goes out bare, later ones carry at once what the registry was seen to want.
 */
export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  return new ChallengeAuthorizer(options);
}

class ChallengeAuthorizer implements Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #account: Account;
  readonly #schemes = new SchemeMemory();
  readonly #pings = new SingleFlight<HttpResponse>();
  readonly #notices = new Set<string>();
  #pinged: HttpResponse | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
    this.#account = new Account(options.host, options.credentials);
  }

  async send(request: HttpRequest, options: AuthorizeOptions): Promise<AuthorizedResponse> {
    if (request.url.origin !== this.#options.origin.origin) return this.#options.send(request);
    const mayGoAnonymous =
      options.canRetryAnonymously ?? (request.method === 'GET' || request.method === 'HEAD');
    const journey: Journey = {
      request,
      options,
      mayGoAnonymous,
      anonymous: false,
      challenged: false,
      widened: false,
      refreshed: false,
    };
    let authorization = await this.#authorize(journey);
    for (;;) {
      const response = await this.#options.send(withAuthorization(request, authorization));
      if (response.status !== 401 && response.status !== 403) {
        if (authorization.kind === 'credential') this.#account.accepted(authorization.found);
        return { ...response, secrets: this.#secrets(options.repository, authorization) };
      }
      const answer = await settle(response, request.signal);
      const next = await this.#next(journey, authorization, answer);
      if (next === undefined) {
        return {
          ...answer,
          tried: this.#tried(options.repository),
          secrets: this.#secrets(options.repository, authorization),
        };
      }
      authorization = next;
    }
  }

  #secrets(repository: string | undefined, sent: Authorization): readonly string[] {
    const credential = this.#account.known(repository)?.credential;
    const own =
      credential === undefined
        ? []
        : [credential.kind === 'password' ? credential.password : credential.token];
    return 'header' in sent ? [...own, ...secretsIn(sent.header)] : own;
  }

  /** What to send next after a 401 or 403; undefined when nothing is left to try. */
  async #next(
    journey: Journey,
    sent: Authorization,
    answer: HttpResponse,
  ): Promise<Authorization | undefined> {
    // A transport that followed a redirect shows a stranger's challenge.
    if (answer.url.origin !== this.#options.origin.origin) return undefined;
    const challenge = challengeOf(answer);
    switch (sent.kind) {
      case 'unasked':
        return this.#afterUnasked(journey, answer, challenge);
      case 'anonymous':
        return undefined;
      case 'credential':
        return answer.status === 401
          ? this.#afterCredential(journey, sent.found, answer, challenge)
          : undefined;
      case 'token':
        return this.#afterToken(journey, sent, answer, challenge);
      default:
        return assertNever(sent);
    }
  }

  async #afterUnasked(
    journey: Journey,
    answer: HttpResponse,
    challenge: UsableChallenge | undefined,
  ): Promise<Authorization | undefined> {
    // Old GCR and Harbor challenge properly only on the ping; Artifactory may say 403 first.
    const asker = challenge === undefined ? await this.#ping(journey) : answer;
    const isAccepted = asker !== undefined && this.#accept(journey, asker, challengeOf(asker));
    if (
      !isAccepted &&
      !(
        answer.status === 403 &&
        isArtifactory(answer) &&
        this.#accept(journey, answer, { kind: 'basic' })
      )
    ) {
      this.#noticeUnknownSchemes(answer);
      return undefined;
    }
    const next = await this.#authorize(journey);
    return next.kind === 'anonymous' ? undefined : next;
  }

  async #afterCredential(
    journey: Journey,
    found: FoundCredential,
    answer: HttpResponse,
    challenge: UsableChallenge | undefined,
  ): Promise<Authorization | undefined> {
    // Basic was only guessed from another resource.
    if (
      challenge?.kind === 'bearer' &&
      !journey.challenged &&
      this.#accept(journey, answer, challenge)
    )
      return this.#authorize(journey);
    this.#account.refused(found);
    // Where this request was challenged when it was bare, Basic has no anonymous form; a token may still be given to anybody.
    const isHopeless =
      journey.challenged && this.#schemes.get(journey.options.scopes)?.kind === 'basic';
    if (journey.anonymous || !journey.mayGoAnonymous || isHopeless) return undefined;
    this.#goAnonymous(journey, found);
    return this.#authorize(journey);
  }

  async #afterToken(
    journey: Journey,
    { key, token, isFresh }: Extract<Authorization, { kind: 'token' }>,
    answer: HttpResponse,
    challenge: UsableChallenge | undefined,
  ): Promise<Authorization | undefined> {
    const isOld = !isFresh || this.#options.clock.now() >= token.expiresAt;
    // Harbor asks for Basic once a token was not good enough: that is a refusal of the token, not another scheme.
    if (challenge?.kind !== 'bearer')
      return this.#refresh(journey, key, token, answer.status === 401 && isOld);
    if (challenge.error === 'insufficient_scope' && !journey.widened) {
      journey.widened = true;
      const wider = mergeScopes(key.scopes, parseScopes(challenge.scope));
      if (!sameScopes(wider, key.scopes)) {
        this.#schemes.widen(journey.options.scopes, wider);
        return this.#authorize(journey);
      }
    }
    if (answer.status !== 401) return undefined;
    // Artifactory has a realm for each of its repositories.
    const isOtherService = challenge.realm.href !== key.realm || challenge.service !== key.service;
    if (isOtherService && !journey.challenged && this.#accept(journey, answer, challenge))
      return this.#authorize(journey);
    return this.#refresh(journey, key, token, challenge.error === 'invalid_token' || isOld);
  }

  async #refresh(
    journey: Journey,
    key: TokenKey,
    token: Token,
    isWorthwhile: boolean,
  ): Promise<Authorization | undefined> {
    if (!isWorthwhile || journey.refreshed) return undefined;
    journey.refreshed = true;
    this.#options.tokens.forget(key, token);
    return this.#authorize(journey);
  }

  /** Remembers what the registry wants. */
  #accept(journey: Journey, asker: HttpResponse, challenge: UsableChallenge | undefined): boolean {
    if (challenge === undefined) return false;
    journey.challenged = true;
    const { scopes } = journey.options;
    if (challenge.kind === 'basic') {
      this.#schemes.set(scopes, { kind: 'basic' });
      return true;
    }
    const { origin, host } = this.#options;
    const realm = checkRealm(challenge.realm, { origin, host, remoteAddress: asker.remoteAddress });
    this.#schemes.set(scopes, { kind: 'bearer', realm, service: challenge.service });
    if (scopes.length === 0) this.#schemes.widen(scopes, parseScopes(challenge.scope));
    return true;
  }

  async #ping({ request }: Journey): Promise<HttpResponse | undefined> {
    const url = new URL('/v2/', this.#options.origin);
    if (request.url.pathname === url.pathname) return undefined;
    this.#pinged ??= await this.#pings.run(
      '',
      async (signal) => settle(await this.#options.send({ method: 'GET', url, signal }), signal),
      request.signal,
    );
    return this.#pinged.status === 401 && this.#pinged.url.origin === url.origin
      ? this.#pinged
      : undefined;
  }

  async #authorize(journey: Journey): Promise<Authorization> {
    const { scopes, repository } = journey.options;
    const scheme = this.#schemes.get(scopes);
    if (scheme === undefined) return { kind: 'unasked' };
    const found = await this.#account.find(repository, journey.request.signal);
    const isRefused = found !== undefined && this.#account.isRefused(found);
    if (isRefused && !journey.mayGoAnonymous) throw this.#refusal(401, repository);
    const usable = isRefused || journey.anonymous ? undefined : found;
    if (usable?.credential.kind === 'registry-token')
      return this.#withRegistryToken(usable, usable.credential.token, repository);
    if (scheme.kind === 'bearer') return this.#withToken(journey, scheme, usable);
    if (usable?.credential.kind !== 'password') return { kind: 'anonymous' };
    this.#warnOfPlainHttp(this.#options.origin);
    return {
      kind: 'credential',
      header: basicAuthorization(usable.credential.username, usable.credential.password),
      found: usable,
    };
  }

  #withRegistryToken(
    found: FoundCredential,
    token: string,
    repository: string | undefined,
  ): Authorization {
    if (!isHeaderSafe(token)) throw this.#refusal(401, repository);
    this.#warnOfPlainHttp(this.#options.origin);
    return { kind: 'credential', header: `Bearer ${token}`, found };
  }

  async #withToken(
    journey: Journey,
    scheme: BearerScheme,
    found: FoundCredential | undefined,
  ): Promise<Authorization> {
    try {
      return await this.#getToken(journey, scheme, found);
    } catch (error) {
      if (!(error instanceof NotAuthorisedError)) throw error;
      if (found === undefined) throw this.#refusal(error.status, journey.options.repository, error);
      if (error.tried?.refused === true) this.#account.refused(found);
      if (!journey.mayGoAnonymous) throw error;
      this.#goAnonymous(journey, found);
      return this.#getToken(journey, scheme, undefined).catch((second: unknown) => {
        throw second instanceof NotAuthorisedError ? error : second;
      });
    }
  }

  async #getToken(
    journey: Journey,
    scheme: BearerScheme,
    found: FoundCredential | undefined,
  ): Promise<Authorization> {
    const { origin, host, tokens, send, clock, retries } = this.#options;
    const { repository } = journey.options;
    const { realm, service } = scheme;
    const scopes = this.#schemes.widened(journey.options.scopes);
    const key: TokenKey = {
      origin: origin.origin,
      identity: credentialIdentity(found?.credential),
      realm: realm.url.href,
      service,
      scopes,
    };
    let isFresh = false;
    const token = await tokens.get(
      key,
      (signal) => {
        isFresh = true;
        if (found !== undefined) this.#warnOfPlainHttp(realm.url);
        return fetchToken(
          { host, repository, realm, service, scopes, credential: found, signal },
          { send, clock, retries },
        );
      },
      journey.request.signal,
    );
    return { kind: 'token', header: `Bearer ${token.value}`, key, token, isFresh };
  }

  #refusal(status: number, repository: string | undefined, cause?: unknown): NotAuthorisedError {
    return new NotAuthorisedError({
      host: this.#options.host,
      repository,
      status,
      tried: this.#tried(repository),
      cause,
    });
  }

  #tried(repository: string | undefined): TriedCredentials | undefined {
    const found = this.#account.known(repository);
    return found && { origin: found.origin, refused: this.#account.isRefused(found) };
  }

  #goAnonymous(journey: Journey, found: FoundCredential): void {
    journey.anonymous = true;
    const { host } = this.#options;
    this.#notice(
      `The credentials from ${found.origin} were refused by "${host}": trying without them`,
      `regi login ${host}`,
    );
  }

  #noticeUnknownSchemes(answer: HttpResponse): void {
    const challenges = parseChallenges(answer.headers.get('www-authenticate'));
    if (challenges.length === 0) return;
    const asked = challenges.map(({ scheme }) => scheme).join(', ');
    this.#notice(
      `Cannot authenticate at "${this.#options.host}": expected a Basic challenge, or Bearer with a realm, found ${printable(asked, 100)}`,
    );
  }

  #warnOfPlainHttp(target: URL): void {
    // Nobody is on the way within this machine.
    if (target.protocol !== 'http:' || isLoopback(target.hostname.replace(/^\[|\]$/g, ''))) return;
    this.#notice(
      `Credentials for "${this.#options.host}" go over plain http: everyone on the way can read them`,
      'use https where the registry has it',
    );
  }

  #notice(message: string, hint?: string): void {
    if (this.#notices.has(message)) return;
    this.#notices.add(message);
    this.#options.onNotice?.(message, hint);
  }
}

function challengeOf(answer: HttpResponse): UsableChallenge | undefined {
  return selectChallenge(parseChallenges(answer.headers.get('www-authenticate')));
}

/** It may say 403 and no challenge to who has shown nothing, and takes the password all the same. @see https://jfrog.com/jira/browse/RTFACT-18971 */
function isArtifactory({ headers }: HttpResponse): boolean {
  return (
    headers.get('x-jfrog-version') !== undefined ||
    headers.get('x-artifactory-id') !== undefined ||
    /^Artifactory\//i.test(headers.get('server') ?? '')
  );
}

function withAuthorization(request: HttpRequest, authorization: Authorization): HttpRequest {
  if (authorization.kind === 'unasked' || authorization.kind === 'anonymous') return request;
  return { ...request, headers: { ...request.headers, authorization: authorization.header } };
}
