import { SingleFlight } from '../concurrency/single-flight.ts';
import type { FoundCredential } from '../credentials/credential.ts';
import { assertNever, RegiError } from '../errors.ts';
import { settle } from '../http/body.ts';
import type { HttpRequest, HttpResponse, Layer, Transport } from '../http/message.ts';
import { secretsIn } from '../redact.ts';
import {
  Authorizations,
  type Access,
  type Authorization,
  type AuthorizerOptions,
  type Journey,
} from './authorization.ts';
import { parseChallenges, selectChallenge, type UsableChallenge } from './challenge.ts';
import type { AuthorizedResponse } from './not-authorised.ts';
import { checkRealm } from './realm.ts';
import { mergeScopes, parseScopes, sameScopes } from './scope.ts';
import type { TokenKey } from './token-cache.ts';
import type { Token } from './token.ts';

type BearerChallenge = Extract<UsableChallenge, { kind: 'bearer' }>;

export interface AuthorizedRequest extends HttpRequest {
  readonly access?: Access | undefined;
}

/**
 * Answers the registry's challenges. It learns from them: the first request goes out without
 * credentials, later ones carry at once what the registry is known to want.
 *
 * A remaining 401 or 403 is returned like any other response; its `tried` names the credentials
 * that did not help. Requests to other origins go out unchanged, and their challenges are never
 * answered.
 *
 * Requests throw {NotAuthorisedError} when the token service refuses, and {RegiError} with code
 * UNSAFE_REALM when the registry names a token service that must not be asked.
 */
export function authorizeLayer(options: AuthorizerOptions): Layer {
  return (next) => {
    const authorizer = new Authorizer(options, next);
    return ({ access = { scopes: [] }, ...request }: AuthorizedRequest) =>
      request.url.origin === options.origin().origin
        ? authorizer.send(request, access)
        : next(request);
  };
}

