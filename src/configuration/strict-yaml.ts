import type * as z from 'zod/mini';

import { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { quote } from '../quote.ts';
import type * as Yaml from '../yaml.ts';

/** Keys and indexes from the top of a file to a value. */
export type YamlPath = readonly (number | string)[];

/** A file that people write: its value, and the way back from a value to its line. */
export interface StrictYaml<T> {
  readonly value: T;
  /**
   * Makes the error of a mistake at a value: `mirror.yaml:12:9: …`, with the hint.
   * A path that the file lacks is reported at the nearest value above it.
   */
  readonly mistake: (path: YamlPath, message: string, hint?: string) => RegiError;
  /** The characters typed for a scalar; undefined for any other value. */
  readonly typed: (path: YamlPath) => string | undefined;
}

export interface StrictYamlOptions<T> {
  /** The file's name in messages. */
  readonly name: string;
  /** A schema of strict objects: unknown keys are mistakes. */
  readonly schema: z.ZodMiniType<T>;
  /** Keys at the top of the file that begin so are the author's own, for anchors. */
  readonly ownKeys?: string | undefined;
  readonly hint: string;
}

/**
 * Parses one YAML document strictly: the core schema with merge keys, no duplicate or unknown keys,
 * no second document. Nothing is coerced: a number where text is expected is a mistake.
 *
 * @throws {RegiError} INVALID_CONFIG at `NAME:LINE:COLUMN`.
 */
export async function parseStrictYaml<T>(
  text: string,
  options: StrictYamlOptions<T>,
): Promise<StrictYaml<T>> {
  const yaml = await import('../yaml.ts');
  const { safeParse } = await import('zod/mini');
  const { name, schema, ownKeys, hint } = options;
  const fail = (offset: number, message: string, ownHint = hint): RegiError => {
    const { line, column } = lineAndColumn(text, offset);
    return new RegiError('INVALID_CONFIG', `${name}:${line}:${column}: ${message}`, {
      hint: ownHint,
      details: { line, column },
    });
  };
  const document = yaml.parseDocument(text, {
    merge: true,
    prettyErrors: false,
    schema: 'core',
    version: '1.2',
  });
  const [error] = document.errors;
  if (error !== undefined) throw fail(error.pos[0], syntaxProblem(error));
  const nodes = countNodes(document.contents, yaml);
  if (nodes > LIMITS.yamlNodes) {
    throw fail(0, `expected at most ${LIMITS.yamlNodes} values, found more after aliases`);
  }
  const positionOf = (path: YamlPath): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true);
      if (yaml.isNode(node) && node.range) return node.range[0];
    }
    return document.contents?.range?.[0] ?? 0;
  };
  const keyPosition = (path: YamlPath, key: string): number => {
    const map = path.length === 0 ? document.contents : document.getIn(path, true);
    const pair = yaml.isMap(map)
      ? map.items.find((item) => yaml.isScalar(item.key) && item.key.value === key)
      : undefined;
    return yaml.isScalar(pair?.key) && pair.key.range ? pair.key.range[0] : positionOf(path);
  };
  const typed = (path: YamlPath): string | undefined => {
    const node = document.getIn(path, true);
    return yaml.isScalar(node) ? (node.source ?? String(node.value)) : undefined;
  };
  const value = withoutOwnKeys(plainValue(document, fail), ownKeys);
  const parsed = safeParse(schema, value);
  if (!parsed.success) {
    const { path, problem, key } = complaintOf(parsed.error.issues, value, typed);
    throw fail(key === undefined ? positionOf(path) : keyPosition(path, key), problem);
  }
  return {
    value: parsed.data,
    mistake: (path, message, ownHint) => fail(positionOf(path), message, ownHint),
    typed,
  };
}

/** Expands aliases. The library throws for one whose anchor is missing. */
function plainValue(
  document: { readonly toJS: (options: { readonly maxAliasCount: number }) => unknown },
  fail: (offset: number, message: string) => RegiError,
): unknown {
  try {
    return document.toJS({ maxAliasCount: -1 });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw fail(0, 'expected an anchor before each alias, found an alias without one');
  }
}

interface LineAndColumn {
  readonly line: number;
  readonly column: number;
}

