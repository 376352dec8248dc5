import type { CommandSpec, OptionSpec } from '../command.ts';
import type { CompletedValue } from '../commands/complete/path.ts';
import { completeValue, type ValueQuestion } from '../commands/complete/value.ts';
import { assertNever } from '../errors.ts';
import type { Io } from '../io.ts';
import { printable } from '../redact.ts';
import { commandsByName, startsAnyName } from './parse/find-command.ts';
import { GLOBAL_OPTIONS } from './parse/global-options.ts';
import { parseSettings } from './parse/settings.ts';

/**
 * Completes the last of `words`. Returns each candidate once. Failures, such as a registry that
 * does not respond in time, reduce the candidates and print nothing, because someone is typing.
 */
export async function complete(
  words: readonly string[],
  io: Io,
  commands: readonly CommandSpec[],
): Promise<readonly CompletedValue[]> {
  const point = completionPoint(words, commands);
  const candidates = await candidatesAt(point, words, io, commands);
  const word = words.at(-1) ?? '';
  return [
    ...new Map(
      candidates
        .filter(({ value }) => value.startsWith(word))
        .map((candidate) => [candidate.value, candidate]),
    ).values(),
  ];
}

/** Formats candidates for the shell scripts: one per line, with the note after a tab. */
export function candidateLines(candidates: readonly CompletedValue[]): string {
  return candidates
    .map(
      ({ value, note }) =>
        `${printable(value)}${note === undefined ? '' : `\t${printable(note)}`}\n`,
    )
    .join('');
}

async function candidatesAt(
  point: CompletionPoint,
  words: readonly string[],
  io: Io,
  commands: readonly CommandSpec[],
): Promise<readonly CompletedValue[]> {
  switch (point.kind) {
    case 'command':
      return commandWords(point.before, commands);
    case 'flag':
      return flagsOf(point.spec).map(({ name, summary }) => ({
        value: `--${name}`,
        note: summary,
      }));
    case 'option': {
      const { option, lead, word } = point;
      const values =
        option.choices?.map((value): CompletedValue => ({ value })) ??
        (await valuesOf({ name: option.value ?? '', word, command: '' }, words, io));
      return values.map(({ value, note }) => ({ value: `${lead}${value}`, note }));
    }
    case 'argument': {
      const values = await valuesOf(
        { name: point.name, word: point.word, command: point.spec.name },
        words,
        io,
      );
      return point.before === undefined
        ? values
        : [...commandWords(point.before, commands), ...values];
    }
    case 'nothing':
      return [];
    default:
      return assertNever(point);
  }
}

/** Lists the next words of all command names that begin with `before`. */
function commandWords(
  before: readonly string[],
  commands: readonly CommandSpec[],
): readonly CompletedValue[] {
  const lead = before.map((word) => `${word} `).join('');
  const words = new Map<string, { summary?: string; readonly next: Set<string> }>();
  for (const [name, { summary }] of commandsByName(commands)) {
    if (!name.startsWith(lead)) continue;
    const [value = '', next] = name.slice(lead.length).split(' ');
    const known = words.get(value) ?? { next: new Set() };
    words.set(value, known);
    if (next === undefined) known.summary = summary;
    else known.next.add(next);
  }
  if (before.length === 0)
    words.set('help', { summary: 'Show the help of a command', next: new Set() });
  // A word that is a command and also the beginning of others shows the summary of the command.
  return [...words].map(([value, { summary, next }]) => ({
    value,
    note: summary ?? [...next].join(', '),
  }));
}

function valuesOf(
  question: ValueQuestion,
  words: readonly string[],
  io: Io,
): Promise<readonly CompletedValue[]> {
  return completeValue(question, settingsOf(words, io), io);
}

