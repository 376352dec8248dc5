import { HeaderReader } from '../http/header-reader.ts';

export interface Link {
  /** The text between < and >, as sent. */
  readonly target: string;
  /** Relation types, lower case. */
  readonly relations: readonly string[];
}

export type NextPage =
  | { readonly kind: 'next'; readonly url: URL }
  | { readonly kind: 'end' }
  /** The listing cannot continue; `problem` says why. */
  | { readonly kind: 'broken'; readonly problem: string };

/**
 * Parses a `Link` header; undefined when it is malformed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8288#appendix-B.2
 */
export function parseLinkHeader(text: string): readonly Link[] | undefined {
  const links: Link[] = [];
  const reader = new HeaderReader(text);
  for (;;) {
    reader.read(/[ \t,]*/y);
    if (reader.isAt(/$/y)) return links;
    const target = reader.read(/<[^>]*>/y);
    const relations = target === '' ? undefined : readRelations(reader);
    if (relations === undefined) return undefined;
    links.push({ target: target.slice(1, -1), relations });
  }
}

/**
 * Finds the next page: the current URL with the query of the link to it.
 *
 * Scheme, host and path stay, because every known server keeps the path. Broken ones lose a prefix
 * (Artifactory), name an internal host (Nexus) or plain http (behind a proxy). It also keeps
 * credentials at their origin.
 *
 * @param link the `Link` header, if any.
 */
export function nextPage(current: URL, link: string | undefined): NextPage {
  const links = parseLinkHeader(link ?? '');
  if (links === undefined) return { kind: 'broken', problem: 'its Link header is malformed' };
  // Without rel it can only mean the next page, as crane, oras and skopeo read it.
  const next =
    links.find(({ relations }) => relations.includes('next')) ??
    links.find(({ relations }) => relations.length === 0);
  if (next === undefined) return { kind: 'end' };
  if (!URL.canParse(next.target, current.href))
    return { kind: 'broken', problem: 'its Link header names no URL' };
  const { search } = new URL(next.target, current);
  if (search === '')
    return { kind: 'broken', problem: 'its Link header leads back to the first page' };
  const url = new URL(current);
  url.search = search;
  if (url.href === current.href)
    return { kind: 'broken', problem: 'its Link header leads to the same page again' };
  return { kind: 'next', url };
}

function readRelations(reader: HeaderReader): readonly string[] | undefined {
  let relations: readonly string[] | undefined;
  while (reader.read(/[ \t]*;[ \t]*/y) !== '') {
    const name = reader.read(/[!#$%&'*+.^_`|~0-9A-Za-z-]+/y).toLowerCase();
    // Wider than a token: servers send other values without quotes.
    const value = reader.read(/[ \t]*=[ \t]*/y) === '' ? '' : reader.readValue(/[^\s;,"]*/y);
    if (value === undefined) return undefined;
    // Further rel parameters are ignored (RFC 8288 §3.3).
    if (name === 'rel') relations ??= value.toLowerCase().split(/\s+/);
  }
  return reader.isAt(/[ \t]*(?:,|$)/y) ? (relations ?? []) : undefined;
}
