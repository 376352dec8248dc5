import {
  type CredentialSource,
  type FoundCredential,
  credentialIdentity,
} from '../credentials/credential.ts';
import { SingleFlight } from '../concurrency/single-flight.ts';

/** A registry's known judgement of a credential. */
type Standing = 'accepted' | 'refused';

/**
 * The stored credentials for one registry, looked up once for each repository on demand, and their
 * standing.
 */
export class Account {
  readonly #host: string;
  readonly #source: CredentialSource;
  readonly #found = new Map<string | undefined, FoundCredential | undefined>();
  readonly #lookups = new SingleFlight<FoundCredential | undefined>();
  readonly #standings = new Map<string, Standing>();

  constructor(host: string, source: CredentialSource) {
    this.#host = host;
    this.#source = source;
  }

  async find(
    repository: string | undefined,
    signal?: AbortSignal,
  ): Promise<FoundCredential | undefined> {
    if (this.#found.has(repository)) return this.#found.get(repository);
    return this.#lookups.run(
      JSON.stringify(repository ?? null),
      async (flightSignal) => {
        const found = await this.#source(this.#host, repository, flightSignal);
        this.#found.set(repository, found);
        return found;
      },
      signal,
    );
  }

  /** Returns the result of an earlier `find()`. */
  known(repository: string | undefined): FoundCredential | undefined {
    return this.#found.get(repository);
  }

  /** Called when a request with it was not refused. */
  accepted(found: FoundCredential): void {
    this.#standings.set(identityOf(found), 'accepted');
  }

  /**
   * Called when a request with it was refused. Such credentials are not sent again, or the registry
   * may lock the account. Credentials that worked before lack rights only.
   */
  refused(found: FoundCredential): void {
    const identity = identityOf(found);
    if (this.#standings.get(identity) === undefined) this.#standings.set(identity, 'refused');
  }

  isRefused(found: FoundCredential): boolean {
    return this.#standings.get(identityOf(found)) === 'refused';
  }
}

function identityOf(found: FoundCredential): string {
  return credentialIdentity(found.credential);
}
