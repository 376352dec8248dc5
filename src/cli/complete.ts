import type { CommandSpec, OptionSpec } from '../command.ts';
import { completeValue, type ValueQuestion } from '../commands/complete-value.ts';
import { assertNever } from '../errors.ts';
import type { Io } from '../io.ts';
import { printable } from '../redact.ts';
import { completionPoint, flagsOf, type CompletionPoint } from './completion-point.ts';
import { parseSettings } from './settings.ts';

/** What a word could become. */
export interface Candidate {
  /** The whole word. One that ends with "/", ":" or "=" goes on. */
  readonly value: string;
  /** What it means; empty where the value says it all. */
  readonly note: string;
}

/**
 * What the last of `words` could become, each candidate once. Whatever fails on the way, such as a registry that does not answer in
 * time, makes fewer candidates and no noise: somebody is typing.
 */
export async function complete(words: readonly string[], io: Io, commands: readonly CommandSpec[]): Promise<readonly Candidate[]> {
  const point = completionPoint(words, commands);
  const candidates = await candidatesAt(point, words, io, commands);
  const word = words.at(-1) ?? '';
  return [...new Map(candidates.filter(({ value }) => value.startsWith(word)).map((candidate) => [candidate.value, candidate])).values()];
}

/** The candidates as the scripts of the shells read them: a line each, the note behind a tab. */
export function candidateLines(candidates: readonly Candidate[]): string {
  return candidates.map(({ value, note }) => `${printable(value)}${note === '' ? '' : `\t${printable(note)}`}\n`).join('');
}

async function candidatesAt(point: CompletionPoint, words: readonly string[], io: Io, commands: readonly CommandSpec[]): Promise<readonly Candidate[]> {
  switch (point.kind) {
    case 'command':
      return commandWords(point.before, commands);
    case 'flag':
      return flagsOf(point.spec).flatMap(flagCandidates);
    case 'option': {
      const { option, lead, word } = point;
      const values = option.choices?.map((value) => ({ value, note: '' })) ?? (await valuesOf({ name: option.value ?? '', word, command: '' }, words, io));
      return values.map(({ value, note }) => ({ value: `${lead}${value}`, note }));
    }
    case 'argument': {
      const values = await valuesOf({ name: point.name, word: point.word, command: point.spec.name }, words, io);
      return point.before === undefined ? values : [...commandWords(point.before, commands), ...values];
    }
    case 'nothing':
      return [];
    default:
      return assertNever(point);
  }
}

/** The next words of all names that begin with those of `before`. */
function commandWords(before: readonly string[], commands: readonly CommandSpec[]): readonly Candidate[] {
  const named = commands.flatMap((spec) => [spec.name, ...(spec.aliases ?? [])].map((name) => ({ parts: name.split(' '), summary: spec.summary })));
  const matching = named.filter(({ parts }) => parts.length > before.length && before.every((part, at) => parts[at] === part));
  const words = new Map<string, { summary?: string; readonly next: Set<string> }>();
  for (const { parts, summary } of matching) {
    const [value = '', next] = parts.slice(before.length);
    const known = words.get(value) ?? { next: new Set() };
    words.set(value, known);
    if (next === undefined) known.summary = summary;
    else known.next.add(next);
  }
  if (before.length === 0) words.set('help', { summary: 'Show how a command is used', next: new Set() });
  // A word that is a command, and the beginning of others too, says what it does itself.
  return [...words].map(([value, { summary, next }]) => ({ value, note: summary ?? [...next].join(', ') }));
}

function flagCandidates({ name, summary }: OptionSpec): readonly Candidate[] {
  return [{ value: `--${name}`, note: summary }];
}

async function valuesOf(question: ValueQuestion, words: readonly string[], io: Io): Promise<readonly Candidate[]> {
  const values = await completeValue(question, settingsOf(words, io), io);
  return values.map(({ value, note = '' }) => ({ value, note }));
}

/** The flags of every command that the line has already: the registry that is asked may speak plain http. */
function settingsOf(words: readonly string[], io: Io): ReturnType<typeof parseSettings> {
  const single: Record<string, string> = {};
  const several: Record<string, readonly string[]> = {};
  for (const [at, word] of words.slice(0, -1).entries()) {
    const option = flagsOf(undefined).find(({ name }) => word === `--${name}` || word.startsWith(`--${name}=`));
    if (option?.value === undefined) continue;
    const value = word.includes('=') ? word.slice(word.indexOf('=') + 1) : (words[at + 1] ?? '');
    if (option.repeatable === true) several[option.name] = [...(several[option.name] ?? []), value];
    else single[option.name] = value;
  }
  // Progress and requests are for who runs the command, not for who types it.
  const quiet = { quiet: true, retry: '0' };
  try {
    return parseSettings({ ...single, ...several, ...quiet }, io);
  } catch {
    // A value that is half typed, or wrong: the command will say so.
    return parseSettings(quiet, io);
  }
}