/** Parses the global flags on the line: the registry to query may need `--plain-http`. */
function settingsOf(words: readonly string[], io: Io): ReturnType<typeof parseSettings> {
  const single: Record<string, string> = {};
  const several: Record<string, readonly string[]> = {};
  for (const [at, word] of words.slice(0, -1).entries()) {
    const option = flagsOf(undefined).find(
      ({ name }) => word === `--${name}` || word.startsWith(`--${name}=`),
    );
    if (option?.value === undefined) continue;
    const value = word.includes('=') ? word.slice(word.indexOf('=') + 1) : (words[at + 1] ?? '');
    if (option.repeatable === true) several[option.name] = [...(several[option.name] ?? []), value];
    else single[option.name] = value;
  }
  // Progress and retries would disturb typing.
  const quiet = { quiet: true, retry: '0' };
  try {
    return parseSettings({ ...single, ...several, ...quiet }, io);
  } catch {
    // A value is incomplete or wrong. The command will report it.
    return parseSettings(quiet, io);
  }
}

/** The kind of word at the cursor. */
export type CompletionPoint =
  /** A word of a command name, after the words of `before`. */
  | { readonly kind: 'command'; readonly before: readonly string[]; readonly word: string }
  | { readonly kind: 'flag'; readonly spec: CommandSpec | undefined; readonly word: string }
  /** The value of a flag; `lead` precedes it in the same word: `--platform=`. */
  | {
      readonly kind: 'option';
      readonly option: OptionSpec;
      readonly lead: string;
      readonly word: string;
    }
  /** `before` is set if the name of another command may continue here: `tag ls` after `tag`. */
  | {
      readonly kind: 'argument';
      readonly spec: CommandSpec;
      readonly name: string;
      readonly word: string;
      readonly before: readonly string[] | undefined;
    }
  | { readonly kind: 'nothing' };

/**
 * Determines the kind of the last of `words`.
 *
 * @param words the arguments after the program name; the last is at the cursor and may be empty.
 */
export function completionPoint(
  words: readonly string[],
  commands: readonly CommandSpec[],
): CompletionPoint {
  const byName = commandsByName(commands);
  const word = words.at(-1) ?? '';
  const name: string[] = [];
  let spec: CommandSpec | undefined;
  let arguments_ = 0;
  let pending: OptionSpec | undefined;
  let dashes = false;
  const [helps, before] =
    words[0] === 'help' && words.length > 1
      ? [true, words.slice(1, -1)]
      : [false, words.slice(0, -1)];
  for (const given of before) {
    if (pending !== undefined) pending = undefined;
    else if (!dashes && given === '--') dashes = true;
    else if (!dashes && given.startsWith('-'))
      pending = given.includes('=') ? undefined : optionOf(given, spec);
    else if (arguments_ === 0 && startsAnyName([...name, given].join(' '), byName)) {
      name.push(given);
      spec = byName.get(name.join(' '));
    } else arguments_ += 1;
  }
  if (pending !== undefined) return { kind: 'option', option: pending, lead: '', word };
  if (!dashes && word.startsWith('-')) return flagPoint(word, spec);
  const isLonger =
    arguments_ === 0 &&
    [...byName.keys()].some((known) => known.startsWith([...name, ''].join(' ')));
  if (spec === undefined || helps)
    return isLonger ? { kind: 'command', before: name, word } : { kind: 'nothing' };
  const last = spec.arguments.at(-1);
  const argument = spec.arguments[arguments_] ?? (last?.variadic === true ? last : undefined);
  return argument === undefined
    ? { kind: 'nothing' }
    : { kind: 'argument', spec, name: argument.name, word, before: isLonger ? name : undefined };
}

/** Lists the flags of a command; before its name, only those of every command. */
export function flagsOf(spec: CommandSpec | undefined): readonly OptionSpec[] {
  return [
    ...(spec?.options ?? []),
    ...GLOBAL_OPTIONS,
    { name: 'help', short: 'h', summary: 'show the arguments, flags and examples' },
  ];
}

function flagPoint(word: string, spec: CommandSpec | undefined): CompletionPoint {
  const equals = word.indexOf('=');
  if (equals < 0) return { kind: 'flag', spec, word };
  const option = optionOf(word.slice(0, equals), spec);
  return option === undefined
    ? { kind: 'nothing' }
    : { kind: 'option', option, lead: word.slice(0, equals + 1), word: word.slice(equals + 1) };
}

/** Finds the option of a flag that takes a value. */
function optionOf(flag: string, spec: CommandSpec | undefined): OptionSpec | undefined {
  return flagsOf(spec).find(
    ({ name, short, value }) =>
      value !== undefined && (flag === `--${name}` || flag === `-${short}`),
  );
}
