import type { FoundCredential } from '../credentials/credential.ts';
import { hostNameOf, isLoopback } from '../http/address.ts';
import type { HttpResponse } from '../http/message.ts';
import { printable } from '../redact.ts';
import { quote } from '../quote.ts';
import { parseChallenges, type Challenge } from './challenge.ts';

export type OnNotice = (message: string, hint?: string) => void;

/** Notices about authentication at one registry, each emitted once. */
export class AuthNotices {
  readonly #host: string;
  readonly #onNotice: OnNotice | undefined;
  readonly #emitted = new Set<string>();

  constructor(host: string, onNotice: OnNotice | undefined) {
    this.#host = host;
    this.#onNotice = onNotice;
  }

  credentialsRefused({ origin }: FoundCredential): void {
    this.#emit(
      `The credentials from ${origin} were refused by "${this.#host}": trying without them`,
      `regi login ${this.#host}`,
    );
  }

  unknownSchemes({ headers }: HttpResponse): void {
    const challenges = parseChallenges(headers.get('www-authenticate'));
    if (challenges.length === 0) return;
    const found = printable(challenges.map(described).join(', '), 200);
    this.#emit(
      `Cannot authenticate at "${this.#host}": expected a Basic challenge, or Bearer with a realm, found ${found}`,
    );
  }

  /** Warns if secrets leave this machine without encryption. */
  secretsGoTo(target: URL): void {
    if (target.protocol !== 'http:' || isLoopback(hostNameOf(target))) return;
    this.#emit(
      `Credentials for "${this.#host}" go over plain http: anyone on the network path can read them`,
      'use https if the registry supports it',
    );
  }

  #emit(message: string, hint?: string): void {
    if (this.#emitted.has(message)) return;
    this.#emitted.add(message);
    this.#onNotice?.(message, hint);
  }
}

function described({ scheme, params }: Challenge): string {
  const realm = params.get('realm');
  if (scheme !== 'bearer') return scheme;
  return realm === undefined ? 'bearer without a realm' : `bearer with the realm ${quote(realm)}`;
}
