import { jsonText } from '../format.ts';
import { quote } from '../quote.ts';
import { UsageError } from '../errors.ts';

/** A template that does not parse, or that names an unknown field. */
class TemplateError extends UsageError {
  constructor(
    problem: string,
    hint = 'write {{.Name}}, {{index .Map "key"}}, {{json .}}, {{join .List ","}}, {{len .List}} or {{range .List}}…{{end}}',
  ) {
    super(`Cannot use the template: ${problem}`, { hint });
  }
}

/** Formats a value as text. */
export type Template = (value: object) => string;

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly words: readonly string[] }
  | { readonly kind: 'range'; readonly over: readonly string[]; readonly body: readonly Node[] };

const WORD = /"(?:[^"\\]|\\.)*"|[^\s"]+/gy;

/**
 * Parses the part of Go's template language that people use to inspect images. Field names are
 * those of the `--json` object, in any case.
 *
 * @throws {TemplateError} on any other syntax.
 * @see https://pkg.go.dev/text/template@go1.22.0
 */
export function parseTemplate(text: string): Template {
  // Like docker and skopeo: a shell passes these escapes on unchanged.
  const pieces = text
    .replaceAll(String.raw`\n`, '\n')
    .replaceAll(String.raw`\t`, '\t')
    .split(/(\{\{.*?\}\})/s);
  const { nodes, rest } = parseNodes(pieces, false);
  if (rest.length > 0) throw new TemplateError('{{end}} without {{range}}');
  return (root) => render(nodes, { value: root, root });
}

function parseNodes(
  pieces: readonly string[],
  inRange: boolean,
): { nodes: readonly Node[]; rest: readonly string[] } {
  const nodes: Node[] = [];
  let rest = pieces;
  while (rest.length > 0) {
    const [piece = '', ...more] = rest;
    rest = more;
    if (!piece.startsWith('{{') || !piece.endsWith('}}')) {
      if (piece.includes('{{')) throw new TemplateError('expected "}}" after "{{"');
      if (piece !== '') nodes.push({ kind: 'text', text: piece });
      continue;
    }
    const words = wordsOf(piece.slice(2, -2));
    if (words[0] === 'end') return inRange ? { nodes, rest } : { nodes, rest: [piece] };
    if (words[0] !== 'range') {
      nodes.push({ kind: 'action', words });
      continue;
    }
    const inner = parseNodes(rest, true);
    nodes.push({ kind: 'range', over: words.slice(1), body: inner.nodes });
    rest = inner.rest;
  }
  if (inRange) throw new TemplateError('{{range}} without {{end}}');
  return { nodes, rest };
}

/** Splits an action into words. A value that is piped into a function becomes its last argument. */
function wordsOf(action: string): readonly string[] {
  const trimmed = action.trim();
  const words: string[] = [];
  for (WORD.lastIndex = 0; WORD.lastIndex < trimmed.length;) {
    const word = WORD.exec(trimmed)?.[0];
    if (word === undefined) throw new TemplateError(`cannot read ${quote(trimmed)}`);
    words.push(word);
    while (/\s/.test(trimmed[WORD.lastIndex] ?? '')) WORD.lastIndex += 1;
  }
  const pipe = words.indexOf('|');
  const piped = pipe < 0 ? words : [...words.slice(pipe + 1), ...words.slice(0, pipe)];
  if (piped.length === 0) throw new TemplateError('expected something between "{{" and "}}"');
  if (/[()$|]|:=/.test(piped.filter((word) => !word.startsWith('"')).join(' ')))
    throw new TemplateError(`cannot read ${quote(trimmed)}`);
  return piped;
}

/** The value of ".", and its value outside every range. */
interface Scope {
  readonly value: unknown;
  readonly root: object;
}

function render(nodes: readonly Node[], scope: Scope): string {
  return nodes.map((node) => renderNode(node, scope)).join('');
}

function renderNode(node: Node, scope: Scope): string {
  if (node.kind === 'text') return node.text;
  if (node.kind === 'action') return formatValue(evaluate(node.words, scope));
  const over = evaluate(node.over, scope);
  const items: readonly unknown[] = Array.isArray(over)
    ? over
    : isMap(over)
      ? Object.values(over)
      : [];
  return items.map((value) => render(node.body, { ...scope, value })).join('');
}

function evaluate([first = '', ...rest]: readonly string[], scope: Scope): unknown {
  switch (first) {
    case 'json':
      return jsonText(operand(rest[0], scope) ?? null);
    case 'len':
      return lengthOf(operand(rest[0], scope));
    case 'join':
      return joined(operand(rest[0], scope), operand(rest[1], scope));
    case 'index':
      return rest
        .slice(1)
        .reduce(
          (found: unknown, word) => member(found, operand(word, scope)) ?? '',
          operand(rest[0], scope),
        );
    case 'println':
      return `${formatValue(operand(rest[0], scope))}\n`;
    default:
      if (rest.length > 0 || !/^[."\d]/.test(first))
        throw new TemplateError(`there is no function ${quote(first)}`);
      return operand(first, scope);
  }
}

function operand(word: string | undefined, { value, root }: Scope): unknown {
  if (word === undefined) throw new TemplateError('expected a field after the function');
  if (word.startsWith('"')) return textIn(word);
  if (/^\d{1,9}$/.test(word)) return Number(word);
  if (word === '.') return value;
  if (!word.startsWith('.'))
    throw new TemplateError(`expected a field such as ".Name", found ${quote(word)}`);
  const [first = '', ...names] = word.slice(1).split('.');
  if (value === root && keyOf(root, first) === undefined) {
    throw new TemplateError(
      `there is no field ${quote(first)}`,
      `the fields are ${Object.keys(root).join(', ')}`,
    );
  }
  return names.reduce(
    (found: unknown, name, at) => field(found, name, [first, ...names.slice(0, at)].join('.')),
    field(value, first, ''),
  );
}

/** @param path of `from`, for the message. */
function field(from: unknown, name: string, path: string): unknown {
  if (!isMap(from))
    throw new TemplateError(`".${path}" is ${kindOf(from)} and has no field ${quote(name)}`);
  const key = keyOf(from, name);
  return key === undefined ? undefined : from[key];
}

/** Names the kind of a value without fields. */
function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'not set';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

/**
 * Finds the exact key, as for labels, else the key in any case: names of Go begin with a capital.
 */
function keyOf(from: object, name: string): string | undefined {
  return Object.hasOwn(from, name)
    ? name
    : Object.keys(from).find((key) => key.toLowerCase() === name.toLowerCase());
}

function member(from: unknown, key: unknown): unknown {
  if (Array.isArray(from) && typeof key === 'number') return from[key];
  return isMap(from) && typeof key === 'string' && Object.hasOwn(from, key) ? from[key] : undefined;
}

function joined(list: unknown, separator: unknown): string {
  if (!Array.isArray(list) || typeof separator !== 'string')
    throw new TemplateError('join takes a list and a string');
  return list.map((item) => formatValue(item)).join(separator);
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  return isMap(value) ? Object.keys(value).length : 0;
}

/** Formats a value as Go does: `[a b]`, `map[a:1 b:2]`. */
function formatValue(value: unknown): string {
  if (value === undefined || value === null) return '<no value>';
  if (Array.isArray(value)) return `[${value.map((item) => formatValue(item)).join(' ')}]`;
  if (!isMap(value)) return typeof value === 'string' ? value : JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([key, item]) => `${key}:${formatValue(item)}`).join(' ')}]`;
}

function textIn(word: string): string {
  try {
    return String(JSON.parse(word));
  } catch {
    throw new TemplateError(`cannot read ${quote(word)}`);
  }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