function lineAndColumn(text: string, offset: number): LineAndColumn {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

function syntaxProblem({
  code,
  message,
}: {
  readonly code: string;
  readonly message: string;
}): string {
  if (code === 'DUPLICATE_KEY') return 'expected each key once, found it twice in this map';
  if (code === 'MULTIPLE_DOCS') return 'expected one document, found a second one';
  return `expected YAML: ${message.split('\n', 1)[0] ?? ''}`;
}

/** Counts values with each alias expanded, without expanding it. */
function countNodes(root: unknown, yaml: typeof Yaml): number {
  const sizes = new Map<string, number>();
  const sizeOf = (node: unknown): number => {
    if (yaml.isAlias(node)) return sizes.get(node.source) ?? 1;
    const below = yaml.isMap(node)
      ? node.items.reduce((sum, { value }) => sum + 1 + sizeOf(value), 0)
      : yaml.isSeq(node)
        ? node.items.reduce((sum: number, item) => sum + sizeOf(item), 0)
        : 0;
    if (yaml.isNode(node) && !yaml.isAlias(node) && node.anchor !== undefined) {
      sizes.set(node.anchor, below + 1);
    }
    return below + 1;
  };
  return sizeOf(root);
}

function withoutOwnKeys(value: unknown, ownKeys: string | undefined): unknown {
  if (ownKeys === undefined || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith(ownKeys)));
}

interface Complaint {
  readonly path: YamlPath;
  readonly problem: string;
  /** The key that is the mistake, rather than its value. */
  readonly key?: string | undefined;
}

type Issue = z.core.$ZodIssue;

function complaintOf(
  issues: readonly Issue[],
  value: unknown,
  typed: (path: YamlPath) => string | undefined,
): Complaint {
  const issue = deepest(issues);
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  const [unknownKey] = issue.code === 'unrecognized_keys' ? issue.keys : [];
  if (unknownKey !== undefined) {
    return { path, key: unknownKey, problem: `unknown key ${quote(unknownKey)}${within(path)}` };
  }
  const found = valueAt(value, path);
  const last = path.at(-1);
  if (found === undefined && typeof last === 'string') {
    return {
      path: path.slice(0, -1),
      problem: `expected the key ${quote(last)}${within(path.slice(0, -1))}`,
    };
  }
  const text = typed(path);
  const isCoerced = typeof found === 'number' || typeof found === 'boolean';
  const wanted = wantedBy(issue);
  const fix = isCoerced && wanted.includes('text') && text !== undefined ? `; write '${text}'` : '';
  return {
    path,
    problem: `expected ${wanted}${within(path)}, found ${describe(found, text)}${fix}`,
  };
}

/** Of alternatives, the one that the author came closest to. */
function deepest(issues: readonly Issue[]): Issue {
  const all = issues.flatMap((issue): readonly Issue[] => {
    if (issue.code !== 'invalid_union') return [issue];
    const branches = issue.errors
      .filter((branch) => branch.length > 0)
      .map((branch) => deepest(branch))
      .filter(({ path }) => path.length > 0)
      .map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
    return branches.length > 0 ? branches : [issue];
  });
  return all.reduce((best, issue) => (issue.path.length > best.path.length ? issue : best));
}

function wantedBy(issue: Issue): string {
  if (issue.code === 'invalid_union') {
    const branches = issue.errors.flatMap((branch) => branch.slice(0, 1)).map(wantedBy);
    return [...new Set(branches)].join(' or ');
  }
  if (issue.code === 'invalid_type') return NAMES[issue.expected] ?? issue.expected;
  if (issue.code === 'invalid_value') return issue.values.map(String).join(' or ');
  if (issue.code === 'too_small') return `at least ${String(issue.minimum)}`;
  if (issue.code === 'too_big') return `at most ${String(issue.maximum)}`;
  return issue.message === 'Invalid input' ? 'another value' : issue.message;
}

const NAMES: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'a map',
  record: 'a map',
  string: 'text',
};

function describe(value: unknown, typed: string | undefined): string {
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return 'a list';
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'object') return 'a map';
  return `the ${typeof value === 'number' ? 'number' : 'word'} ${typed ?? JSON.stringify(value)}`;
}

function valueAt(value: unknown, path: YamlPath): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[key];
  }
  return at;
}

/** ` in images[0].tags`. */
function within(path: YamlPath): string {
  const text = path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at === 0 ? '' : '.'}${part}`))
    .join('');
  return text === '' ? '' : ` in ${text}`;
}
