import type { ConfigFile } from './edit-config.ts';

/** Where a login is kept, as needed to remove it. */
export type LoginPlace =
  /** Environment variables, which only their owner can unset. */
  | { readonly kind: 'variable'; readonly names: readonly string[] }
  | (ConfigFile & { readonly kind: 'file'; readonly key: string })
  /** A helper, and the configuration that names it. */
  | { readonly kind: 'helper'; readonly name: string; readonly key: string; readonly path: string; readonly shown: string }
  | { readonly kind: 'keychain'; readonly account: string };

/** A login that is kept somewhere: never with its secret. */
export interface KnownLogin {
  /** As in references; with a namespace behind it where the login is only for that: `registry.example/team`. */
  readonly registry: string;
  /** Undefined where the place does not tell without giving the secret too. */
  readonly username: string | undefined;
  /** `~/.docker/config.json`, `docker-credential-pass`, `the keychain`. */
  readonly origin: string;
  readonly place: LoginPlace;
  /** Why it is not used, whatever else is there. */
  readonly ignored?: string | undefined;
}

/** A login, and whether it is the one that is used. */
export interface RankedLogin extends KnownLogin {
  readonly used: boolean;
  /** Why it is used, or why not. */
  readonly reason: string;
}
