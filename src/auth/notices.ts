import type { FoundCredential } from '../credentials/credential.ts';
import { hostNameOf, isLoopback } from '../http/address.ts';

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
