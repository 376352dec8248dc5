import { partsOf, type Findings } from './found.ts';
import { remarkOnName } from './image-keys.ts';
import { isReference } from './reference-text.ts';
import { literalName } from './scalar-with-variables.ts';
import { expandVariables, type Expanded } from './variables.ts';

/** One instruction with its continuation lines joined. */
interface Instruction {
  readonly keyword: string;
  readonly text: string;
  /** Position in the file of each character of `text`. */
  readonly positions: readonly number[];
}

/**
 * Finds base images, images that files are copied from, and the image of the `# syntax=` directive.
 *
 * @see https://docs.docker.com/reference/dockerfile/
 */
export function findInDockerfile(findings: Findings, text: string): void {
  addSyntax(findings, text);
  const stages = new Set<string>();
  const globals = new Map<string, BuildArgument>();
  let isBeforeStages = true;
  for (const instruction of instructionsOf(text)) {
    if (instruction.keyword === 'ARG' && isBeforeStages) addArguments(globals, instruction);
    else if (instruction.keyword === 'FROM') {
      isBeforeStages = false;
      const words = wordsOf(instruction).filter(({ word }) => !word.startsWith('--'));
      const [image, as, name] = words;
      if (image !== undefined) addBase(findings, image, instruction, globals, stages);
      if (as?.word.toLowerCase() === 'as' && name !== undefined)
        stages.add(name.word.toLowerCase());
    } else if (/^(?:COPY|ADD|RUN|ONBUILD)$/.test(instruction.keyword)) {
      addSources(findings, instruction, stages);
    }
  }
}

/** The default of a global `ARG`, with earlier ones put in. */
interface BuildArgument extends Expanded {
  readonly typed: string;
  readonly start: number;
}

interface Word {
  readonly word: string;
  /** Offset in the instruction's text. */
  readonly at: number;
}

function wordsOf({ text }: Instruction): readonly Word[] {
  return [...text.matchAll(/\S+/g)].map(({ 0: word, index }) => ({ word, at: index }));
}

/** The directive counts only on the first lines, before any instruction or other comment. */
function addSyntax(findings: Findings, text: string): void {
  for (const { 0: line, index } of text.matchAll(/^.*$/gm)) {
    const directive = /^(?<before>\uFEFF?\s*#\s*(?<name>\w+)\s*=\s*)(?<value>\S+)/.exec(
      line,
    )?.groups;
    if (directive === undefined) return;
    const reference = directive['value'] ?? '';
    if (directive['name']?.toLowerCase() !== 'syntax' || !isReference(reference)) continue;
    const start = index + (directive['before']?.length ?? 0);
    findings.found.push({
      at: start,
      level: 'exact',
      kind: 'image',
      reference,
      why: 'syntax directive',
      edit: partsOf(reference, start),
    });
  }
}

