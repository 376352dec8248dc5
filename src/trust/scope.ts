import { canonicalHost } from '../oci/canonical-host.ts';
import type { Repository } from '../oci/reference.ts';

/**
 * A part of the names that a rule holds for: a host, `*.host`, a path below a host, or a
 * repository. Whole path components only: `team` does not cover `teamevil`.
 */
export type Scope = string & { readonly [scopeBrand]: true };

declare const scopeBrand: unique symbol;

const HUB = 'docker.io';
const HOST = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d+)?$|^\[[0-9a-f:.]+\](?::\d+)?$/;
const STARRED_HOST = /^\*\.[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/**
 * Parses a scope; undefined for anything with a tag, a digest, or a star that is not `*.` before a
 * host. A port after a star would cover nothing.
 */
export function parseScope(text: string): Scope | undefined {
  const slash = text.indexOf('/');
  const host = canonicalHost(slash < 0 ? text : text.slice(0, slash));
  const path = slash < 0 ? undefined : text.slice(slash + 1);
  if (STARRED_HOST.test(host)) return path === undefined ? (host as Scope) : undefined;
  if (!HOST.test(host) || (!/[.:]/.test(host) && host !== 'localhost')) return undefined;
  if (path !== undefined && !PATH.test(path)) return undefined;
  return (path === undefined ? host : `${host}/${path}`) as Scope;
}

/** The value of the longest scope that covers a repository; undefined where none does. */
export function findScope<T>(
  scopes: ReadonlyMap<Scope, T>,
  { domain, path }: Repository,
): { readonly scope: Scope; readonly value: T } | undefined {
  for (const scope of scopesOf(canonicalHost(domain), path)) {
    const value = scopes.get(scope);
    if (value !== undefined) return { scope, value };
  }
  return undefined;
}

/** From the repository itself over its parents and its host to `*.` and the parents of the host. */
function* scopesOf(host: string, path: string): Generator<Scope> {
  const words = path.split('/');
  for (let length = words.length; length > 0; length -= 1) {
    yield `${host}/${words.slice(0, length).join('/')}` as Scope;
    // An official image has a short name, too: docker.io/debian.
    if (host === HUB && words[0] === 'library' && length === 2) yield `${HUB}/${words[1]}` as Scope;
  }
  yield host as Scope;
  // As containers/image: a port is no part of what a star covers.
  const labels = host.replace(/:\d+$/, '').split('.');
  for (let from = 1; from < labels.length; from += 1) {
    yield `*.${labels.slice(from).join('.')}` as Scope;
  }
}
