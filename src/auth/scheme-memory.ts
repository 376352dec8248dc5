import { LIMITS } from '../limits.ts';
import type { SafeRealm } from './realm.ts';
import { scopeKey, type Scope } from './scope.ts';

/** The authentication that a registry wants. */
export type Scheme =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: SafeRealm; readonly service: string | undefined };

/**
 * Remembers the scheme of a registry by resource, and as the best guess for others of the same
 * type. Harbor wants Basic for its catalog and tokens for repositories; Artifactory has a realm for
 * each repository.
 */
export class SchemeMemory {
  readonly #ofResource = new Map<string, Scheme>();
  readonly #ofType = new Map<string, Scheme>();
  readonly #widened = new Map<string, readonly Scope[]>();

  get(scopes: readonly Scope[]): Scheme | undefined {
    return this.#ofResource.get(resourceOf(scopes)) ?? this.#ofType.get(typeOf(scopes));
  }

  set(scopes: readonly Scope[], scheme: Scheme): void {
    keep(this.#ofResource, resourceOf(scopes), scheme);
    this.#ofType.set(typeOf(scopes), scheme);
  }

  /** Returns the scopes to request where `needed` was not enough before. */
  widened(needed: readonly Scope[]): readonly Scope[] {
    return this.#widened.get(scopeKey(needed)) ?? needed;
  }

  widen(needed: readonly Scope[], wider: readonly Scope[]): void {
    keep(this.#widened, scopeKey(needed), wider);
  }
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  const [oldest] = map.keys();
  if (oldest !== undefined && map.size >= LIMITS.tokens) map.delete(oldest);
  map.set(key, value);
}

function typeOf([needed]: readonly Scope[]): string {
  return needed?.kind === 'resource' ? needed.type : '';
}

function resourceOf([needed]: readonly Scope[]): string {
  return needed?.kind === 'resource' ? `${needed.type}:${needed.name}` : '';
}
