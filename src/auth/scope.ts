/**
 * A right that a token grants. Vendors use other forms too (`aws`, `*`), which are passed on
 * unchanged.
 *
 * @see https://github.com/distribution/distribution/blob/v3.0.0/docs/content/spec/auth/scope.md
 */
export type Scope =
  | {
      readonly kind: 'resource';
      /** Such as `repository`, with its class if any: `repository(plugin)`. */
      readonly type: string;
      /** May contain colons: `registry.example:5000/team/app`. */
      readonly name: string;
      /** In the original order, which has no meaning. */
      readonly actions: readonly string[];
    }
  | { readonly kind: 'opaque'; readonly text: string };

export type RepositoryAction = 'pull' | 'push' | 'delete' | '*';

/** For listing a registry's repositories. */
export const CATALOG_SCOPE: Scope = {
  kind: 'resource',
  type: 'registry',
  name: 'catalog',
  actions: ['*'],
};

export function repositoryScope(name: string, actions: readonly RepositoryAction[]): Scope {
  return { kind: 'resource', type: 'repository', name, actions };
}

/** Parses one scope. Never throws: a text other than `type:name:actions` is opaque. */
export function parseScope(text: string): Scope {
  const first = text.indexOf(':');
  const last = text.lastIndexOf(':');
  if (first <= 0 || last <= first + 1 || last === text.length - 1) return { kind: 'opaque', text };
  return {
    kind: 'resource',
    type: text.slice(0, first),
    name: text.slice(first + 1, last),
    actions: text.slice(last + 1).split(','),
  };
}

/** Parses the `scope` of a challenge: any number of scopes, separated by spaces. */
export function parseScopes(text: string | undefined): readonly Scope[] {
  return (text ?? '')
    .split(/[ \t]/)
    .filter((word) => word !== '')
    .map(parseScope);
}

export function formatScope(scope: Scope): string {
  return scope.kind === 'opaque'
    ? scope.text
    : `${scope.type}:${scope.name}:${scope.actions.join(',')}`;
}

/**
 * Merges scopes: one per resource, with the actions of both. Those of `needed` come first, in their
 * order, because some token services honour only the first.
 */
export function mergeScopes(needed: readonly Scope[], added: readonly Scope[]): readonly Scope[] {
  const merged = new Map<string, Scope>();
  for (const scope of [...needed, ...added]) {
    const key = resourceKey(scope);
    const held = merged.get(key);
    if (held?.kind === 'resource' && scope.kind === 'resource')
      merged.set(key, { ...held, actions: [...new Set([...held.actions, ...scope.actions])] });
    else merged.set(key, scope);
  }
  return [...merged.values()];
}

/**
 * Returns one text for a set of scopes in any order of scopes and actions: distribution emits them
 * from a Go map.
 */
export function scopeKey(scopes: readonly Scope[]): string {
  const texts = mergeScopes(scopes, []).map((scope) =>
    formatScope(
      scope.kind === 'opaque' ? scope : { ...scope, actions: [...new Set(scope.actions)].sort() },
    ),
  );
  return [...new Set(texts)].sort().join(' ');
}

export function sameScopes(a: readonly Scope[], b: readonly Scope[]): boolean {
  return scopeKey(a) === scopeKey(b);
}

function resourceKey(scope: Scope): string {
  return scope.kind === 'opaque' ? `opaque ${scope.text}` : `resource ${scope.type}:${scope.name}`;
}
