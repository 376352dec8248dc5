import type { Digest } from '../oci/digest.ts';
import {
  formatReference,
  parseReference,
  type Reference,
  type Repository,
} from '../oci/reference.ts';
import type { EditableParts, Finding, Findings, Span } from './found.ts';

export interface RewriteOptions {
  /** The repository that takes a reference's place; undefined where it stays. */
  readonly rename: (reference: Reference) => Repository | undefined;
  /** The digest to pin a reference to, if any. */
  readonly digestOf?: ((reference: Reference) => Digest | undefined) | undefined;
  /** Whether findings that are guesses are rewritten too. */
  readonly guesses: boolean;
  /** New names of a kustomization's selectors, by their positions. */
  readonly selectors?: ReadonlyMap<number, string> | undefined;
}

export interface Rewritten {
  readonly text: string;
  readonly changes: readonly Change[];
  readonly kept: readonly Kept[];
}

export interface Change {
  readonly finding: Finding;
  readonly to: string;
  /** The new repository as the file spells it; undefined where it stays. */
  readonly name: string | undefined;
}

/** A reference that should have changed and did not. */
export interface Kept {
  readonly finding: Finding;
  readonly reason: string;
}

interface Replacement extends Span {
  readonly text: string;
}

/** Replaces the bytes of references in a text, and no others. No tag is added. */
export function rewriteText(
  text: string,
  findings: Findings,
  { rename, digestOf, guesses, selectors }: RewriteOptions,
): Rewritten {
  const changes: Change[] = [];
  const kept: Kept[] = [];
  const replacements: Replacement[] = [];
  for (const { span } of findings.selectors) {
    const moved = selectors?.get(span.start);
    if (moved !== undefined) replacements.push({ ...span, text: moved });
  }
  for (const finding of findings.found) {
    const reference = parseReference(finding.reference);
    const repository = rename(reference);
    const digest = digestOf?.(reference);
    const isPinned = digest === undefined || digest === reference.digest;
    if (repository === undefined && isPinned) continue;
    if (finding.level === 'guess' && !guesses) {
      kept.push({ finding, reason: 'it is a guess: --guesses rewrites it' });
    } else if (selectors?.has(finding.at) === true && isPinned) {
      const to = formatReference({ ...reference, ...repository });
      changes.push({ finding, to, name: undefined });
    } else if ('fixed' in finding.edit) kept.push({ finding, reason: finding.edit.fixed });
    else {
      if (repository !== undefined) replacements.push(...renamed(text, finding.edit, repository));
      const pinned = isPinned ? [] : pin(text, finding.edit, digest);
      if (pinned === undefined) {
        kept.push({ finding, reason: 'there is no digest key, and a tag key takes no digest' });
      } else replacements.push(...pinned);
      if (repository === undefined && pinned === undefined) continue;
      const to = { ...reference, ...repository, ...(pinned?.length === 1 && { digest }) };
      const name = repository && `${repository.domain}/${repository.path}`;
      changes.push({ finding, to: formatReference(to), name });
    }
  }
  return { text: replaced(text, replacements), changes, kept };
}

function renamed(
  text: string,
  { registry, name }: EditableParts,
  { domain, path }: Repository,
): readonly Replacement[] {
  const wanted =
    registry === undefined
      ? [{ ...name, text: `${domain}/${path}` }]
      : [
          { ...registry, text: domain },
          { ...name, text: path },
        ];
  return wanted.filter(
    (replacement) => text.slice(replacement.start, replacement.end) !== replacement.text,
  );
}

function pin(
  text: string,
  { digest: span, end }: EditableParts,
  digest: Digest,
): readonly Replacement[] | undefined {
  if (span !== undefined) {
    // Some charts keep the hexadecimal part alone.
    const isBare = /^[0-9a-f]{64}$/.test(text.slice(span.start, span.end));
    return [{ ...span, text: isBare ? digest.replace(/^sha256:/, '') : digest }];
  }
  return end === undefined ? undefined : [{ start: end, end, text: `@${digest}` }];
}

function replaced(text: string, replacements: readonly Replacement[]): string {
  let result = '';
  let at = 0;
  for (const replacement of replacements.toSorted((one, other) => one.start - other.start)) {
    // Two findings of one place, such as an alias, change it once.
    if (replacement.start < at) continue;
    result += text.slice(at, replacement.start) + replacement.text;
    at = replacement.end;
  }
  return result + text.slice(at);
}
