import { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/**
 * A value of a YAML or JSON document, with its position in the text. Aliases and merges are
 * resolved.
 */
export type YamlNode = YamlList | YamlMap | YamlScalar;

export interface YamlMap {
  readonly kind: 'map';
  readonly entries: readonly YamlEntry[];
}

export interface YamlEntry {
  readonly key: string;
  readonly value: YamlNode;
}

export interface YamlList {
  readonly kind: 'list';
  readonly items: readonly YamlNode[];
}

export interface YamlScalar {
  readonly kind: 'scalar';
  readonly value: unknown;
  /** The value as a template renders it: `1.10` is `1.1`. Empty for null. */
  readonly text: string;
  /** The characters typed, without quotes. */
  readonly typed: string;
  /** Position of the first character of the content, behind a quote or a block's header. */
  readonly start: number;
  /** Whether the file spells `text` at `start`, without escapes and folds. */
  readonly isVerbatim: boolean;
  /** True if an alias led here, so that the text stands somewhere else. */
  readonly isAlias?: boolean | undefined;
  /** Finds the position in the file of an offset in `text`; undefined where lines are folded. */
  readonly positionOf: (offset: number) => number | undefined;
}

export interface YamlProblem {
  readonly at: number;
  readonly message: string;
}

/** A scalar with an anchor. */
export interface Anchored {
  /** How many aliases repeat it. */
  readonly aliases: number;
  /** True if it stands below a top-level key that compose and GitLab ignore: `x-…`, `.…`. */
  readonly isTemplate: boolean;
}

export interface ParsedYaml {
  readonly documents: readonly YamlNode[];
  /** By the position of the scalar. */
  readonly anchored: ReadonlyMap<number, Anchored>;
  readonly problem?: YamlProblem | undefined;
}

/**
 * Parses every document of a text. JSON is YAML too.
 *
 * @throws {RegiError} LIMIT_EXCEEDED when aliases expand to more than `LIMITS.yamlNodes` values.
 */
export async function parseYaml(text: string): Promise<ParsedYaml> {
  const yaml = await import('../yaml.ts');
  const documents: YamlNode[] = [];
  const parsed = yaml.parseAllDocuments(text, {
    keepSourceTokens: false,
    prettyErrors: false,
    strict: false,
    uniqueKeys: false,
    version: '1.2',
  });
  const anchored = new Map<number, Anchored>();
  if (!Array.isArray(parsed)) return { documents, anchored };
  /** Values inside aliases. The size of the text bounds the others. */
  let copied = 0;
  for (const document of parsed) {
    const error = document.errors[0];
    if (error !== undefined) {
      return {
        documents,
        anchored,
        problem: { at: error.pos[0], message: firstLine(error.message) },
      };
    }
    const anchors = new Map<string, unknown>();
    let isTemplate = false;
    let aliasDepth = 0;
    const convert = (node: unknown, depth: number): YamlNode => {
      if (aliasDepth > 0) copied += 1;
      if (copied > LIMITS.yamlNodes || depth > LIMITS.yamlDepth) throw tooLarge();
      if (yaml.isAlias(node)) {
        aliasDepth += 1;
        const target = convert(anchors.get(node.source), depth + 1);
        aliasDepth -= 1;
        if (target.kind !== 'scalar') return target;
        const { aliases = 0, ...known } = anchored.get(target.start) ?? { isTemplate };
        anchored.set(target.start, { ...known, aliases: aliases + 1 });
        return { ...target, isAlias: true };
      }
      if (yaml.isNode(node) && node.anchor !== undefined) anchors.set(node.anchor, node);
      if (yaml.isMap(node)) {
        const entries: YamlEntry[] = [];
        const merged: YamlNode[] = [];
        for (const pair of node.items) {
          const key = yaml.isScalar(pair.key) ? String(pair.key.value) : '';
          if (depth === 0) isTemplate = /^(?:x-|\.)/.test(key);
          const value = convert(pair.value, depth + 1);
          if (key === '<<') merged.push(value);
          else entries.push({ key, value });
        }
        return { kind: 'map', entries: [...entries, ...mergedEntries(merged, entries)] };
      }
      if (yaml.isSeq(node)) {
        return { kind: 'list', items: node.items.map((item) => convert(item, depth + 1)) };
      }
      if (!yaml.isScalar(node)) return EMPTY;
      const scalar = scalarOf(text, node);
      if (node.anchor !== undefined && !anchored.has(scalar.start)) {
        anchored.set(scalar.start, { aliases: 0, isTemplate });
      }
      return scalar;
    };
    if (document.contents !== null) documents.push(convert(document.contents, 0));
  }
  return { documents, anchored };
}

/** The value of a key; undefined where the node is no map or lacks it. */
export function child(
  node: YamlNode | undefined,
  ...path: readonly string[]
): YamlNode | undefined {
  let at = node;
  for (const key of path) {
    if (at?.kind !== 'map') return undefined;
    at = at.entries.find((entry) => entry.key === key)?.value;
  }
  return at;
}

/** The items of a list; none where the node is something else. */
export function itemsOf(node: YamlNode | undefined): readonly YamlNode[] {
  return node?.kind === 'list' ? node.items : [];
}

/** The entries of a map; none where the node is something else. */
export function entriesOf(node: YamlNode | undefined): readonly YamlEntry[] {
  return node?.kind === 'map' ? node.entries : [];
}

/** The scalar, if it is one with text. */
export function textAt(node: YamlNode | undefined): YamlScalar | undefined {
  return node?.kind === 'scalar' && node.text !== '' ? node : undefined;
}

const EMPTY: YamlScalar = {
  kind: 'scalar',
  value: null,
  text: '',
  typed: '',
  start: 0,
  isVerbatim: false,
  positionOf: () => undefined,
};

interface LibraryScalar {
  readonly value: unknown;
  readonly source?: string;
  readonly type?: string;
  readonly range?: readonly [start: number, valueEnd: number, end: number] | null | undefined;
}

function scalarOf(text: string, node: LibraryScalar): YamlScalar {
  if (node.range === undefined || node.range === null) return EMPTY;
  const isBlock = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
  const isQuoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
  const value = typeof node.value === 'string' ? node.value : renderedValue(node.value);
  const common = {
    kind: 'scalar' as const,
    value: node.value,
    typed: node.source ?? value,
  };
  if (isBlock) return { ...common, ...blockContent(text, node.range, value, node.type ?? '') };
  const start = node.range[0] + (isQuoted ? 1 : 0);
  const isVerbatim = text.startsWith(value, start);
  return {
    ...common,
    text: value,
    start,
    isVerbatim,
    positionOf: (offset) => (isVerbatim ? start + offset : undefined),
  };
}

/** The text that a template makes of a number or a boolean; empty for null. */
function renderedValue(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** A block's lines begin behind its header and their common indentation. */
function blockContent(
  text: string,
  [from, , to]: readonly [number, number, number],
  value: string,
  type: string,
): Pick<YamlScalar, 'isVerbatim' | 'positionOf' | 'start' | 'text'> {
  const raw = text.slice(from, to);
  const headerEnd = raw.indexOf('\n') + 1;
  const first = /^[ \t\r\n]*/.exec(raw.slice(headerEnd))?.[0].length ?? 0;
  const start = from + headerEnd + first;
  const oneLine = value.trim();
  if (!oneLine.includes('\n')) {
    const isVerbatim = text.startsWith(oneLine, start);
    return {
      text: oneLine,
      start,
      isVerbatim,
      positionOf: (offset) => (isVerbatim ? start + offset : undefined),
    };
  }
  const indent = start - (text.lastIndexOf('\n', start - 1) + 1);
  const lineStarts = [...raw.slice(headerEnd).matchAll(/^/gm)].map(
    ({ index }) => from + headerEnd + index,
  );
  const isLiteral = type === 'BLOCK_LITERAL';
  return {
    text: value,
    start,
    isVerbatim: false,
    positionOf: (offset) => {
      if (!isLiteral) return undefined;
      const before = value.slice(0, offset);
      const lineStart = lineStarts[before.split('\n').length - 1];
      const column = offset - (before.lastIndexOf('\n') + 1);
      return lineStart === undefined ? undefined : lineStart + indent + column;
    },
  };
}

function mergedEntries(
  merged: readonly YamlNode[],
  own: readonly YamlEntry[],
): readonly YamlEntry[] {
  const maps = merged.flatMap((node) => (node.kind === 'list' ? node.items : [node]));
  const seen = new Set(own.map(({ key }) => key));
  const result: YamlEntry[] = [];
  for (const entry of maps.flatMap(entriesOf)) {
    if (seen.has(entry.key)) continue;
    seen.add(entry.key);
    result.push(entry);
  }
  return result;
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]?.replace(/:$/, '') ?? '';
}

function tooLarge(): RegiError {
  return new RegiError(
    'LIMIT_EXCEEDED',
    `Cannot read the YAML: its aliases expand to more than ${LIMITS.yamlNodes} values`,
    { hint: 'leave the file out, or render it with fewer anchors' },
  );
}
