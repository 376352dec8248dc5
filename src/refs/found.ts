/**
 * How sure a reference is: `exact` from a place that the format types as an image, `structured`
 * from keys that say so, `guess` from text that reads like one.
 */
export type Level = 'exact' | 'structured' | 'guess';

export type ReferenceKind = 'artifact' | 'chart' | 'image';

/** Part of a file's text, in UTF-16 units from 0; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The text whose bytes a rewrite replaces. Parts that the file does not spell are absent. */
export interface EditableParts {
  /** `HOST[:PORT]`, where the file keeps it under a key of its own. */
  readonly registry?: Span | undefined;
  /** The repository, with its registry unless `registry` is set. */
  readonly name: Span;
  readonly tag?: Span | undefined;
  /** `sha256:…` without the "@". */
  readonly digest?: Span | undefined;
  /** Position behind the reference, where `@sha256:…` fits; absent where keys are split. */
  readonly end?: number | undefined;
}

/** Why the bytes of the reference alone cannot be replaced. */
export interface FixedText {
  readonly fixed: string;
}

export const FOLDED: FixedText = { fixed: 'the text is folded or escaped' };

/** A reference in a file, before its position becomes a line and a column. */
export interface Finding {
  /** Position of the reference's first character. */
  readonly at: number;
  readonly level: Level;
  readonly kind: ReferenceKind;
  readonly reference: string;
  /** The place that makes it a reference, such as `image of a container`. */
  readonly why: string;
  readonly edit: EditableParts | FixedText;
  /** True if an alias repeats the text here. */
  readonly isAlias?: boolean | undefined;
}

/** A place that names an image through variables without a value. */
export interface Unresolved {
  readonly at: number;
  readonly text: string;
  readonly variables: readonly string[];
}

/** A fact about the file that its author should know. */
export interface Remark {
  readonly at: number;
  readonly message: string;
}

/** A name by which a kustomization selects images of other files. It is no reference of its own. */
export interface Selector {
  readonly name: string;
  readonly span: Span;
}

/** Collects what the readers of one file find. */
export interface Findings {
  readonly selectors: Selector[];
  /** The files and folders that a kustomization builds on, relative to its folder. */
  readonly bases: string[];
  readonly found: Finding[];
  readonly unresolved: Unresolved[];
  readonly remarks: Remark[];
}

export function noFindings(): Findings {
  return { found: [], selectors: [], bases: [], unresolved: [], remarks: [] };
}

/** The parts of a reference that a file spells in one piece from `start` on. */
export function partsOf(reference: string, start: number): EditableParts {
  const digestAt = reference.indexOf('@');
  const named = digestAt < 0 ? reference : reference.slice(0, digestAt);
  const tagAt = named.indexOf(':', named.lastIndexOf('/') + 1);
  return {
    name: { start, end: start + (tagAt < 0 ? named.length : tagAt) },
    ...(tagAt >= 0 && { tag: { start: start + tagAt + 1, end: start + named.length } }),
    ...(digestAt >= 0 && {
      digest: { start: start + digestAt + 1, end: start + reference.length },
    }),
    end: start + reference.length,
  };
}