class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #next: Transport;
  readonly #authorizations: Authorizations;
  readonly #pings = new SingleFlight<HttpResponse>();
  #pinged: HttpResponse | undefined;

  constructor(options: AuthorizerOptions, next: Transport) {
    this.#options = options;
    this.#next = next;
    this.#authorizations = new Authorizations(options, next);
  }

  async send(original: HttpRequest, access: Access): Promise<AuthorizedResponse> {
    const { account } = this.#authorizations;
    const { method, signal } = original;
    const journey: Journey = {
      request: original,
      access,
      mayGoAnonymous: access.canRetryAnonymously ?? (method === 'GET' || method === 'HEAD'),
      anonymous: false,
      challenged: false,
      widened: false,
      refreshed: false,
    };
    let request = original;
    let authorization = await this.#authorizations.for(journey);
    for (;;) {
      const response = await this.#next(withAuthorization(request, authorization));
      this.#noteSecrets(access, authorization);
      if (response.status !== 401 && response.status !== 403) {
        if (authorization.kind === 'credential') account.accepted(authorization.found);
        return response;
      }
      const refusal = await settle(response, signal);
      const following = await this.#after(journey, authorization, refusal);
      if (following === undefined)
        return { ...refusal, tried: this.#authorizations.tried(access.repository) };
      authorization = following;
      // The first request may have found another scheme.
      request = { ...request, url: refusal.url };
    }
  }

  #noteSecrets({ repository, secrets }: Access, sent: Authorization): void {
    const credential = this.#authorizations.account.known(repository)?.credential;
    if (credential !== undefined)
      secrets?.add(credential.kind === 'password' ? credential.password : credential.token);
    if ('header' in sent) for (const secret of secretsIn(sent.header)) secrets?.add(secret);
  }

  /** Returns what to send after a 401 or 403; undefined when nothing is left to try. */
  async #after(
    journey: Journey,
    sent: Authorization,
    refusal: HttpResponse,
  ): Promise<Authorization | undefined> {
    // A transport that followed a redirect shows a stranger's challenge.
    if (refusal.url.origin !== this.#options.origin().origin) return undefined;
    const challenge = challengeOf(refusal);
    switch (sent.kind) {
      case 'unasked':
        return this.#afterUnasked(journey, refusal, challenge);
      case 'anonymous':
        return undefined;
      case 'credential':
        return refusal.status === 401
          ? this.#afterCredential(journey, sent.found, refusal, challenge)
          : undefined;
      case 'token':
        return this.#afterToken(journey, sent, refusal, challenge);
      default:
        return assertNever(sent);
    }
  }

  async #afterUnasked(
    journey: Journey,
    refusal: HttpResponse,
    challenge: UsableChallenge | undefined,
  ): Promise<Authorization | undefined> {
    // Old GCR and Harbor challenge properly only on the ping; Artifactory may say 403 first.
    const asker = challenge === undefined ? await this.#ping(journey) : refusal;
    const isAccepted =
      (asker !== undefined && this.#accept(journey, asker, challengeOf(asker))) ||
      (refusal.status === 403 &&
        isArtifactory(refusal) &&
        this.#accept(journey, refusal, { kind: 'basic' }));
    if (!isAccepted) return undefined;
    const following = await this.#authorizations.for(journey);
    return following.kind === 'anonymous' ? undefined : following;
  }

  async #afterCredential(
    journey: Journey,
    found: FoundCredential,
    refusal: HttpResponse,
    challenge: UsableChallenge | undefined,
  ): Promise<Authorization | undefined> {
    const authorizations = this.#authorizations;
    // Basic was only guessed from another resource.
    if (
      challenge?.kind === 'bearer' &&
      !journey.challenged &&
      this.#accept(journey, refusal, challenge)
    )
      return authorizations.for(journey);
    authorizations.account.refused(found);
    // Basic has no anonymous form if the bare request was challenged; anyone may get a token.
    const isHopeless =
      journey.challenged && authorizations.schemes.get(journey.access.scopes)?.kind === 'basic';
    if (journey.anonymous || !journey.mayGoAnonymous || isHopeless) return undefined;
    authorizations.goAnonymous(journey, found);
    return authorizations.for(journey);
  }

  async #afterToken(
    journey: Journey,
    { key, token, isFresh }: Extract<Authorization, { kind: 'token' }>,
    refusal: HttpResponse,
    challenge: UsableChallenge | undefined,
  ): Promise<Authorization | undefined> {
    const isOld = !isFresh || this.#options.clock.now() >= token.expiresAt;
    // Harbor asks for Basic when a token is not good enough: the token is refused, the scheme is
    // the same.
    if (challenge?.kind !== 'bearer')
      return this.#refresh(journey, key, token, refusal.status === 401 && isOld);
    const widened = await this.#afterNarrow(journey, key, refusal, challenge);
    if (widened !== undefined) return widened;
    if (refusal.status !== 401) return undefined;
    // Artifactory has a realm for each of its repositories.
    const isOtherService = challenge.realm.href !== key.realm || challenge.service !== key.service;
    if (isOtherService && !journey.challenged && this.#accept(journey, refusal, challenge))
      return this.#authorizations.for(journey);
    return this.#refresh(journey, key, token, challenge.error === 'invalid_token' || isOld);
  }

  /**
   * Asks once for the scopes that a challenge names and the token lacks. Registries name `delete`,
   * or the repository behind a proxy project, often without an `error`.
   */
  async #afterNarrow(
    journey: Journey,
    key: TokenKey,
    refusal: HttpResponse,
    challenge: BearerChallenge,
  ): Promise<Authorization | undefined> {
    const isSaid = challenge.error === 'insufficient_scope';
    const isPossible = isSaid || (refusal.status === 401 && challenge.error !== 'invalid_token');
    if (!isPossible || journey.widened) return undefined;
    journey.widened = true;
    const { schemes } = this.#authorizations;
    const { scopes } = journey.access;
    const wider = mergeScopes(key.scopes, parseScopes(challenge.scope));
    if (sameScopes(wider, key.scopes)) return undefined;
    schemes.widen(scopes, wider);
    try {
      return await this.#authorizations.for(journey);
    } catch (error) {
      // Other requests need no more than before, and this one has the registry's refusal to show.
      if (isSaid || !(error instanceof RegiError)) throw error;
      schemes.widen(scopes, key.scopes);
      return undefined;
    }
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
    return this.#authorizations.for(journey);
  }

  /** Remembers what the registry wants. Returns false without a usable challenge. */
  #accept(journey: Journey, asker: HttpResponse, challenge: UsableChallenge | undefined): boolean {
    if (challenge === undefined) return false;
    journey.challenged = true;
    const { schemes } = this.#authorizations;
    const { scopes } = journey.access;
    if (challenge.kind === 'basic') {
      schemes.set(scopes, { kind: 'basic' });
      return true;
    }
    const origin = this.#options.origin();
    const { host } = this.#options;
    const realm = checkRealm(challenge.realm, { origin, host, remoteAddress: asker.remoteAddress });
    schemes.set(scopes, { kind: 'bearer', realm, service: challenge.service });
    if (scopes.length === 0) schemes.widen(scopes, parseScopes(challenge.scope));
    return true;
  }

  /** Returns the registry's response to a ping if it is a challenge. */
  async #ping({ request }: Journey): Promise<HttpResponse | undefined> {
    const url = new URL('/v2/', this.#options.origin());
    if (request.url.pathname === url.pathname) return undefined;
    this.#pinged ??= await this.#pings.run(
      '',
      async (signal) => settle(await this.#next({ method: 'GET', url, signal }), signal),
      request.signal,
    );
    return this.#pinged.status === 401 && this.#pinged.url.origin === url.origin
      ? this.#pinged
      : undefined;
  }
}

function challengeOf(response: HttpResponse): UsableChallenge | undefined {
  return selectChallenge(parseChallenges(response.headers.get('www-authenticate')));
}

/**
 * Artifactory may answer 403 without a challenge to anonymous requests, yet accepts Basic.
 *
 * @see https://jfrog.com/jira/browse/RTFACT-18971
 */
function isArtifactory({ headers }: HttpResponse): boolean {
  return (
    headers.get('x-jfrog-version') !== undefined ||
    headers.get('x-artifactory-id') !== undefined ||
    /^Artifactory\//i.test(headers.get('server') ?? '')
  );
}

function withAuthorization(request: HttpRequest, authorization: Authorization): HttpRequest {
  if (!('header' in authorization)) return request;
  return { ...request, headers: { ...request.headers, authorization: authorization.header } };
}
