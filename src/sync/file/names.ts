import { canonicalHost } from '../../oci/canonical-host.ts';
import { referenceIn, type Reference, type Repository } from '../../oci/reference.ts';
import { isPlace } from './places.ts';

/** What `{…}` stands for in a destination. */
export interface NameParts {
  readonly registry: string;
  /** The source's whole path: `library/debian`. */
  readonly repository: string;
  /** The last word of the path. */
  readonly name: string;
  /** What the stars took, after `rename`. */
  readonly rest: string;
  readonly tag?: string | undefined;
}

export const PLACEHOLDERS = ['registry', 'repository', 'name', 'rest', 'tag'] as const;

/** Every `{word}` of a template, known or not. */
export function placeholdersIn(template: string): readonly string[] {
  return [...template.matchAll(/\{(?<word>[^{}]*)\}/g)].map(({ groups }) => groups?.['word'] ?? '');
}

/** Fills `{registry}`, `{repository}`, `{name}`, `{rest}` and `{tag}`. */
export function fillTemplate(template: string, parts: NameParts): string {
  return template.replaceAll(
    /\{(registry|repository|name|rest|tag)\}/g,
    (_, word: keyof NameParts) => parts[word] ?? '',
  );
}

/** Parses a reference that names its registry itself; undefined where docker would add one. */
export function explicitReference(text: string): Reference | undefined {
  const reference = referenceIn(text);
  const [first = ''] = text.split('/', 1);
  return reference === undefined || !isRegistry(first, reference) ? undefined : reference;
}

/**
 * `index.docker.io` is docker.io; any other word that docker replaces by docker.io is no registry.
 */
function isRegistry(first: string, { domain }: Reference): boolean {
  return first === domain || (first === 'index.docker.io' && domain === 'docker.io');
}

/**
 * Returns the text by which destinations are compared, of a repository or a template: one registry
 * has several spellings, and a deletion must see all that is written to it. Other places stay as
 * they are.
 */
export function repositoryKey(name: string): string {
  const slash = name.indexOf('/');
  if (slash < 0 || isPlace(name)) return name;
  const [host, path] = [canonicalHost(name.slice(0, slash)), name.slice(slash + 1)];
  // In Docker Hub `debian` means `library/debian`.
  const isShort = host === 'docker.io' && /^[^/{}]+$/.test(path);
  return `${host}/${isShort ? 'library/' : ''}${path}`;
}

/** Renames `{rest}` with the regular expression of `rename`, which is found anywhere in it. */
export function renamed(
  rest: string,
  rename: { readonly match: RegExp; readonly to: string } | undefined,
): string {
  return rename === undefined ? rest : rest.replace(rename.match, rename.to);
}

/** The parts that a source repository offers to destinations. */
export function partsOfRepository({ domain, path }: Repository, rest: string): NameParts {
  return {
    registry: domain,
    repository: path,
    name: path.slice(path.lastIndexOf('/') + 1),
    rest,
  };
}

/** `host/ns/**`, `host/ns/*` or `host/**`; undefined where the text has no star at its end. */
export interface Wildcard {
  readonly domain: string;
  /** Without a trailing slash; empty for a whole registry. */
  readonly prefix: string;
  readonly depth: 'all' | 'one';
}

export function parseWildcard(text: string): Wildcard | undefined {
  const match = /^(?<base>[^*]+)\/(?<stars>\*\*?)$/.exec(text)?.groups;
  if (match === undefined) return undefined;
  const base = match['base'] ?? '';
  // A registry alone is no repository: a word stands in for what the stars take.
  const reference = explicitReference(`${base}/x`);
  if (reference === undefined) return undefined;
  return {
    domain: reference.domain,
    prefix: base.includes('/') ? base.slice(base.indexOf('/') + 1) : '',
    depth: match['stars'] === '**' ? 'all' : 'one',
  };
}

/** What the stars take of a repository below the wildcard; undefined where it is not below. */
export function restOf(path: string, { prefix, depth }: Wildcard): string | undefined {
  const start = prefix === '' ? '' : `${prefix}/`;
  if (!path.startsWith(start) || path.length === start.length) return undefined;
  const rest = path.slice(start.length);
  return depth === 'one' && rest.includes('/') ? undefined : rest;
}
