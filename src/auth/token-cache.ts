import type { Clock } from '../clock.ts';
import { LIMITS } from '../limits.ts';
import { scopeKey, type Scope } from './scope.ts';
import { SingleFlight } from '../concurrency/single-flight.ts';
import type { Token } from './token.ts';

/** The use of a token. A token is never used for anything that differs in one of these. */
export interface TokenKey {
  /** Origin of the registry. */
  readonly origin: string;
  /** Result of `credentialIdentity()`. */
  readonly identity: string;
  readonly realm: string;
  readonly service: string | undefined;
  readonly scopes: readonly Scope[];
}

/** A token is renewed this long before it expires, or in the last quarter of a short life. */
const RENEWAL_MS = 10_000;

/** The tokens of a process, shared between requests and renewed before they expire. */
export class TokenCache {
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Token>();
  readonly #flights = new SingleFlight<Token>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Returns the cached token, else that of `fetch`. Parallel calls share one fetch; a failure is
   * not cached.
   */
  async get(
    key: TokenKey,
    fetch: (signal: AbortSignal) => Promise<Token>,
    signal?: AbortSignal,
  ): Promise<Token> {
    const id = idOf(key);
    const held = this.#tokens.get(id);
    if (held !== undefined && this.#isFresh(held)) return held;
    return this.#flights.run(
      id,
      async (flightSignal) => {
        const token = await fetch(flightSignal);
        this.#keep(id, token);
        return token;
      },
      signal,
    );
  }

  /** Drops a refused token, unless another has replaced it. */
  forget(key: TokenKey, token: Token): void {
    const id = idOf(key);
    if (this.#tokens.get(id) === token) this.#tokens.delete(id);
  }

  #isFresh({ obtainedAt, expiresAt }: Token): boolean {
    return this.#clock.now() < expiresAt - Math.min(RENEWAL_MS, (expiresAt - obtainedAt) / 4);
  }

  #keep(id: string, token: Token): void {
    this.#tokens.delete(id);
    const [oldest] = this.#tokens.keys();
    if (oldest !== undefined && this.#tokens.size >= LIMITS.tokens) this.#tokens.delete(oldest);
    this.#tokens.set(id, token);
  }
}

function idOf({ origin, identity, realm, service, scopes }: TokenKey): string {
  return JSON.stringify([origin, identity, realm, service ?? '', scopeKey(scopes)]);
}
