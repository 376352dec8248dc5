import type { Clock } from '../clock.ts';
import {
  credentialIdentity,
  type CredentialSource,
  type FoundCredential,
} from '../credentials/credential.ts';
import type { HttpRequest, Transport } from '../http/message.ts';
import { Account } from './account.ts';
import { basicAuthorization } from './challenge.ts';
import { NotAuthorisedError, type TriedCredentials } from './not-authorised.ts';
import { AuthNotices, type OnNotice } from './notices.ts';
import { SchemeMemory, type Scheme } from './scheme-memory.ts';
import type { Scope } from './scope.ts';
import type { TokenCache, TokenKey } from './token-cache.ts';
import { fetchToken } from './token-client.ts';
import { isHeaderSafe, type Token } from './token.ts';

export interface AuthorizerOptions {
  /** The registry as written in references. */
  readonly host: string;
  /**
   * Scheme, host and port that may receive secrets of this registry. Called for each use: the
   * scheme is found with the first request, which carries none.
   */
  readonly origin: () => URL;
  readonly credentials: CredentialSource;
  readonly tokens: TokenCache;
  readonly clock: Clock;
  /** Retries of a token request whose response broke in its body. */
  readonly retries?: number | undefined;
  /** Receives refused credentials, and a password over plain http. */
  readonly onNotice?: OnNotice | undefined;
}

/** The rights that a request needs. */
export interface Access {
  /** The most needed one first; none leaves the choice to the registry's challenge. */
  readonly scopes: readonly Scope[];
  /** Selects the credentials where they differ by repository. */
  readonly repository?: string | undefined;
  /**
   * Allows an attempt without credentials after these were refused. GET and HEAD allow it when
   * absent.
   */
  readonly canRetryAnonymously?: boolean | undefined;
  /** Collects the secrets that were sent, which responses must not show. */
  readonly secrets?: Set<string> | undefined;
}

/** How a request is authorised. */
export type Authorization =
  /** Without credentials, because the registry has not asked for any. */
  | { readonly kind: 'unasked' }
  /** Without credentials, because there are none. */
  | { readonly kind: 'anonymous' }
  /** With the credential itself: Basic, or a registry token. */
  | { readonly kind: 'credential'; readonly header: string; readonly found: FoundCredential }
  | {
      readonly kind: 'token';
      readonly header: string;
      readonly key: TokenKey;
      readonly token: Token;
      readonly isFresh: boolean;
    };

/**
 * One request on its way through the layer. Each flag is a step that is taken once, so that it
 * ends.
 */
export interface Journey {
  readonly request: HttpRequest;
  readonly access: Access;
  readonly mayGoAnonymous: boolean;
  anonymous: boolean;
  challenged: boolean;
  widened: boolean;
  refreshed: boolean;
}

type BearerScheme = Extract<Scheme, { kind: 'bearer' }>;

/**
 * Makes the authorization of a request from the credentials and from the known scheme of the
 * registry.
 */
export class Authorizations {
  readonly account: Account;
  readonly schemes = new SchemeMemory();
  readonly notices: AuthNotices;
  readonly #options: AuthorizerOptions;
  readonly #send: Transport;

  constructor(options: AuthorizerOptions, send: Transport) {
    this.#options = options;
    this.#send = send;
    this.account = new Account(options.host, options.credentials);
    this.notices = new AuthNotices(options.host, options.onNotice);
  }

  /**
   * @throws {NotAuthorisedError} when the credentials are known to be refused, and none may be
   *   omitted.
   */
  async for(journey: Journey): Promise<Authorization> {
    const { scopes, repository } = journey.access;
    const scheme = this.schemes.get(scopes);
    if (scheme === undefined) return { kind: 'unasked' };
    const found = await this.account.find(repository, journey.request.signal);
    const isRefused = found !== undefined && this.account.isRefused(found);
    if (isRefused && !journey.mayGoAnonymous) throw this.#refusal(401, repository);
    const usable = isRefused || journey.anonymous ? undefined : found;
    if (usable?.credential.kind === 'registry-token') {
      const { token } = usable.credential;
      if (!isHeaderSafe(token)) throw this.#refusal(401, repository);
      return this.#withCredential(`Bearer ${token}`, usable);
    }
    if (scheme.kind === 'bearer') return this.#withToken(journey, scheme, usable);
    if (usable?.credential.kind !== 'password') return { kind: 'anonymous' };
    const { username, password } = usable.credential;
    return this.#withCredential(basicAuthorization(username, password), usable);
  }

  tried(repository: string | undefined): TriedCredentials | undefined {
    const found = this.account.known(repository);
    return found && { origin: found.origin, refused: this.account.isRefused(found) };
  }

  goAnonymous(journey: Journey, found: FoundCredential): void {
    journey.anonymous = true;
    this.notices.credentialsRefused(found);
  }

  #withCredential(header: string, found: FoundCredential): Authorization {
    this.notices.secretsGoTo(this.#options.origin());
    return { kind: 'credential', header, found };
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
      if (found === undefined) throw this.#refusal(error.status, journey.access.repository, error);
      if (error.tried?.refused === true) this.account.refused(found);
      if (!journey.mayGoAnonymous) throw error;
      this.goAnonymous(journey, found);
      return this.#getToken(journey, scheme, undefined).catch((second: unknown) => {
        throw second instanceof NotAuthorisedError ? error : second;
      });
    }
  }

  async #getToken(
    { access, request }: Journey,
    { realm, service }: BearerScheme,
    found: FoundCredential | undefined,
  ): Promise<Authorization> {
    const { host, origin, tokens, clock, retries } = this.#options;
    const scopes = this.schemes.widened(access.scopes);
    const key: TokenKey = {
      origin: origin().origin,
      identity: credentialIdentity(found?.credential),
      realm: realm.url.href,
      service,
      scopes,
    };
    let isFresh = false;
    const fetch = (signal: AbortSignal): Promise<Token> => {
      isFresh = true;
      if (found !== undefined) this.notices.secretsGoTo(realm.url);
      const { repository } = access;
      return fetchToken(
        { host, repository, realm, service, scopes, credential: found, signal },
        { send: this.#send, clock, retries },
      );
    };
    const token = await tokens.get(key, fetch, request.signal);
    return { kind: 'token', header: `Bearer ${token.value}`, key, token, isFresh };
  }

  #refusal(status: number, repository: string | undefined, cause?: unknown): NotAuthorisedError {
    const tried = this.tried(repository);
    return new NotAuthorisedError({ host: this.#options.host, repository, status, tried, cause });
  }
}
