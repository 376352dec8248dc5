import {
  type CredentialSource,
  type FoundCredential,
  credentialIdentity,
} from '../credentials/credential.ts';
import { SingleFlight } from '../concurrency/single-flight.ts';

/** What a registry thinks of a credential, as far as is known. */
type Standing = 'accepted' | 'refused';

/** Who we are at one registry: what is stored for it, looked up once for each repository and only when asked, and how it fared. */
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

  /** What an earlier `find()` brought. */
  known(repository: string | undefined): FoundCredential | undefined {
    return this.#found.get(repository);
  }

  /** One request with it was answered with something else than a refusal. */
  accepted(found: FoundCredential): void {
    this.#standings.set(identityOf(found), 'accepted');
  }

  /** Refused credentials are not sent again, lest a registry locks the account. What worked before is only refused there. */
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