function addArguments(globals: Map<string, BuildArgument>, instruction: Instruction): void {
  for (const { word, at } of wordsOf(instruction)) {
    const [name = '', ...rest] = word.split('=');
    if (rest.length === 0) continue;
    const raw = rest.join('=');
    const typed = raw.replace(/^(["'])(.*)\1$/, '$2');
    const offset = at + name.length + 1 + (typed === raw ? 0 : 1);
    const expanded = expandVariables(typed, (earlier) => globals.get(earlier)?.text);
    globals.set(name, { ...expanded, typed, start: instruction.positions[offset] ?? 0 });
  }
}

function addBase(
  findings: Findings,
  { word: typed, at }: Word,
  instruction: Instruction,
  globals: ReadonlyMap<string, BuildArgument>,
  stages: ReadonlySet<string>,
): void {
  const word = typed.replace(/^(["'])(.*)\1$/, '$2');
  const start = instruction.positions[at + (word === typed ? 0 : 1)] ?? 0;
  const missingInDefaults: string[] = [];
  const { text, missing, hasVariables } = expandVariables(word, (name) => {
    const global = globals.get(name);
    missingInDefaults.push(...(global?.missing ?? []));
    return global?.text;
  });
  const variables = [...missing, ...missingInDefaults];
  if (variables.length > 0) {
    findings.unresolved.push({ at: start, text: word, variables });
    return;
  }
  if (text === 'scratch' || stages.has(text.toLowerCase())) return;
  if (!isReference(text)) {
    remarkOnName(findings, start, text);
    return;
  }
  const only = /^\$\{?(?<name>\w+)\}?$/.exec(word)?.groups?.['name'];
  const whole = only === undefined ? undefined : globals.get(only);
  if (whole !== undefined && findings.found.some(({ at: other }) => other === whole.start)) return;
  findings.found.push({
    at: whole?.start ?? start,
    level: 'exact',
    kind: 'image',
    reference: text,
    why: whole === undefined ? 'FROM' : `default of ARG ${only ?? ''}`,
    edit:
      whole !== undefined
        ? whole.hasVariables
          ? literalName(whole.typed, whole.start)
          : partsOf(text, whole.start)
        : hasVariables
          ? literalName(word, start)
          : partsOf(text, start),
  });
}

/**
 * `COPY --from=IMAGE` and `RUN --mount=type=bind,from=IMAGE`; the names and numbers of stages are
 * none.
 */
function addSources(
  findings: Findings,
  instruction: Instruction,
  stages: ReadonlySet<string>,
): void {
  for (const { word, at } of wordsOf(instruction)) {
    const match = /^--(?:from=|mount=(?:\S*?,)?from=)(?<image>[^,\s]+)/.exec(word);
    const reference = match?.groups?.['image'];
    if (match === null || reference === undefined) continue;
    const offset = at + match[0].length - reference.length;
    const start = instruction.positions[offset] ?? 0;
    if (/^\d+$/.test(reference) || stages.has(reference.toLowerCase())) continue;
    if (reference.includes('$')) {
      const { missing } = expandVariables(reference, () => undefined);
      findings.unresolved.push({ at: start, text: reference, variables: missing });
    } else if (reference !== 'scratch' && isReference(reference)) {
      findings.found.push({
        at: start,
        level: 'exact',
        kind: 'image',
        reference,
        why: `from of ${instruction.keyword}`,
        edit: partsOf(reference, start),
      });
    }
  }
}

function* instructionsOf(text: string): Generator<Instruction> {
  // Directives are on the first lines; further down the same line is a comment.
  const escape =
    /^(?:\uFEFF?[ \t]*#[ \t]*\w+[ \t]*=.*\n)*?\uFEFF?[ \t]*#[ \t]*escape[ \t]*=[ \t]*(?<escape>[\\`])/i.exec(
      text,
    )?.groups?.['escape'] ?? '\\';
  const lines = [...text.matchAll(/.*(?:\n|$)/g)].filter(({ 0: line }) => line !== '');
  for (let index = 0; index < lines.length; index += 1) {
    let joined = '';
    const positions: number[] = [];
    for (; index < lines.length; index += 1) {
      const { 0: line, index: at } = lines[index] ?? { 0: '', index: 0 };
      const body = line.replace(/\r?\n$/, '').replace(/^\uFEFF/, (mark) => ' '.repeat(mark.length));
      // Comments and empty lines between continuation lines are passed over.
      if (/^\s*(?:#|$)/.test(body)) {
        if (joined === '') break;
        continue;
      }
      const trimmed = body.trimEnd();
      const continues = trimmed.endsWith(escape);
      const part = continues ? trimmed.slice(0, -1) : body;
      for (let offset = 0; offset < part.length; offset += 1) positions.push(at + offset);
      joined += part;
      if (!continues) break;
    }
    const match = /^\s*(?<keyword>[A-Za-z]+)\s+/.exec(joined);
    if (match === null) continue;
    const keyword = (match.groups?.['keyword'] ?? '').toUpperCase();
    yield {
      keyword,
      text: joined.slice(match[0].length),
      positions: positions.slice(match[0].length),
    };
    if (/^(?:RUN|COPY|ADD)$/.test(keyword)) index = behindHeredocs(lines, index, joined);
  }
}

/** Passes over the bodies of heredocs: `<<EOF`, `<<-EOF`, `<<"EOF"`. */
function behindHeredocs(
  lines: readonly RegExpMatchArray[],
  index: number,
  instruction: string,
): number {
  let at = index;
  for (const { groups } of instruction.matchAll(/<<-?(["']?)(?<word>[A-Za-z_]\w*)\1/g)) {
    const word = groups?.['word'] ?? '';
    do at += 1;
    while (at < lines.length && lines[at]?.[0].trim() !== word);
  }
  return at;
}
